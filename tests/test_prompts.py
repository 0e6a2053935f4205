"""Samples of one question share the context of their prompt."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from srgen import SRGenConfig
from srgen.engines.base import Reflection
from srgen.method.context import ContextStore, SketchStore, context_store
from srgen.method.processor import SRGenProcessor
from srgen.method.prompts import IDLE
from srgen.method.readout import Readout
from srgen.method.rows import Rows, largest

VOCABULARY, HIDDEN, LENGTH = 40, 6, 1000
PROMPT = [(7 * i) % VOCABULARY for i in range(LENGTH)]
ALWAYS = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0, max_retries=3)


def head(dtype: torch.dtype = torch.float32, cap: float | None = None) -> Readout:
    generator = torch.Generator().manual_seed(0)
    return Readout(torch.randn(VOCABULARY, HIDDEN, generator=generator, dtype=torch.float64).to(dtype), cap=cap)


def states(seed: int, count: int) -> Tensor:
    return torch.randn(count, HIDDEN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def append(store: ContextStore, slot: int, readout: Readout, rows: Tensor) -> None:
    labels = torch.arange(len(rows)) % VOCABULARY
    store.append([slot] * len(rows), labels, Rows(rows, readout.logits(rows)))


@pytest.mark.parametrize("mode", ["exact", "sketch", "support"])
@pytest.mark.parametrize("cap", [None, 5.0])
def test_a_context_that_begins_with_anothers_is_that_of_all_rows(mode: str, cap: float | None) -> None:
    readout = head(torch.float64, cap)
    store = context_store(readout, mode, 5)
    prompt, whole = store.open(), store.open()
    append(store, prompt, readout, states(1, 8))
    shift = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3), dtype=torch.float64) / 4
    for seed in (2, 5):
        mine = store.open(prompt)
        append(store, mine, readout, states(seed, 3))
        whole = store.open()
        labels = torch.cat([torch.arange(8), torch.arange(3)])
        rows = torch.cat([states(1, 8), states(seed, 3)])
        store.append([whole] * 11, labels, Rows(rows, readout.logits(rows)))
        torch.testing.assert_close(
            store.cross_entropy(mine, 0 * shift), store.cross_entropy(whole, 0 * shift), atol=1e-9, rtol=1e-9
        )
        if mode != "support":  # whose tails are scaled chunk by chunk
            torch.testing.assert_close(
                store.cross_entropy(mine, shift), store.cross_entropy(whole, shift), atol=1e-9, rtol=1e-9
            )
        store.close(mine)


def generate(processor: SRGenProcessor, readout: Readout, keys: list[int], hidden: Tensor) -> list[Tensor]:
    """Three steps of samples that share a prompt; their corrections."""
    for key in keys:
        processor.admit(key, ALWAYS, 1.0, PROMPT, hidden)
    for step in range(3):
        rows = torch.cat([states(100 * key + step, 1) for key in keys])
        logits = readout.logits(rows)
        hits = processor.triggered(keys, [1.0] * len(keys))
        if hits:
            processor.reflect([keys[hit] for hit in hits], logits[hits])
        processor.commit(keys, [3] * len(keys), Rows(rows, logits))
    return [found for key in keys if (found := processor.delta(key)) is not None]


def test_64_samples_sketch_their_prompt_once() -> None:
    readout = head()
    processor = SRGenProcessor(readout)
    hidden = states(9, LENGTH)
    keys = list(range(64))
    with patch("srgen.method.context.largest", wraps=largest) as sketched:
        together = generate(processor, readout, keys, hidden)
    rows = sum(len(call.args[0]) for call in sketched.call_args_list)
    # The prompt's rows once, and two of each sample: the last one's waits for another reflection.
    assert LENGTH - 1 + 2 * 64 >= rows >= LENGTH - 1
    alone = SRGenProcessor(readout)
    for key, delta in zip(keys[:5], together[:5], strict=True):
        torch.testing.assert_close(generate(alone, readout, [key], hidden)[0], delta, atol=1e-5, rtol=1e-3)
        alone.release(key)


def test_states_that_something_else_has_changed_are_not_shared() -> None:
    readout = head()
    plain, changed = states(9, LENGTH), states(10, LENGTH)
    apart = [generate(SRGenProcessor(readout), readout, [1], hidden)[0] for hidden in (plain, changed)]
    processor = SRGenProcessor(readout)
    processor.admit("plain", ALWAYS, 1.0, PROMPT, plain)
    processor.admit("changed", ALWAYS, 1.0, PROMPT, changed, variant="slot")
    for step in range(3):
        rows = states(100 + step, 1).repeat(2, 1)
        hits = processor.triggered(["plain", "changed"], [1.0, 1.0])
        if hits:
            processor.reflect(["plain", "changed"], readout.logits(rows))
        processor.commit(["plain", "changed"], [3, 3], Rows(rows, readout.logits(rows)))
    for key, delta in zip(("plain", "changed"), apart, strict=True):
        torch.testing.assert_close(processor.delta(key), delta, atol=1e-5, rtol=1e-3)
    # A thousand random rows are much like a thousand others.
    assert (apart[0] - apart[1]).norm() > 0.02 * apart[0].norm()


@pytest.mark.parametrize("mode", ["exact", "sketch", "support"])
def test_a_reflection_says_how_probable_its_likeliest_tokens_were_before_and_after(mode: Any) -> None:
    readout = head()
    config = dataclasses.replace(ALWAYS, reflection=mode, lr=0.5, entropy_weight=1.0)
    processor = SRGenProcessor(readout)
    # Of the second sample's rows, one token is forbidden; the temperatures differ.
    temperatures = {"hot": 1.4, "cold": 0.6}
    for key, temperature in temperatures.items():
        processor.admit(key, config, temperature, PROMPT, states(9, LENGTH))
    keys = list(temperatures)
    assert processor.triggered(keys, [1.0, 1.0]) == []  # the prompt's own row
    before = readout.logits(states(5, 2))
    before[1, 3] = -math.inf
    assert processor.triggered(keys, [1.0, 1.0]) == [0, 1]
    after = processor.reflect(keys, before.clone())
    for row, (key, temperature) in enumerate(temperatures.items()):
        (reflection,) = processor.release(key).reflections
        tokens = [reflection.token_before, reflection.token_after]
        for logits, told in ((before, reflection.probabilities_before), (after, reflection.probabilities_after)):
            expected = torch.softmax(logits[row].double() / temperature, dim=0)[tokens]
            assert told == pytest.approx(expected.tolist(), abs=1e-5)
        assert reflection.probabilities_before != reflection.probabilities_after
        assert Reflection.from_json(json.loads(json.dumps(dataclasses.asdict(reflection)))) == reflection


def test_nothing_of_a_prompt_is_computed_before_a_reflection() -> None:
    readout = head()
    processor = SRGenProcessor(readout)
    with patch.object(Readout, "logits", side_effect=AssertionError("computed")):
        for key in range(8):
            processor.admit(key, ALWAYS, 1.0, PROMPT, states(9, LENGTH))
        for key in range(8):
            processor.release(key)


def test_prompts_that_nobody_uses_make_room() -> None:
    readout = head()
    processor = SRGenProcessor(readout)
    for key in range(200):
        prompt = [key % VOCABULARY, key // VOCABULARY, *PROMPT]
        generate_one = states(key, LENGTH + 2)
        processor.admit(key, ALWAYS, 1.0, prompt, generate_one)
        processor.release(key)
    (store,) = processor._stores.values()
    assert isinstance(store, SketchStore)
    assert len(store._pages.lengths) == IDLE
