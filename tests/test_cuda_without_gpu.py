"""CUDA without a GPU: PyTorch's fake tensors say where each tensor would be and what would wait for the device.

A tensor on the wrong device, a value that is read on the host (`.item()`, `bool()`) and an operation that a dtype does
not have raise here. The ways to the host that the engine takes, `tolist` and `nonzero` (mask as index), are counted.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from architectures import tiny_config
from tiny_models import CONFIGS as TINY
from tiny_models import VOCABULARY
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM

from srgen import Request, Sampling, SRGenConfig
from srgen.engines.transformers.batched_passes import BatchedPasses
from srgen.engines.transformers.forward import Forward
from srgen.engines.transformers.token_choice import Row, draw, settle
from srgen.engines.vllm import readout as vllm_readouts
from srgen.method import readout as readouts
from srgen.method.processor import SRGenProcessor
from srgen.method.readout import readout_of
from srgen.method.sampling import Sampler

OFTEN = SRGenConfig(adaptive_entropy_N=5, adaptive_entropy_K=0.2, minimal_std=0.05, minimal_threshold=0.2)
PROMPTS = ([3, 4, 5, 6, 7], [8, 9])
STEPS = 8
CALM, RAISED = 1.0, 9.0
"""Entropies that the host is told of."""


class ToHost(TorchDispatchMode):
    """Counts copies from the device to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.copies = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        to_host = torch.device(kwargs.get("device") or "cuda").type == "cpu"
        source = next((a for a in args if isinstance(a, Tensor)), None)
        if "_to_copy" in str(operation) and to_host and source is not None and source.device.type == "cuda":
            self.copies += 1
        return operation(*args, **kwargs)


FOUND = 7
"""Places that `nonzero` finds."""


@dataclasses.dataclass
class Host:
    """What the host is told of the device's values: ones, but for entropies that are raised now and then."""

    reads: int = 0
    raised: bool = False

    def answer(self, tensor: Tensor) -> Any:
        self.reads += 1
        if tensor.ndim == 1:
            return [1] * len(tensor)
        rows = [[CALM] * tensor.shape[1] for _ in range(tensor.shape[0])]
        if self.raised and self.reads == 1:
            rows[0] = [RAISED] * tensor.shape[1]
        return rows

    def places(self, tensor: Tensor) -> Tensor:
        self.reads += 1
        return torch.zeros(FOUND, tensor.ndim, dtype=torch.int64, device=tensor.device)


