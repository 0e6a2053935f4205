"""The report in a real browser: its pages, hostile texts, pages beside it, and no request that leaves it."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import yaml
from pages import Visit, chromium
from synthetic_runs import drawn_run, first_words, lines, sample, write_run

from evaluators import report as report_module
from evaluators.analysis.summary import summarise
from evaluators.presentation.documents import packing
from evaluators.report import main

HOSTILE_ID = "q2</td><script>window.stolen = 4</script>"
HOSTILE = (
    "</td></tr></table></script><script>window.stolen = 1; document.title = 'stolen'</script>"
    "<img src=x onerror='window.stolen = 2'> \\boxed{3} "
    "<a href='javascript:window.stolen=3'>&lt;b&gt;</a> \u2028 ]]> <!-- $\\href{javascript:window.stolen=7}{x}$ "
    "$\\includegraphics{http://evil.example/x.png}$ $\\class{c}{y}$ $\\style{background:url(http://evil.example)}{z}$ "
    "$\\frac{1}{$ and \\(\\notacommand{1}\\) and $$\\begin{array}{c} 1 $$"
)
TYPESET = (
    "<|im_start|>assistant\n## Steps\n\nThe **sum** of $a_1 + \\frac{1}{2}$ and:\n\n- one\n- `two`\n\n"
    "\\[ x = \\sqrt{49} \\]\nSo \\boxed{7}.<|im_end|>"
)


def address(question: str, **more: object) -> str:
    return "#question=" + quote(question, safe="") + "".join(f"&{name}={value}" for name, value in more.items())


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and an SRGen run of three questions; q0 is gained, q1 lost, q2 unchanged."""
    folder = tmp_path_factory.mktemp("report")
    golds = {"q0": "7", "q1": "5", HOSTILE_ID: "3"}
    base = [
        sample("q0", 0, "8", "7", response="Let us see. The sum is \\boxed{8}."),
        sample("q0", 1, "<script>window.stolen = 5</script>", "7", response=HOSTILE),
        sample("q1", 0, "5", "5", response="$x^2$ " * 40_000),
        sample("q1", 1, "5", "5", response="*" * 50_000 + "$" * 40_000),
        sample(HOSTILE_ID, 0, "3", "3", response=HOSTILE),
    ]
    srgen = [
        sample("q0", 0, "7", "7", reflections=1),
        sample("q0", 1, "7", "7", response=TYPESET),
        sample("q1", 0, "1", "5"),
        sample("q1", 1, None, "5", finish_reason="length"),
        sample(HOSTILE_ID, 0, "3", "3"),
    ]
    runs = [
        write_run(folder / "base", base, golds, k=2),
        write_run(folder / "srgen", srgen, golds, k=2, srgen=True),
    ]
    tokens = ["Let", " us", " <script>window.stolen = 6</script>", "</td>", "<|im_end|>"]
    entropies = [None, 0.1, 3.5, 2.0, 0.0]
    (runs[1] / "entropies.jsonl").write_text(
        lines([{"question_id": "q0", "sample": 0, "tokens": tokens, "entropies": entropies}])
    )
    mark = {"question_id": "q0", "sample": 0, "position": 2, "entropy_before": 3.5, "entropy_after": 1.25}
    mark |= {"threshold": 1.8, "losses": [2.0, 1.9], "delta_norm": 0.7, "token_before": "</td>", "token_after": " so"}
    told = {"probabilities_before": [0.5, 0.25], "probabilities_after": [0.0004, 0.75]}
    (runs[1] / "reflections.jsonl").write_text(lines([mark | told, mark | {"position": 3}]))
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(browser: Any, report: Path) -> Iterator[Visit]:
    opened = Visit(browser, report.as_uri())
    yield opened
    assert opened.complaints == []
    assert set(opened.requests) <= {report.as_uri(), "data:,"}
    opened.page.close()


