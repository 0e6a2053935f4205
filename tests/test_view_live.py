"""The live view in a real browser while a run is made: numbers move without a reload, and the finished run is whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pages import Visit, chromium
from scripted_run import children, start, wait_for_samples
from synthetic_runs import drawn_run, first_words, sample, write_run

from evaluators.analysis.summary import summarise

pytest.importorskip("fastapi")
ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def served(results: Path) -> Iterator[str]:
    """The command as a process; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluators.view", str(results), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)


def wait_until(visit: Visit, text: str, selector: str = "#page", seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while text not in visit.text(selector):
        assert time.monotonic() < deadline, visit.text(selector)
        visit.page.wait_for_timeout(100)


def samples_shown(visit: Visit, planned: int = 24) -> int:
    found = re.search(rf"(\d+) of {planned} samples", visit.text())
    return int(found[1]) if found else 0


@pytest.mark.slow
def test_a_run_is_watched_from_its_first_sample_to_its_last(tmp_path: Path) -> None:
    results = tmp_path / "results"
    summarise(drawn_run(results / "old", questions=2, k=2), first_words)
    run = results / "new"
    with served(results) as url, chromium() as browser:
        visit = Visit(browser, url)
        assert "2 of 2" not in visit.text() and "4 of 4 samples" in visit.text()
        making = start(run, 12, 2, 1, step_seconds=0.1)
        try:
            wait_until(visit, "running", "tr[data-run=new]")
            first = samples_shown(visit)
            visit.page.click("tr[data-run=new] a")
            visit.page.wait_for_selector(".progress")
            seen = {samples_shown(visit)}
            while len(seen) < 3 and making.poll() is None:
                visit.page.wait_for_timeout(200)
                seen.add(samples_shown(visit))
            assert max(seen) > first
            assert "tokens/s" in visit.text(".progress") and "left" in visit.text(".progress")
            assert re.search(r"accuracy [\d.]+ % \[[\d.]+, [\d.]+\]", visit.text(".progress"))
            assert "cpu:0: " in visit.text(".progress .workers")
            assert making.wait(60) == 0
        finally:
            making.kill()
            making.communicate()
        wait_until(visit, "complete", ".progress")
        assert samples_shown(visit) == 24
        wait_until(visit, "% of the samples are right on the 12 questions", ".verdicts")
        assert visit.page.locator(".matrix .cell.m").count() == 0
        assert visit.page.locator(".matrix .cell").count() == 24
        navigations = [request for request in visit.requests if request.rstrip("/") == url.rstrip("/")]
        assert len(navigations) == 1, "nothing was loaded anew"
        assert all(request.startswith(url) or request == "data:," for request in visit.requests)
        assert visit.complaints == []


def test_what_is_new_is_filled_in_and_nothing_else_is_drawn_anew(tmp_path: Path) -> None:
    golds = {"q0": "1", "q1": "2"}
    told = [sample(key, index, gold, gold) for key, gold in golds.items() for index in range(2)]
    write_run(tmp_path / "a", told, golds, k=2)
    growing = write_run(tmp_path / "b", told[:3], golds, k=2, srgen=True)
    with served(tmp_path) as url, chromium() as browser:
        visit = Visit(browser, f"{url}#runs=a&runs=b")
        wait_until(visit, "So far, on 2 of 2 questions", ".verdicts")
        asked = [request.removeprefix(f"{url}data/") for request in visit.requests if "/data/" in request]
        assert asked == ["contents?runs=a&runs=b", "pairs?runs=a&runs=b"], "each once, though asked for early"
        assert visit.page.locator(".matrix .gain").all_inner_texts() == ["0.0", "0.0"]
        cell = visit.page.locator(".matrix .cell").last
        assert cell.get_attribute("aria-label") == "sample 1: missing"
        cell.focus()
        visit.page.evaluate("window.mine = document.activeElement")
        with (growing / "samples.jsonl").open("a") as journal:
            journal.write(json.dumps(sample("q1", 1, "7", "2").to_json()) + "\n")
        visit.page.wait_for_selector(".matrix .gain:text-is('\N{MINUS SIGN}50.0')")
        assert cell.get_attribute("aria-label") == "sample 1: wrong"
        assert visit.page.evaluate("document.activeElement === window.mine && window.mine.isConnected")
        visit.page.keyboard.press("ArrowLeft")
        assert visit.page.evaluate("document.activeElement.getAttribute('aria-label')") == "sample 0: right"
        assert visit.complaints == []


def test_the_plots_stay_open_when_something_new_is_shown(tmp_path: Path) -> None:
    golds = {"q0": "1", "q1": "2"}
    told = [sample(key, index, gold, gold) for key, gold in golds.items() for index in range(2)]
    for name in "ab":
        summarise(write_run(tmp_path / name, told, golds, k=2, srgen=name == "b"), first_words)
    growing = write_run(tmp_path / "c", told[:3], golds, k=2, srgen=True)
    with served(tmp_path) as url, chromium() as browser:
        visit = Visit(browser, f"{url}#runs=a&runs=b&runs=c")
        visit.page.click(".plots summary")
        visit.page.evaluate("window.first = document.querySelector('.plots')")
        with (growing / "samples.jsonl").open("a") as journal:
            journal.write(json.dumps(sample("q1", 1, "7", "2").to_json()) + "\n")
        visit.until("!window.first.isConnected", "nothing new was shown", seconds=60)
        visit.page.wait_for_selector(".plots[open] > figure, .plots[open] > p", timeout=10_000)
        assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.model
def test_the_embedded_benchmark_is_watched_with_the_embedded_model(demo_model: None, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    flags = "--model_path demo --method srgen --eval_samples 4 --average 1 --max_new_tokens 24 --batch_size 1"
    command = [*flags.split(), "--record_entropy", "--device", "cpu", "--output_dir", str(results)]
    with served(results) as url, chromium() as browser:
        visit = Visit(browser, url)
        assert "There are no runs here yet" in visit.text()
        making = subprocess.Popen(
            [sys.executable, "-m", "evaluators.mini", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        try:
            visit.page.wait_for_selector("tr[data-run]", timeout=120_000)
            visit.page.click("tr[data-run] a")
            visit.page.wait_for_selector(".progress")
            seen = set()
            while making.poll() is None:
                seen.add(samples_shown(visit, 4))
                visit.page.wait_for_timeout(250)
            said, _ = making.communicate()
            assert making.returncode == 0, said
        finally:
            making.kill()
        wait_until(visit, "complete", ".progress")
        assert len(seen) > 1, "the numbers moved without a reload"
        wait_until(visit, "of the samples are right on the 4 questions", ".verdicts")
        assert samples_shown(visit, 4) == 4
        (journal,) = results.rglob("samples.jsonl")
        rows = [json.loads(line) for line in journal.read_text().splitlines()]
        assert visit.page.locator(".matrix .cell").count() == len(rows) == 4
        assert visit.page.locator(".matrix .cell.c").count() == sum(row["correct"] for row in rows)
        assert visit.page.locator(".matrix .cell.m").count() == 0
        for line in (journal.parent / "reflections.jsonl").read_text().splitlines()[:1]:
            mark = json.loads(line)
            place = {"runs": journal.parent.relative_to(results), "question": mark["question_id"], "run": 0}
            visit.at("#" + urlencode({**place, "sample": mark["sample"]}))
            visit.page.click(".response .mark >> nth=0")
            assert "%" in visit.text("#reflection .tokens"), "with the probabilities of its tokens"
        assert sum(request.rstrip("/") == url.rstrip("/") for request in visit.requests) == 1, "nothing was reloaded"
        assert visit.complaints == []


@pytest.mark.slow
def test_a_killed_run_is_stopped_and_runs_are_compared_on_a_click(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name, seed in (("a", 1), ("b", 2)):
        summarise(drawn_run(results / name, questions=3, k=2, seed=seed, srgen=name == "b"), first_words)
    making = start(results / "c", 12, 2, 1, step_seconds=0.1)
    wait_for_samples(results / "c", 2)
    for child in children(making.pid, "-c"):
        os.kill(child, 9)
    making.kill()
    making.communicate()
    with served(results) as url, chromium() as browser:
        visit = Visit(browser, url)
        assert "stopped" in visit.text("tr[data-run=c]")
        for name in "ab":
            visit.page.check(f"tr[data-run={name}] input")
        visit.page.click("a.button:text-is('compare 2 runs')")
        visit.page.wait_for_selector("svg.interval")
        assert "runs=a" in visit.page.url and "runs=b" in visit.page.url
        cold = Visit(
            browser,
            url
            + "#"
            + urlencode(
                [("runs", "a"), ("runs", "b"), ("question", "aime-1"), ("run", "1"), ("sample", "0"), ("beside", "0")]
            ),
        )
        assert cold.page.locator(".sample").count() == 2
        cold.press("j")
        assert "sample 1" in cold.text("h1")
        assert cold.serious_violations() == []
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("let us")
        visit.press("Enter")
        visit.page.wait_for_selector("[aria-busy=false] > .hits li")
        assert visit.complaints == cold.complaints == []
