"""Rows that wait for each other to reflect: the same tokens, and more reflections for each product with W."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
from architectures import tiny_config
from test_generation import OFTEN, prompts, request
from tiny_models import ByteTokenizer, tiny_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from srgen import Completion, Request, Sampling
from srgen.engines.transformers import guard, parking
from srgen.engines.transformers.decode_loop import DecodeLoop
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.transformers.passes import SeparatePasses, WholePasses
from srgen.method.readout import Readout

NEW_TOKENS = 18
GREEDY = Sampling(do_sample=False, max_new_tokens=NEW_TOKENS)
SAMPLED = Sampling(temperature=1.0, max_new_tokens=NEW_TOKENS)
SOMETIMES = dataclasses.replace(OFTEN, adaptive_entropy_K=1.5)


def model_of(name: str) -> Any:
    if name in ("llama", "gemma2", "gpt2"):
        return tiny_model(name)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(tiny_config(name)).eval()


def generate(model: Any, requests: list[Request], batch_size: int, park_steps: int) -> dict[str, Completion]:
    engine = TransformersEngine(model, ByteTokenizer(), batch_size, park_steps=park_steps)
    found = {completion.id: completion for completion in engine.generate(requests)}
    engine.loop().close()
    assert len(found) == len(requests)
    return found


def asked(count: int, sampling: Sampling) -> list[Request]:
    """Every third without SRGen, and of different lengths, so that rows end and enter at all times."""
    return [
        request(
            index,
            prompt,
            None if index % 3 == 2 else SOMETIMES,
            dataclasses.replace(sampling, max_new_tokens=NEW_TOKENS - 4 * (index % 4)),
        )
        for index, prompt in enumerate(prompts(count))
    ]


def same(one: dict[str, Completion], other: dict[str, Completion]) -> list[str]:
    """Samples with the same tokens, reflected on at the same places."""
    return [
        name
        for name, completion in one.items()
        if completion.token_ids == other[name].token_ids
        and [r.position for r in completion.reflections] == [r.position for r in other[name].reflections]
        and completion.finish_reason == other[name].finish_reason
    ]


class Counted:
    """Products with all of W, and the rows in them."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def counting(self, run: Callable[[], Any]) -> Any:
        real = Readout.pull_back

        def pull_back(readout: Readout, gradient: Tensor) -> Tensor:
            self.rows.append(len(gradient))
            return real(readout, gradient)

        with patch.object(Readout, "pull_back", pull_back):
            return run()

    @property
    def together(self) -> float:
        return sum(self.rows) / len(self.rows)


def test_100_samples_are_those_without_parking_and_share_their_products() -> None:
    model, requests = model_of("llama"), asked(100, SAMPLED)
    off, on = Counted(), Counted()
    expected = off.counting(lambda: generate(model, requests, 8, 0))
    found = on.counting(lambda: generate(model, requests, 8, 16))
    assert len(same(expected, found)) == 100
    assert sum(off.rows) == sum(on.rows) == sum(len(c.reflections) for c in found.values()) > 100
    assert on.together > 2 * off.together


@pytest.mark.parametrize(
    ("name", "batch_size", "sampling"),
    [
        *(("llama", batch_size, sampling) for batch_size in (1, 8) for sampling in (GREEDY, SAMPLED)),
        *((name, 8, SAMPLED) for name in ("gemma2", "gpt2", "lfm2", "qwen3_5_text")),
    ],
)
def test_a_row_that_waited_goes_on_where_it_was(name: str, batch_size: int, sampling: Sampling) -> None:
    """Sliding windows, and layers that keep a state of another kind than keys and values."""
    model, requests = model_of(name), asked(9, sampling)
    expected = generate(model, requests, batch_size, 0)
    assert any(completion.reflections for completion in expected.values())
    assert len(same(expected, generate(model, requests, batch_size, 5))) == len(requests)


@pytest.mark.parametrize("manner", [SeparatePasses, WholePasses])
def test_slower_ways_through_a_model_park_too(manner: Any) -> None:
    model, requests = model_of("llama"), asked(8, GREEDY)
    expected = generate(model, requests, 4, 0)
    with patch.object(guard, "MANNERS", (manner,)), patch.object(guard, "_checked", {model: 0}):
        found = generate(model, requests, 4, 5)
    assert len(same(expected, found)) == len(requests)


def test_places_of_rows_that_wait_are_taken_but_not_without_end() -> None:
    engine = TransformersEngine(model_of("llama"), ByteTokenizer(), 4, park_steps=1000)
    loop, held = engine.loop(), []
    engine.on_step = lambda: held.append((len(loop._decoding), len(loop)))
    assert len(list(engine.generate(asked(40, GREEDY)))) == 40
    assert max(total for _, total in held) > 4
    assert max(total for _, total in held) <= 4 + parking.ENOUGH
    loop.close()


def test_a_row_that_waits_can_be_cancelled_and_leaves_nothing() -> None:
    loop = DecodeLoop(model_of("llama"), ByteTokenizer(), park_steps=1000)
    eager = dataclasses.replace(OFTEN, adaptive_entropy=False, entropy_threshold=0.0)
    plain, waiting = prompts(2)
    loop.admit([request(0, plain, None), request(1, waiting, eager)])
    loop.step()
    assert [row.request.id for row in loop._parking.rows] == ["1"]
    loop.cancel("1")
    assert [row.request.id for row in loop.rows] == ["0"]
    assert not loop._processor._samples  # type: ignore[union-attr]
    loop.admit([request(2, waiting, eager)])
    loop.step()
    loop.clear()
    assert len(loop) == 0
    assert not loop._processor._samples  # type: ignore[union-attr]