def _pieces(tensor: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
    """A tensor with the plain parts of an index applied, and the index tensors of its dimensions."""
    parts = list(index) if isinstance(index, tuple) else [index]
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    if any(part is Ellipsis for part in parts):
        place = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (tensor.ndim - taken)
    advanced: list[Tensor | None] = []
    for part in parts:
        dimension = len(advanced)
        if part is None:
            tensor = tensor.unsqueeze(dimension)
            advanced.append(None)
        elif isinstance(part, slice):
            tensor = torch.ops.aten.slice(tensor, dimension, part.start, part.stop, part.step or 1)
            advanced.append(None)
        elif isinstance(part, int):
            tensor = tensor.select(dimension, part)
        else:
            # As PyTorch does with a list: that way to the device waits for nothing.
            advanced.append(part if isinstance(part, Tensor) else torch.tensor(part, device=tensor.device))
    return tensor, advanced


def _getitem(tensor: Tensor, index: Any) -> Tensor:
    view, advanced = _pieces(tensor, index)
    return view if all(part is None for part in advanced) else torch.ops.aten.index(view, advanced)


def _setitem(tensor: Tensor, index: Any, value: Any) -> None:
    view, advanced = _pieces(tensor, index)
    if not isinstance(value, Tensor):
        value = torch.full((), value, dtype=tensor.dtype, device=tensor.device)
    if all(part is None for part in advanced):
        _copy(view, value)
    else:
        torch.ops.aten.index_put_(view, advanced, value)


def _copy(tensor: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return torch.ops.aten.copy_(tensor, source, non_blocking)


def _contiguous(tensor: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    whole = tensor.is_contiguous(memory_format=memory_format)
    return tensor if whole else torch.ops.aten.clone(tensor, memory_format=memory_format)


def _to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if args and isinstance(args[0], Tensor):
        device, dtype = args[0].device, args[0].dtype
    else:
        kwargs.pop("copy", None)
        device, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
    device, dtype = device or tensor.device, dtype or tensor.dtype
    if (device.type, dtype) == (tensor.device.type, tensor.dtype):
        return tensor
    return torch.ops.aten._to_copy(tensor, dtype=dtype, device=device)


_REPLACED: dict[str, Any] = {
    "__getitem__": _getitem,
    "__setitem__": _setitem,
    "copy_": _copy,
    "contiguous": _contiguous,
    "to": _to,
    "cpu": lambda tensor: _to(tensor, "cpu"),
    "float": lambda tensor: _to(tensor, torch.float32),
    "double": lambda tensor: _to(tensor, torch.float64),
    "long": lambda tensor: _to(tensor, torch.int64),
    "bool": lambda tensor: _to(tensor, torch.bool),
    "__invert__": lambda tensor: torch.ops.aten.bitwise_not(tensor),  # noqa: PLW0108 -- to be bound
    "new_tensor": lambda tensor, data: torch.tensor(data, dtype=tensor.dtype, device=tensor.device),
    "type_as": lambda tensor, other: _to(tensor, other.dtype),
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    answers = Host()
    monkeypatch.setattr(FakeTensor, "tolist", lambda tensor: answers.answer(tensor))  # noqa: PLW0108 -- to be bound
    monkeypatch.setattr(Tensor, "nonzero", lambda tensor: answers.places(tensor))  # noqa: PLW0108 -- to be bound
    # A build without CUDA refuses these in C++ before the mode is asked; here they are the operations they stand for.
    for name, method in _REPLACED.items():
        monkeypatch.setattr(Tensor, name, method)
    # A check of values when a model is taken, before any token.
    monkeypatch.setattr(readouts, "logits_agree", lambda *_: True)
    monkeypatch.setattr(vllm_readouts, "logits_agree", lambda *_: True)
    with FakeTensorMode():
        yield answers


def model_of(name: str, dtype: torch.dtype) -> Any:
    config = copy.deepcopy(TINY.get(name)) or tiny_config(name)  # a model of another dtype writes that into its own
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def row_of(index: int, prompt: list[int], sampling: Sampling, config: SRGenConfig | None) -> Row:
    request = Request(id=str(index), prompt=tuple(prompt), sampling=sampling, seed=index, srgen=config)
    return Row(request, prompt, STEPS + 2)


GREEDY = Sampling(do_sample=False, max_new_tokens=STEPS)
NUCLEUS = Sampling(do_sample=True, temperature=0.6, top_p=0.95, max_new_tokens=STEPS)


@pytest.mark.parametrize(
    ("dtype", "sampling"), [(torch.float32, GREEDY), (torch.bfloat16, NUCLEUS)], ids=["float32", "bfloat16"]
)
@pytest.mark.parametrize("reflection", [None, "support", "sketch", "exact"])
@pytest.mark.parametrize("name", ["llama", "gemma2", "qwen3_5_text"])
def test_a_step_waits_for_the_device_once(
    name: str, reflection: Any, dtype: torch.dtype, sampling: Sampling, host: Host
) -> None:
    config = None if reflection is None else dataclasses.replace(OFTEN, reflection=reflection, sketch_top=64)
    model = model_of(name, dtype)
    passes = BatchedPasses(Forward(model))
    processor = None if config is None else SRGenProcessor(readout_of(model))
    rows = [row_of(index, prompt, sampling, config) for index, prompt in enumerate(PROMPTS)]
    waits: list[int] = []
    with torch.no_grad(), ToHost() as copies:
        for group in passes.groups([len(row.prompt) for row in rows]):
            admitted = passes.admit([rows[index].prompt for index in group])
            begun = [rows[index] for index in group]
            for row, states in zip(begun, admitted.hidden, strict=True):
                if processor is not None and config is not None:
                    processor.admit(row, config, 1.0, row.prompt, states)
            sampler = sampler_of(begun)
            hidden = torch.stack([h[-1] for h in admitted.hidden])
            settle(*draw(begun, admitted.logits, hidden, sampler, processor), processor)
        for step in range(STEPS):
            host.reads, host.raised = 0, step == STEPS - 2
            done = passes.step([row.tokens[-1] for row in rows])
            assert done.logits.device.type == done.hidden.device.type == "cuda"
            assert done.logits.dtype == torch.float32
            settle(*draw(rows, done.logits, done.hidden, sampler_of(rows), processor), processor)
            waits.append(host.reads)
        passes.remove(0)
        passes.step([rows[1].tokens[-1]])
    reflections = [0] * len(rows) if processor is None else [len(processor.record(row).reflections) for row in rows]
    assert reflections == ([0, 0] if config is None else [1, 1])
    # Besides, where rows reflect: their statistics, the tokens that are drawn again, and how large the supports are.
    besides = 0 if config is None else 2 + (reflection == "support")
    assert waits == [1 + (besides if step == STEPS - 2 else 0) for step in range(STEPS)]
    assert copies.copies == 0


def sampler_of(rows: list[Row]) -> Sampler:
    settings = [row.request.sampling for row in rows]
    return Sampler.build(settings, [row.request.seed for row in rows], VOCABULARY, torch.device("cuda"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("cap", [None, 30.0])
def test_vllms_readout_stays_on_the_device(
    cap: float | None, dtype: torch.dtype, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group: 1)
    weight = torch.empty(VOCABULARY + 3, 32, device="cuda", dtype=dtype)
    method = SimpleNamespace(apply=lambda head, states, bias: torch.nn.functional.linear(states, head.weight, bias))
    model = SimpleNamespace(
        lm_head=SimpleNamespace(weight=weight, bias=None, quant_method=method),
        logits_processor=SimpleNamespace(org_vocab_size=VOCABULARY, scale=1.0, soft_cap=cap),
    )
    hidden = torch.empty(4, 32, device="cuda", dtype=dtype)
    with ToHost() as copies:
        readout = vllm_readouts.vllm_readout(model, lambda probe: (probe @ weight.T)[:, :VOCABULARY], None)
        moved, _ = readout.move(readout.logits(hidden), readout.shift(torch.empty(4, 32, device="cuda")))
        back = readout.pull_back(moved)
    assert moved.device.type == back.device.type == "cuda"
    assert (moved.shape, back.shape) == ((4, VOCABULARY), (4, 32))
    assert moved.dtype == back.dtype == torch.float32
    assert copies.copies == host.reads == 0


def test_what_these_tests_look_for_is_found(host: Host) -> None:
    values = torch.ones(3, device="cuda")
    with pytest.raises(RuntimeError):
        values + torch.ones(3)
    with pytest.raises(RuntimeError):
        values[0].item()
    values[values > 0]
    assert host.reads == 1
    with ToHost() as copies:
        values.cpu()
    assert copies.copies == 1