@pytest.fixture
def visit(shared: Visit) -> Visit:
    shared.at("#")
    return shared


def test_the_first_page_says_what_came_out(visit: Visit) -> None:
    text = visit.text()
    assert "SRGen is right on 50.0 % of the samples, base on 50.0 %." in text
    chart = visit.page.get_attribute("svg.interval", "aria-label")
    assert chart.startswith("Avg@2: difference 0.0 points") or "0 is marked" in chart
    assert text.count("counts as wrong") == 1, "a remark is made once"
    assert "1 missing" in text
    assert text.index("of the samples, base on") < text.index("Cons@K") < text.index("Every sample")
    assert visit.page.locator("svg.curves").count() == 1


def test_every_sample_is_a_cell_and_a_cell_leads_to_its_sample(visit: Visit) -> None:
    cells = visit.page.locator(".matrix .cell")
    assert cells.count() == 12
    labels = [cells.nth(number).get_attribute("aria-label") for number in range(12)]
    assert labels[:4] == ["sample 0: wrong", "sample 1: wrong", "sample 0: right", "sample 1: right"]
    assert labels[7] == "sample 1: cut off"
    shapes = {labels[n].split(": ")[1]: cells.nth(n).inner_text() for n in range(12)}
    assert len(set(shapes.values())) == len(shapes), "verdicts differ in shape too"
    cells.nth(2).click()
    visit.page.wait_for_selector("article h1:text('q0, sample 0')")
    assert "question=q0" in visit.page.url and "run=1" in visit.page.url


def test_filters_and_order_have_an_address(visit: Visit) -> None:
    visit.page.select_option("[data-filter=change]", "gained")
    visit.page.wait_for_selector(".filters .count:text-is('1 question')")
    assert visit.page.locator(".matrix a.name").all_inner_texts() == ["q0"]
    names = visit.at("#sort=gain").locator(".matrix a.name").all_inner_texts()
    assert (names[0], names[-1]) == ("q0", "q1")
    faded = visit.at("#verdict=no+answer").locator(".matrix .cell.faded").count()
    assert visit.page.locator(".matrix .cell").count() == faded
    visit.at("#verdict=missing")
    assert visit.page.locator(".matrix a.name").all_inner_texts() == [HOSTILE_ID]


def test_a_question_is_set_with_the_votes_of_both_runs(visit: Visit) -> None:
    page = visit.at(address("q0"))
    assert "What is 7 + 0?" in visit.text(".prompt")
    assert [side.count("vote") for side in page.locator(".votes").all_inner_texts()] == [2, 1]
    assert "\u2713 right" in page.locator(".votes").nth(1).inner_text()
    assert page.locator(".sides table tbody tr").count() == 4
    page.click(".sides section:nth-child(2) a:text-is('sample 1')")
    page.wait_for_selector("article h1:text('q0, sample 1')")


def test_mathematics_is_mathml_and_markdown_is_readable(visit: Visit) -> None:
    page = visit.at(address("q0", run=1, sample=1))
    assert page.locator(".response math").count() == 3
    assert page.locator(".response math mfrac, .response math msqrt").count() == 2
    assert page.inner_text(".response strong") == "sum"
    assert page.locator(".response .item").all_inner_texts()[0].split() == ["\u2022", "one"]
    assert page.inner_text(".response .heading") == "Steps"
    assert "im_end" not in visit.text(".sample .response")
    visit.press("t")
    assert "<|im_end|>" in visit.text(".sample .response")
    visit.press("r")
    assert "\\frac{1}{2}" in visit.text(".sample .response pre.source")


