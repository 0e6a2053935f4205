"""Our own samples.jsonl, of another machine; a run folder also tells its settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from evaluators.exchange.generation import Generation, Source, own_fields
from evaluators.exchange.readers.json_files import json_lines
from evaluators.records.provenance import SURROUNDINGS
from evaluators.records.reading import TIMING_FILE, read_config
from evaluators.records.schema import CONFIG_FILE, SAMPLES_FILE, Sample
from srgen.errors import SRGenError


def read(path: Path) -> Source:
    """A samples.jsonl, or the folder of a run."""
    if path.is_file():
        return Source("srgen", _generations(path))
    config = read_config(path) if (path / CONFIG_FILE).is_file() else {"run": {}}
    timing = path / TIMING_FILE
    seconds = json.loads(timing.read_text("utf-8")) if timing.is_file() else {}
    model = config["run"].get("model", {}).get("model_path")
    told = {name: config[name] for name in ("run", *SURROUNDINGS) if name in config}
    return Source("srgen", _generations(path / SAMPLES_FILE), model, told | seconds)


def _generations(path: Path) -> Iterator[Generation]:
    for where, row in json_lines(path):
        try:
            sample = Sample.from_json(row)
        except TypeError as error:
            raise SRGenError(f"{where}: not a line of samples.jsonl: {error}") from None
        yield Generation(
            where=where,
            keys=(sample.question_id,),
            sample=sample.sample,
            response=None if sample.status == "failed" else sample.response,
            prompt_tokens=sample.prompt_tokens,
            tokens=sample.generated_tokens,
            finish_reason=sample.finish_reason,
            reflections=sample.reflections,
            seconds=sample.seconds,
            seed=sample.seed,
            worker=sample.worker,
            error=sample.error,
            correct=None if sample.status == "failed" else sample.correct,
            answer=sample.answer,
            own=own_fields(row),
        )
