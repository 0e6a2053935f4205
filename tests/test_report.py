"""The report in a real browser: filters, hostile texts, pages beside it, and no request that leaves the page."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic_runs import drawn_run, first_words, lines, sample, write_run

from evaluators.analysis.summary import summarise
from evaluators.presentation import report_data

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
from evaluators.report import main

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = (
    "</td></tr></table></script><script>window.stolen = 1; document.title = 'stolen'</script>"
    "<img src=x onerror='window.stolen = 2'> \\boxed{3} "
    "<a href='javascript:window.stolen=3'>&lt;b&gt;</a> \u2028 ]]> <!--"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and an SRGen run of three questions; q0 is gained, q1 lost, q2 unchanged."""
    folder = tmp_path_factory.mktemp("report")
    golds = {"q0": "7", "q1": "5", "q2</td><script>window.stolen = 4</script>": "3"}
    hostile = list(golds)[2]
    base = [
        sample("q0", 0, "8", "7"),
        sample("q0", 1, "<script>window.stolen = 5</script>", "7", response=HOSTILE),
        sample("q1", 0, "5", "5"),
        sample("q1", 1, "5", "5"),
        sample(hostile, 0, "3", "3", response=HOSTILE),
    ]
    srgen = [
        sample("q0", 0, "7", "7", reflections=1),
        sample("q0", 1, "7", "7"),
        sample("q1", 0, "1", "5"),
        sample("q1", 1, None, "5", finish_reason="length"),
        sample(hostile, 0, "3", "3"),
    ]
    runs = [
        write_run(folder / "base", base, golds, k=2),
        write_run(folder / "srgen", srgen, golds, k=2, srgen=True),
    ]
    tokens = ["Let", " us", " <script>window.stolen = 6</script>", "</td>"]
    (runs[1] / "entropies.jsonl").write_text(
        lines([{"question_id": "q0", "sample": 0, "tokens": tokens, "entropies": [None, 0.1, 3.5, 2.0]}])
    )
    mark = {"question_id": "q0", "sample": 0, "position": 2, "entropy_before": 3.5, "entropy_after": 1.25}
    mark |= {"threshold": 1.8, "losses": [2.0, 1.9], "delta_norm": 0.7, "token_before": "</td>", "token_after": " so"}
    (runs[1] / "reflections.jsonl").write_text(lines([mark]))
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