def test_no_text_of_a_model_runs_and_broken_mathematics_shows_its_source(visit: Visit) -> None:
    page = visit.at(address(HOSTILE_ID, run=0, sample=0))
    text = visit.text()
    assert "</script><script>window.stolen = 1" in text
    assert HOSTILE_ID in text
    for source in ("\\href{javascript:window.stolen=7}{x}", "\\includegraphics", "\\style", "\\notacommand{1}"):
        assert source in text
    assert page.query_selector("#page :is(img, script, iframe, object, [onerror], [onclick], [src], math .c)") is None
    links = page.eval_on_selector_all("#page a", "all => all.map(link => link.getAttribute('href'))")
    assert all(link.startswith("#") for link in links)
    assert page.evaluate("window.stolen") is None
    assert "stolen" not in page.title().replace(HOSTILE_ID, "")
    for sample_index in (0, 1):  # 240 kB of formulas; 90 kB of delimiters
        visit.at(address("q1", run=0, sample=sample_index))
        assert len(visit.text(".sample .response")) > 40_000


def test_tokens_are_shaded_and_a_reflection_opens(visit: Visit) -> None:
    page = visit.at(address("q0", run=1, sample=0))
    spans = page.locator(".response .token")
    heats = [span.evaluate("element => element.style.getPropertyValue('--heat')") for span in spans.all()]
    assert heats[:4] == ["", "3%", "88%", "50%"] or heats[:4] == ["", "2%", "88%", "50%"]
    page.click(".response .mark >> nth=0")
    panel = visit.text("#reflection")
    rows = [line.inner_text().split("\t") for line in page.locator("#reflection .tokens tr").all()]
    assert rows == [
        ["likeliest", "token", "probability before", "probability after"],
        ["before", '"</td>"', "50.0 %", "< 0.1 %"],
        ["after", '" so"', "25.0 %", "75.0 %"],
    ]
    assert re.search(r'token written\s+" <script>window.stolen = 6</script>"', panel)
    assert "3.50 to 1.25 nats" in panel
    assert "2.000, 1.900" in panel
    page.keyboard.press("Escape")
    assert page.is_hidden("#reflection")
    page.click(".response .mark >> nth=1")
    assert page.locator("#reflection .tokens tr").first.inner_text().split("\t") == ["likeliest", "token"]
    page.keyboard.press("Escape")
    visit.press("e")
    assert spans.nth(2).evaluate("element => element.style.getPropertyValue('--heat')") == ""


def test_two_samples_stand_side_by_side_and_their_parting_is_marked(visit: Visit) -> None:
    page = visit.at(address("q0", run=1, sample=0))
    visit.press("s")
    assert "beside=0" in page.url
    boxes = [box.bounding_box() for box in page.locator(".sample").all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    marks = page.locator("mark.parting").all_inner_texts()
    assert [mark.strip() for mark in marks] == ["<script>window.stolen = 6</script>", "see"]
    assert page.locator("mark.parting").first.is_visible()


def test_the_keyboard_walks(visit: Visit) -> None:
    page = visit.at(address("q0", run=1, sample=0))

    def heading() -> str:
        return visit.text("h1").split(" SRGen")[0]

    walked = []
    for key in "jjkbgu":
        visit.press(key)
        walked.append(heading())
    assert walked == [
        "q0, sample 1",
        "q1, sample 0",
        "q0, sample 1",
        "q1, sample 0",
        f"{HOSTILE_ID}, sample 0",
        *walked[5:],
    ]
    assert walked[5].startswith(HOSTILE_ID)
    page.keyboard.press("?")
    assert "side by side" in visit.text("dialog")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="hidden")
    page.keyboard.press("/")
    page.keyboard.type("answer is")
    visit.press("Enter")
    page.wait_for_selector("[aria-busy=false] > .hits li")
    assert page.locator(".hits .excerpt mark").first.inner_text() == "answer is"
    assert page.locator(".hits li").count() == 3
    assert "No question holds that" in visit.text()


def test_a_key_right_after_the_help_is_closed_is_heard(visit: Visit) -> None:
    page = visit.at(address("q0"))
    page.keyboard.press("?")
    assert page.is_visible("dialog")
    slash = 'document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))'
    # In one go, so that no frame is drawn between the two: until then the focus is in the closed dialog.
    page.evaluate(f"document.getElementById('keys').close(); {slash}")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")


