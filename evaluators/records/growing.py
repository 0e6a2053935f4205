"""Files that another process extends by whole lines: what they have gained, and single lines by their place."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from evaluators.records.reading import SampleKey
from srgen.errors import SRGenError


class Place(NamedTuple):
    """Where a line lies in its file, in bytes; its newline included."""

    offset: int
    length: int


def open_inside(path: Path, root: Path | None) -> BinaryIO:
    """Open a file to read. Raises SRGenError where it leads out of `root` (None: anywhere), or cannot be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise SRGenError(f"{path} cannot be read: {error.strerror}") from None
    if root is not None:
        # The file that is open is asked, not the name, which may have become another's meanwhile.
        real = Path(os.path.realpath(f"/proc/self/fd/{file.fileno()}"))
        if not real.is_relative_to(root.resolve()):
            file.close()
            raise SRGenError(f"{path} leads out of {root}, so it is not shown")
    return file


@dataclass(slots=True)
class GrowingLines:
    """The whole lines of a file, each given once; a half-written last one is waited for."""

    path: Path
    root: Path | None = None
    end: int = 0
    """Bytes that have been read: always the end of a line."""
    lines: int = 0
    """Lines that have been read."""
    _inode: int = field(default=0, repr=False)

    def replaced(self) -> bool:
        """Whether the file is another one than was read, or was cut; all that was read is then forgotten."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        inode, size = (found.st_ino, found.st_size) if found else (0, 0)
        fresh = self._inode in (0, inode) and size >= self.end
        self._inode = inode
        if fresh:
            return False
        self.end = self.lines = 0
        return True

    def gained(self) -> Iterator[tuple[int, bytes]]:
        """Lines that have come since, each with where it begins; none where there is no file.

        Raises SRGenError as `open_inside`.
        """
        if not self.path.is_file():
            return
        with open_inside(self.path, self.root) as file:
            file.seek(self.end)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                begin = self.end
                self.end = begin + len(line)
                self.lines += 1
                yield begin, line

    def line(self, place: Place) -> bytes:
        """One line again. Raises SRGenError as `open_inside`."""
        with open_inside(self.path, self.root) as file:
            file.seek(place.offset)
            return file.read(place.length)


_KEY = re.compile(rb'\{"question_id": "((?:[^"\\]|\\.)*)", "sample": (\d+)[,}]')


class LinePlaces:
    """Where the lines of a recording (entropies.jsonl, reflections.jsonl) lie, by sample; no line is kept."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self._lines = GrowingLines(path, root)
        self._places: dict[SampleKey, list[Place]] = {}

    def of(self, key: SampleKey) -> list[bytes]:
        """A sample's lines, in their order. Raises SRGenError as `open_inside`."""
        if self._lines.replaced():
            self._places.clear()
        for begin, line in self._lines.gained():
            if found := _KEY.match(line):
                place = Place(begin, len(line))
                self._places.setdefault((_text(found[1]), int(found[2])), []).append(place)
        return [self._lines.line(place) for place in self._places.get(key, ())]


def _text(raw: bytes) -> str:
    return str(json.loads(b'"' + raw + b'"'))
