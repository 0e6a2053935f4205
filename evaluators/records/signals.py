"""Signals of every token, 8 bytes each, in one file beside samples.jsonl; a sample's line says where its own begin.

A row holds, in float16, at temperature 1 and from the row that the token was drawn from: the log-probability of the
token, the mean log-probability of the 20 likeliest, the mean log-probability of the vocabulary, and the likeliest
probability less the second. A number that an endpoint does not tell is NaN.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.records.schema import SIGNALS_FILE, Sample
from srgen.errors import SRGenError

WIDTH = 4
ROW_BYTES = 2 * WIDTH
LOG_P, TOP_LOG_P, ALL_LOG_P, MARGIN = range(WIDTH)
"""The columns of a row."""
WINDOW = 2048
"""Tokens of a group, and of the tail (DeepConf, arXiv 2508.15260)."""

Rows = NDArray[np.float16]


class SignalsWriter:
    """Extends the file; what no sample points to is cut off when it is opened."""

    def __init__(self, path: Path, used: int) -> None:
        """`used` is the number of rows that samples point to. Raises SRGenError where the file does not have them."""
        if used and (not path.is_file() or path.stat().st_size < used * ROW_BYTES):
            raise SRGenError(f"{path} lacks signals of samples that are there; put it back, or use --no-record_signals")
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._rows = used
        os.ftruncate(self._handle, self._rows * ROW_BYTES)

    def append(self, signals: Iterable[bytes]) -> list[int]:
        """Write some samples' rows and wait until the disk has them; the first row of each. Raises OSError."""
        firsts, parts = [], []
        rows = self._rows
        for part in signals:
            firsts.append(rows)
            parts.append(part)
            rows += len(part) // ROW_BYTES
        data = memoryview(b"".join(parts))
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            if parts:
                os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._rows * ROW_BYTES)
            raise
        self._rows = rows
        return firsts

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


class Signals:
    """The signals of a run, mapped and not read."""

    def __init__(self, directory: Path) -> None:
        path = directory / SIGNALS_FILE
        size = path.stat().st_size // ROW_BYTES if path.is_file() else 0
        self._path = path
        self._rows: Rows = (
            np.memmap(path, dtype="<f2", mode="r", shape=(size, WIDTH)) if size else np.empty((0, WIDTH), np.float16)
        )

    def of(self, sample: Sample) -> Rows | None:
        """A sample's rows [tokens, 4]; None where it has none. Raises SRGenError where the file is too short."""
        if sample.signals is None:
            return None
        end = sample.signals + sample.generated_tokens
        if end > len(self._rows):
            raise SRGenError(f"{self._path} is too short for sample {sample.question_id}/{sample.sample}")
        return self._rows[sample.signals : end]


def rows_of(data: bytes) -> Rows:
    """The rows in an engine's bytes."""
    return np.frombuffer(data, dtype="<f2").reshape(-1, WIDTH)


def confidences(rows: Rows) -> NDArray[np.float64]:
    """DeepConf's confidence of each token for which it is known: minus the mean log-probability of the 20 likeliest."""
    return -_known(rows, TOP_LOG_P)


def windows(confidence: NDArray[np.float64], size: int = WINDOW) -> NDArray[np.float64]:
    """Means over every run of `size` tokens, or over all of them where there are fewer; none of no tokens."""
    if not len(confidence):
        return confidence
    size = min(size, len(confidence))
    sums = np.concatenate([[0.0], confidence.cumsum()])
    return np.asarray((sums[size:] - sums[:-size]) / size)


def summarised(rows: Rows) -> dict[str, float] | None:
    """What the choosers need of a sample, for its line in samples.jsonl; None for a sample of which nothing is known.

    log_p, all_log_p and margin are means over the tokens. confidence is DeepConf's, over all tokens; tail over the last
    2,048; low over the lowest tenth of the windows of 2,048 tokens, lowest over the single lowest. Means are over the
    tokens for which a number is known, and left out where there is none.
    """
    parts = {"log_p": _known(rows, LOG_P), "all_log_p": _known(rows, ALL_LOG_P), "margin": _known(rows, MARGIN)}
    confidence = confidences(rows)
    groups = np.sort(windows(confidence))
    parts |= {
        "confidence": confidence,
        "tail": confidence[-WINDOW:],
        "low": groups[: max(1, len(groups) // 10)],
        "lowest": groups[:1],
    }
    return {name: round(float(part.mean()), 6) for name, part in parts.items() if len(part)} or None


def _known(rows: Rows, column: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = rows[:, column].astype(np.float64)
    return np.asarray(values[~np.isnan(values)])
