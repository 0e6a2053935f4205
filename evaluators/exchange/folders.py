"""Folders that are there only if what they are for went well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def folder_for(path: Path) -> Iterator[None]:
    """Make a folder and its parents; after an error, those that were not there before go again."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in new:
            # Others may have put something there.
            with suppress(OSError):
                folder.rmdir()
        raise