class Visit:
    """A page that was opened, and all that it asked for."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.page = browser.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(".sample")

    def choose(self, group: str, value: str) -> None:
        self.page.click(f"#{group} button:text-is('{value}')")

    def cards(self) -> list[str]:
        expected = int(self.page.inner_text("#count").split()[0])
        deadline = time.monotonic() + 30
        # Asked from here: the page's own policy forbids the evaluation that waiting inside it takes.
        while len(cards := self.page.locator(".sample").all_inner_texts()) != min(expected, 20):
            assert time.monotonic() < deadline, f"{len(cards)} cards of {expected}"
            self.page.wait_for_timeout(50)
        return list(cards)


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Visit]:
    opened = Visit(browser, report)
    yield opened
    opened.page.close()


def test_a_click_on_a_filter_finds_the_sample(visit: Visit) -> None:
    assert len(visit.cards()) == 12
    visit.choose("change", "gained")
    visit.choose("verdict", "right")
    cards = visit.cards()
    assert len(cards) == 2
    assert "q0, sample 0" in cards[0]
    assert "vote gained" in cards[0]


def test_filters_by_question_run_and_verdict(visit: Visit) -> None:
    visit.page.fill("#question", "q1")
    assert len(visit.cards()) == 4
    visit.page.select_option("#run", index=2)
    assert len(visit.cards()) == 2
    visit.choose("verdict", "right")
    assert visit.page.inner_text("#count").startswith("0 samples")
    visit.page.fill("#question", "What is 7")
    assert len(visit.cards()) == 2


def test_nothing_leaves_the_page_and_no_text_of_a_model_runs(visit: Visit, report: Path) -> None:
    assert any("</script><script>window.stolen = 1" in card for card in visit.cards())
    assert any("<script>window.stolen = 5</script>" in card for card in visit.cards())
    assert visit.page.evaluate("window.stolen") is None
    assert visit.page.title() == "SRGen report"
    assert visit.requests == [report.as_uri()]
    assert visit.complaints == []
    assert visit.page.query_selector(".sample img, .sample script, .sample a") is None


def test_answers_stand_against_the_gold_and_missing_samples_say_so(visit: Visit) -> None:
    visit.page.fill("#question", "q1")
    cards = visit.cards()
    assert "answer 1, gold 5" in cards[2].replace("\n", " ")
    assert "answer none, gold 5" in cards[3].replace("\n", " ")
    assert "cut off at the token budget" in cards[3]
    visit.page.fill("#question", "q2")
    assert sum("never generated; it counts as wrong" in card for card in visit.cards()) == 2


def test_tokens_are_shaded_and_reflections_marked(visit: Visit) -> None:
    visit.page.fill("#question", "q0")
    visit.page.select_option("#run", index=2)
    assert len(visit.cards()) == 2
    spans = visit.page.query_selector_all(".response pre span")
    shades = [span.evaluate("element => element.style.backgroundColor") for span in spans]
    assert shades[0] == ""
    assert float(shades[2].split(",")[-1].rstrip(")")) > float(shades[1].split(",")[-1].rstrip(")"))
    assert "3.50\u21921.25" in spans[2].inner_text()
    assert "reflection" in spans[2].get_attribute("class")
    visit.page.click("summary:text-is('1 reflections')")
    assert '"</td>"' in visit.page.inner_text(".response table")


def test_tables_and_plots_are_there(visit: Visit) -> None:
    assert "1 missing" in visit.page.inner_text("main")
    assert visit.page.locator(".plots img").count() == 5
    widths = visit.page.evaluate("[...document.querySelectorAll('.plots img')].map(image => image.naturalWidth)")
    assert all(width > 100 for width in widths)


def test_samples_beyond_the_file_come_from_beside_it(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_data, "FIRST_PAGE_BYTES", 3_000)
    monkeypatch.setattr(report_data, "PAGE_BYTES", 3_000)
    run = drawn_run(tmp_path / "run", questions=12, k=4)
    summarise(run, first_words)
    assert main([str(run), "-o", str(tmp_path / "big.html")]) == 0
    beside = sorted((tmp_path / "big_pages").iterdir())
    assert len(beside) > 2
    opened = Visit(browser, tmp_path / "big.html")
    opened.page.fill("#question", "aime-11")
    cards = opened.cards()
    assert len(cards) == 4
    assert all("Let us see" in card or "I do not know" in card for card in cards)
    assert set(opened.requests) <= {(tmp_path / "big.html").as_uri(), *(path.as_uri() for path in beside)}
    assert beside[-1].as_uri() in opened.requests
    assert opened.complaints == []
    opened.page.close()


def test_runs_that_should_not_be_compared_are_shown_with_the_reason(tmp_path: Path) -> None:
    runs = [drawn_run(tmp_path / "a", questions=3, k=2), drawn_run(tmp_path / "b", questions=3, k=1, srgen=True)]
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(tmp_path / "report.html")]) == 0
    assert "another K (2 and 1)" in (tmp_path / "report.html").read_text()


def test_pages_of_samples_hold_every_sample_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluators.records.reading import read_run

    monkeypatch.setattr(report_data, "FIRST_PAGE_BYTES", 3_000)
    monkeypatch.setattr(report_data, "PAGE_BYTES", 3_000)
    runs = [read_run(drawn_run(tmp_path / name, questions=9, k=3, seed=seed)) for seed, name in enumerate("ab")]
    questions = report_data.entries(runs, {})
    found = []
    for numbers, text in report_data.pages(runs, questions):
        page = json.loads(text)
        assert [int(number) for number in page] == numbers
        found += [(number, run, index) for number in page for run in page[number] for index in page[number][run]]
    assert len(found) == len(set(found)) == 9 * 2 * 3


def test_mistakes_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    run = drawn_run(tmp_path / "run", questions=2, k=1)
    summarise(run, first_words)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main([str(run), "-o", str(tmp_path / "r.html")]) == 2
    assert capsys.readouterr().err == (
        "error: the report needs jinja2: run `pip install -e '.[report]'` in the project's clone\n"
    )
