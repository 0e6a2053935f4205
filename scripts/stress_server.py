"""Clients that nobody wishes for against the server: what it answers, and what its memory does.

    python scripts/stress_server.py [--clients 500] [--requests 2000]

A tiny random model is served by a process of its own. Among the requests are slow readers, clients that leave, bodies
of 10 MB, stop strings of 10 kB and broken JSON; at the end SIGTERM arrives while answers are under way.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300.0
"""Seconds after which a request counts as hanging."""
BODY = {"model": "srgen", "prompt": "What is 2 + 2?", "temperature": 0, "max_tokens": 4}


async def _post(client: httpx.AsyncClient, url: str, **changes: object) -> str:
    return str((await client.post(f"{url}/v1/completions", json=BODY | changes)).status_code)


async def _slow_reader(client: httpx.AsyncClient, url: str) -> str:
    async with client.stream("POST", f"{url}/v1/completions", json=BODY | {"stream": True, "max_tokens": 12}) as answer:
        last = ""
        async for line in answer.aiter_lines():
            last = line or last
            await asyncio.sleep(0.05)
    if answer.status_code == 200 and last != "data: [DONE]":
        return "cut off"
    return str(answer.status_code)


async def _leaver(client: httpx.AsyncClient, url: str) -> str:
    async with client.stream(
        "POST", f"{url}/v1/completions", json=BODY | {"stream": True, "max_tokens": 400}
    ) as answer:
        async for _ in answer.aiter_lines():
            return "left" if answer.status_code == 200 else str(answer.status_code)
    return str(answer.status_code)


async def _broken(client: httpx.AsyncClient, url: str) -> str:
    return str((await client.post(f"{url}/v1/completions", content=b'{"model": ')).status_code)


KINDS: dict[str, tuple[int, Callable[[httpx.AsyncClient, str], Awaitable[str]]]] = {
    "plain": (10, _post),
    "slow reader": (3, _slow_reader),
    "leaves": (3, _leaver),
    "10 MB prompt": (1, lambda client, url: _post(client, url, prompt="x" * 10_000_000)),
    "10 kB stop string": (1, lambda client, url: _post(client, url, stop=["y" * 10_000])),
    "100,000 tokens asked": (1, lambda client, url: _post(client, url, max_tokens=100_000)),
    "broken JSON": (1, _broken),
}
"""Kinds of requests: how often each comes, and what it does; it returns the status, or what became of it."""


async def storm(
    url: str, clients: int, requests: int, seed: int = 0, every: Callable[[int], None] = lambda _: None
) -> dict[str, Counter[str]]:
    """Outcomes by kind of `requests` requests from `clients` clients at once; `every` hears how many are done."""
    draw = random.Random(seed)
    kinds = draw.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=requests)
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    done = 0

    async def work() -> None:
        nonlocal done
        # A connection of its own, as a client elsewhere has.
        async with httpx.AsyncClient(timeout=LIMIT) as client:
            while kinds:
                kind = kinds.pop()
                try:
                    outcome = await KINDS[kind][1](client, url)
                except httpx.TimeoutException:
                    outcome = "hangs"
                except httpx.TransportError as error:
                    outcome = type(error).__name__
                outcomes[kind][outcome] += 1
                done += 1
                every(done)

    await asyncio.gather(*(work() for _ in range(clients)))
    return outcomes


def resident(pid: int) -> float:
    """Memory of a process in MiB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def sigterm_under_load(url: str, process: subprocess.Popen[bytes]) -> tuple[Counter[str], float]:
    """What becomes of 40 answers under way when SIGTERM comes, and the seconds until the server has ended."""

    async def ask() -> str:
        async with httpx.AsyncClient(timeout=LIMIT) as client:
            try:
                return await _post(client, url, max_tokens=60)
            except httpx.TransportError as error:
                return type(error).__name__

    asked = [asyncio.create_task(ask()) for _ in range(40)]
    async with httpx.AsyncClient(timeout=LIMIT) as client:
        while "srgen_running 0.0" in (await client.get(f"{url}/metrics")).text:
            await asyncio.sleep(0.02)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    outcomes = Counter(await asyncio.gather(*asked))
    await asyncio.to_thread(process.wait, LIMIT)
    return outcomes, time.monotonic() - begun


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The server of a tiny model as a process; its address."""
    sys.path[:0] = [str(ROOT)]
    from tests.server_process import tiny_model, tiny_tokenizer

    tiny_model(positions=1024).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "srgen.server",
        "--model_path",
        str(folder),
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            httpx.get(f"{url}/health")
            return process, url
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit((folder / "log").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        process, url = serve(Path(name))
        memory: dict[int, float] = {}

        def every(done: int) -> None:
            if done % (options.requests // 8) == 0:
                memory[done] = resident(process.pid)

        begun = time.monotonic()
        outcomes = asyncio.run(storm(url, options.clients, options.requests, every=every))
        print(f"{options.requests} requests of {options.clients} clients in {time.monotonic() - begun:.0f} s")
        for kind, found in outcomes.items():
            print(f"  {kind}: " + ", ".join(f"{count} x {outcome}" for outcome, count in sorted(found.items())))
        print("  memory (MiB) after so many requests: " + ", ".join(f"{n}: {mib:.0f}" for n, mib in memory.items()))
        ended, seconds = asyncio.run(sigterm_under_load(url, process))
        print(f"SIGTERM under load: {dict(ended)}; the server ended after {seconds:.1f} s, status {process.returncode}")


if __name__ == "__main__":
    main()