def test_what_is_typed_into_the_search_stays_when_another_page_is_drawn(visit: Visit) -> None:
    page = visit.at(address("q0"))
    page.keyboard.press("/")
    page.keyboard.type("half a")
    page.evaluate(f"location.hash = '{address('q1')}'")
    visit.settled()
    assert visit.text("h1").startswith("q1")
    assert page.input_value("#search") == "half a"
    page.keyboard.press("Escape")
    page.evaluate(f"location.hash = '{address('q0')}'")
    visit.settled()
    assert page.input_value("#search") == ""


def test_an_address_opens_cold_and_a_wrong_one_says_so(browser: Any, report: Path) -> None:
    opened = Visit(browser, report.as_uri() + address("q0", run=1, sample=0, beside=0))
    assert opened.page.locator("mark.parting").count() == 2
    opened.at(address("q9"))
    assert "There is no question q9 here." in opened.text()
    opened.at(address("q0", run=1, sample=7))
    assert "There is no such sample here." in opened.text()
    opened.at(address(HOSTILE_ID, run=0, sample=1))
    assert "it counts as wrong" in opened.text()
    assert opened.complaints == []
    opened.page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_both_themes_are_accessible_and_fit_400_pixels(browser: Any, report: Path, dark: bool) -> None:
    opened = Visit(browser, report.as_uri(), width=400, dark=dark)
    grounds = set()
    for place in (
        "#",
        address("q0"),
        address("q0", run=1, sample=0, beside=0),
        address("q0", run=1, sample=1),
        "#find=us",
    ):
        opened.at(place)
        assert not opened.wider_than_the_window(), place
        assert opened.serious_violations() == [], place
        grounds.add(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)"}
    opened.page.close()


def test_samples_beyond_the_file_come_from_beside_it(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "FIRST_BYTES", 1_000)
    monkeypatch.setattr(packing, "CHUNK_BYTES", 6_000)
    run = drawn_run(tmp_path / "run", questions=12, k=4)
    summarise(run, first_words)
    assert main([str(run), "-o", str(tmp_path / "big.html")]) == 0
    beside = sorted((tmp_path / "big_pages").iterdir())
    assert len(beside) > 2
    opened = Visit(browser, (tmp_path / "big.html").as_uri())
    opened.at(address("aime-11", run=0, sample=0))
    assert "Let us see" in opened.text() or "I do not know" in opened.text()
    assert set(opened.requests) <= {(tmp_path / "big.html").as_uri(), "data:,", *(path.as_uri() for path in beside)}
    assert beside[-1].as_uri() in opened.requests
    beside[0].unlink()
    found = re.search(r"chunk_of\":\[([\d,]+)\]", (tmp_path / "big.html").read_text())
    assert found
    lost = found[1].split(",").index(beside[0].stem.removeprefix("page-").lstrip("0"))
    opened.at(address(f"aime-{lost}", run=0, sample=0))
    assert "big_pages must lie beside this file" in opened.text()
    opened.page.close()


def test_runs_that_should_not_be_compared_are_shown_with_the_reason(tmp_path: Path) -> None:
    runs = [drawn_run(tmp_path / "a", questions=3, k=2), drawn_run(tmp_path / "b", questions=3, k=1, srgen=True)]
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(tmp_path / "report.html")]) == 0
    assert "another K (2 and 1)" in embedded(tmp_path / "report.html", "document-pairs")[0]["refusal"]


