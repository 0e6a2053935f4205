"""The live view and the report on many samples: time to the first page, memory of the server, size of the report.

python scripts/bench_view.py [--questions 500] [--samples 50] [--response_bytes 4000]

Two runs of that many samples each are drawn. Seconds are of a server that was just started and of a browser that was
just opened; `server memory` is the most that the process ever held. What drives the browser reads a program of 330 kB
into the page to look for what is drawn, and the page waits meanwhile: the page's own clock is told beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from evaluators.analysis.summary import summarise
from evaluators.report import main as report

sys.path.append(str(Path(__file__).resolve().parent))
if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

    from scripts.bench_statistics import write_run
else:
    from bench_statistics import write_run

PLACES = {"table and matrix": ".matrix .cell", "verdict": ".verdict .big"}
OWN_CLOCK = """(places) => {
  window.drawn = {};
  const began = new Set();
  const look = () => {
    for (const [name, selector] of Object.entries(places)) {
      if (began.has(name) || !document.querySelector(selector)) continue;
      began.add(name);
      requestAnimationFrame(() => setTimeout(() => { window.drawn[name] = performance.now() / 1000; }));
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}"""
"""Notes the seconds from the address until the frame that shows each place."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--response_bytes", type=int, default=4000, help="added to every response of about 1 kB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        for name, seed in (("base", 0), ("srgen", 1)):
            results.mkdir(exist_ok=True)
            write_run(results / name, options.questions, options.samples, seed)
            lengthen(results / name / "samples.jsonl", options.response_bytes)
            summarise(results / name, lambda answers, kind: list(range(len(answers))))
        size = sum(path.stat().st_size for path in results.rglob("samples.jsonl"))
        print(f"{2 * options.questions * options.samples:,} samples, {size / 1e6:.0f} MB of journals")
        measure_view(results)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            assert report([str(results / "base"), str(results / "srgen"), "-o", f"{folder}/report.html"]) == 0
        pages = list(Path(folder, "report_pages").glob("*.js")) if Path(folder, "report_pages").is_dir() else []
        beside = sum(page.stat().st_size for page in pages)
        print(
            f"report: {time.perf_counter() - began:.1f} s, {Path(folder, 'report.html').stat().st_size / 1e6:.1f} MB, "
            f"and {len(pages)} pages of {beside / 1e6:.1f} MB"
        )


def lengthen(journal: Path, count: int) -> None:
    """Longer responses, all different."""
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    for number, row in enumerate(rows):
        words = (
            f"step {number * 7919 % 1000 + i * i % 977} gives $x_{{{i}}} = {i * number % 8191}$. " for i in range(count)
        )
        row["response"] = "".join(word for word, _ in zip(words, range(count // 32), strict=False)) + row["response"]
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows))


def measure_view(results: Path) -> None:
    """Start the server, ask for the pages as a browser does, and look at its memory."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "evaluators.view", str(results), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+/", process.stdout.readline())
        assert found
        print(f"server: {time.perf_counter() - began:.2f} s until it serves")
        runs = urllib.parse.urlencode([("runs", "base"), ("runs", "srgen")])
        for name in ("contents", "contents", "pairs", "question/7", "sample/7/1/3", "search"):
            began = time.perf_counter()
            words = "&words=step%20499" if name == "search" else ""
            with urllib.request.urlopen(f"{found[0]}data/{name}?{runs}{words}", timeout=120) as answer:
                length = len(answer.read())
            print(f"{name}: {time.perf_counter() - began:.2f} s, {length / 1e3:.0f} kB")
        measure_browser(f"{found[0]}#{runs}")
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak
        print(f"server memory: {int(peak[1]) / 1024:.0f} MiB")
    finally:
        process.terminate()
        process.wait(30)


def measure_browser(url: str) -> None:
    """Seconds from the address to what is drawn, and the page's own on a processor, where there is a browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("first page in a browser: not measured, playwright is not installed")
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.add_init_script(f"({OWN_CLOCK})({json.dumps(PLACES)})")
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        for which in ("first", "second"):
            began, worked = time.perf_counter(), processor_seconds(devtools)
            page.goto(url)
            page.wait_for_selector(PLACES["table and matrix"])
            drawn = time.perf_counter() - began
            page.wait_for_selector(PLACES["verdict"])
            verdict = time.perf_counter() - began
            print(
                f"{which} page in a browser: {drawn:.2f} s to table and matrix, {verdict:.2f} s to the verdict, "
                f"{processor_seconds(devtools) - worked:.2f} CPU s of the page"
            )
            page.wait_for_timeout(200)
            told = page.evaluate("window.drawn")
            print("  by the page's own clock: " + ", ".join(f"{told[name]:.2f} s to the {name}" for name in PLACES))
            page.goto("about:blank")
        browser.close()


def processor_seconds(devtools: CDPSession) -> float:
    """What the main thread of the page has worked so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


if __name__ == "__main__":
    main()
