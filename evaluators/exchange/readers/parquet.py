"""Rows of parquet files, a batch of them in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srgen.errors import SRGenError

_BATCH = 256


def parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row with its place. Raises SRGenError where the file is cut off or damaged."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise SRGenError(f"{path} is cut off or not parquet: {' '.join(str(error).split())[:200]}") from None
