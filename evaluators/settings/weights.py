"""Which model a folder holds, by its bytes: the same wherever it lies, another after further training."""

from __future__ import annotations

import hashlib
from pathlib import Path

SUFFIXES = (".json", ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".model", ".txt", ".jinja", ".py")
"""Files that decide tokens: configuration, tokenizer, chat template, weights, code."""
TRAINING = ("trainer_state.json", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
"""What a training run leaves beside a model."""
WHOLE = 32 * 2**20
"""Bytes up to which a file is read whole."""
BLOCKS, BLOCK = 256, 4096
"""Of a larger one, that many blocks of so many bytes, evenly spread with the first and the last among them."""


def weights_of(folder: Path) -> str:
    """A hash of a model folder's deciding files: names, sizes and contents, of large files a sample of them.

    Training changes nearly every weight, so blocks spread over a file tell two checkpoints apart in milliseconds,
    where reading them whole takes minutes for a large model.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in SUFFIXES and path.name not in TRAINING and not name.startswith(".") and path.is_file():
            digest.update(f"{name}\x1f{path.stat().st_size}\x1f".encode())
            _add(digest, path)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE:
            digest.update(file.read())
            return
        for index in range(BLOCKS):
            file.seek(index * (size - BLOCK) // (BLOCKS - 1))
            digest.update(file.read(BLOCK))
