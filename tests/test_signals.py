"""Signals of tokens: against full softmaxes, in the engine, and on disk through crashes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators.records.journal import Entry, Journal
from evaluators.records.schema import SIGNALS_FILE, Sample
from evaluators.records.signals import ROW_BYTES, Signals, confidences, rows_of, summarised, windows
from srgen import SRGenConfig
from srgen.config import Sampling
from srgen.engines.base import Request
from srgen.engines.transformers.engine import TransformersEngine
from srgen.errors import SRGenError
from srgen.method.rows import largest
from srgen.method.signals import signals
from srgen.methods.slot import Slot
from tests.synthetic_runs import sample
from tests.tiny_models import ByteTokenizer, tiny_model


def reference(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    scores = torch.log_softmax(logits.double(), dim=1)
    best = scores.sort(dim=1, descending=True).values
    columns = [
        scores.gather(1, tokens[:, None])[:, 0],
        best[:, :20].mean(1),
        scores.mean(1),
        best[:, 0].exp() - best[:, 1].exp(),
    ]
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("known", [None, 10, 64])
def test_signals_are_those_of_a_full_softmax(known: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 300, generator=generator) * 4
    tokens = torch.randint(0, 300, (7,), generator=generator)
    top = None if known is None else largest(logits, known)
    found = signals(logits, tokens, top)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.double(), reference(logits, tokens), rtol=1e-3, atol=1e-3)


def test_a_forbidden_token_leaves_numbers() -> None:
    logits = torch.randn(2, 50)
    logits[:, 3:] = -torch.inf
    assert signals(logits, torch.tensor([0, 1])).isfinite().all()


@pytest.mark.parametrize("sampling", [Sampling(do_sample=False, max_new_tokens=12), Sampling(max_new_tokens=12)])
@pytest.mark.parametrize("extra", [{}, {"methods": (Slot(),)}, {"srgen": SRGenConfig(entropy_threshold=0.5)}])
def test_the_engine_records_the_row_that_a_token_was_drawn_from(sampling: Sampling, extra: dict[str, object]) -> None:
    engine = TransformersEngine(tiny_model("qwen2"), ByteTokenizer())
    prompts = [(5, 9, 77), (3, 14, 15, 92)]
    requests = [
        Request(id=str(i), prompt=p, sampling=sampling, seed=i, record_signals=True, logprobs=20, **extra)  # type: ignore[arg-type]
        for i, p in enumerate(prompts)
    ]
    for completion in engine.generate(requests):
        assert completion.signals is not None and completion.logprobs is not None
        rows = rows_of(completion.signals).astype(float)
        assert len(rows) == len(completion.token_ids)
        assert rows[:, 0] == pytest.approx([step.chosen for step in completion.logprobs], abs=2e-2)
        means = [np.mean([value for _, value in step.top]) for step in completion.logprobs]
        assert rows[:, 1] == pytest.approx(means, abs=2e-2)
    (plain,) = engine.generate([Request(id="x", prompt=(1, 2), sampling=sampling, seed=0)])
    assert plain.signals is None


def some(tokens: int, seed: int) -> bytes:
    return np.random.default_rng(seed).normal(-2, 1, (tokens, 4)).astype("<f2").tobytes()


def entry(index: int, tokens: int) -> Entry:
    return Entry(sample=sample("q", index, "1", "1", generated_tokens=tokens), signals=some(tokens, index))


def samples_of(directory: Path) -> list[Sample]:
    return [Sample.from_json(json.loads(line)) for line in (directory / "samples.jsonl").read_text().splitlines()]


def test_the_journal_keeps_signals_through_a_crash(tmp_path: Path) -> None:
    journal = Journal(tmp_path, record=False)
    journal.append([entry(0, 5), dataclasses.replace(entry(1, 4), signals=None), entry(2, 3)])
    journal.close()
    whole = (tmp_path / SIGNALS_FILE).read_bytes()
    lines = (tmp_path / "samples.jsonl").read_bytes()
    for cut in range(0, len(lines), 37):  # whatever of the journal a crash leaves
        (tmp_path / "samples.jsonl").write_bytes(lines[:cut])
        (tmp_path / SIGNALS_FILE).write_bytes(whole + b"torn")
        journal = Journal(tmp_path, record=False)
        journal.append([entry(3, 2)])
        journal.close()
        kept = samples_of(tmp_path)
        found = Signals(tmp_path)
        for line in kept:
            rows = found.of(line)
            if line.sample == 1:
                assert rows is None
            else:
                assert rows is not None
                assert rows.tobytes() == some(line.generated_tokens, line.sample)
        tokens = sum(line.generated_tokens for line in kept if line.signals is not None)
        assert (tmp_path / SIGNALS_FILE).stat().st_size == tokens * ROW_BYTES


def test_missing_signals_are_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path, record=False)
    journal.append([entry(0, 5)])
    journal.close()
    (tmp_path / SIGNALS_FILE).write_bytes(b"")
    with pytest.raises(SRGenError, match="too short for sample q/0"):
        Signals(tmp_path).of(samples_of(tmp_path)[0])
    journal = Journal(tmp_path, record=False)
    with pytest.raises(SRGenError, match="lacks signals"):
        journal.append([entry(1, 5)])


def test_summary_of_a_sample() -> None:
    rows = np.array([[-1, -3, -9, 0.5], [-2, -5, -11, 0.25]], dtype=np.float16)
    assert summarised(rows) == {
        "log_p": -1.5,
        "all_log_p": -10.0,
        "margin": 0.375,
        "confidence": 4.0,
        "tail": 4.0,
        "low": 4.0,
        "lowest": 4.0,
    }
    assert summarised(rows[:0]) is None
    assert list(confidences(rows)) == [3.0, 5.0]
    assert windows(np.array([1.0, 2.0, 3.0, 6.0]), 2) == pytest.approx([1.5, 2.5, 4.5])