def test_chunks_hold_every_sample_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CHUNK_BYTES", 4_000)
    runs = [drawn_run(tmp_path / name, questions=9, k=3, seed=seed) for seed, name in enumerate("ab")]
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(tmp_path / "r.html")]) == 0
    count = (tmp_path / "r.html").read_text().count('id="chunk-')
    assert count > 2
    found = []
    for number in range(count):
        chunk = embedded(tmp_path / "r.html", f"chunk-{number}")["samples"]
        found += [
            (question, run, index) for question in chunk for run in chunk[question] for index in chunk[question][run]
        ]
    assert len(found) == len(set(found)) == 9 * 2 * 3


def test_mistakes_are_one_sentence_and_plots_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    runs = [drawn_run(tmp_path / name, questions=2, k=1, srgen=name == "b") for name in "ab"]
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(tmp_path / "r.html")]) == 0
    assert len(embedded(tmp_path / "r.html", "document-plots")) >= 4
    monkeypatch.delitem(sys.modules, "evaluators.presentation.plots")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    capsys.readouterr()
    assert main([*map(str, runs), "-o", str(tmp_path / "r.html")]) == 0
    assert "without the plots: plots need matplotlib" in capsys.readouterr().err
    assert embedded(tmp_path / "r.html", "document-plots") == []


def embedded(path: Path, name: str) -> Any:
    """A document in a report."""
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', path.read_text())
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


NAME = '"><img src=x onerror=window.stolen={number}><script>window.stolen={number}<\\u002fscript>'
"""A name that would run where it is put into a page as it is; a folder's name takes no slash."""


def test_no_name_of_a_model_a_run_or_a_benchmark_runs(tmp_path: Path, browser: Any) -> None:
    runs = []
    for number, srgen in enumerate((False, True)):
        folder = tmp_path / NAME.format(number=number)
        run = drawn_run(folder, questions=3, k=2, srgen=srgen, benchmark=NAME.format(number=8), seed=number)
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["run"]["model"]["model_path"] = NAME.format(number=9)
        config["run"]["data"]["version"] = "'\"><svg onload=window.stolen=7>"
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        summarise(run, first_words)
        runs.append(run)
    assert main([*map(str, runs), "-o", str(tmp_path / "report.html")]) == 0
    opened = Visit(browser, (tmp_path / "report.html").as_uri())
    for place in ("#", address("aime-0"), "#sort=gain"):
        opened.at(place)
        assert opened.page.evaluate("window.stolen") is None
        found = opened.page.query_selector(":is(#page, header, nav) :is(img, script, iframe, [onerror], [onload])")
        assert found is None
    assert "onerror=window.stolen=9" in opened.text(), "the name is there, as text"
    assert opened.complaints == []
    opened.page.close()


def test_a_large_matrix_is_drawn_as_one_scrolls(tmp_path: Path, browser: Any) -> None:
    runs = [drawn_run(tmp_path / name, questions=90, k=20, seed=seed) for seed, name in enumerate(("a", "b"))]
    for run in runs:
        summarise(run, first_words)
    assert main([*map(str, runs), "-o", str(tmp_path / "report.html")]) == 0
    visit = Visit(browser, (tmp_path / "report.html").as_uri())
    cells = visit.page.locator(".matrix .cell")
    assert 0 < cells.count() < 90 * 40 / 2, "what is far below is not drawn"
    assert visit.page.evaluate("window.temml === undefined"), "what sets formulas is read when one is set"
    paper = Visit(browser, (tmp_path / "report.html").as_uri(), dark=True)
    paper.page.pdf()
    assert paper.page.locator(".matrix .cell").count() == 90 * 40, "all of it is printed"
    paper.page.emulate_media(media="print")
    assert paper.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for _ in range(90):
        visit.page.keyboard.press("End")
        visit.page.wait_for_timeout(50)
        if cells.count() == 90 * 40:
            break
    assert cells.count() == 90 * 40
    assert visit.page.locator("button.more").is_hidden()
    href = cells.last.get_attribute("href")
    assert parse_qs(href[1:]) == {"question": ["aime-89"], "run": ["1"], "sample": ["19"]}
    assert visit.complaints == []
