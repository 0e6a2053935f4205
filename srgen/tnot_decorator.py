"""`enable_tnot`: the released package's way to SRGen, on any causal language model of transformers."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Hashable
from typing import Any, cast

from torch import Tensor
from transformers.models.auto.auto_factory import _BaseAutoModelClass

from srgen.config import SRGenConfig
from srgen.engines.base import Reflection
from srgen.engines.released.tnot_pass import EntropyControlPass, Stop
from srgen.engines.released.tnot_settings import (
    end_tokens,
    environment_config,
    environment_control,
    environment_temperature,
    in_place_processor,
    marker_tokenizer,
    sampling_temperature,
    with_processors,
)
from srgen.errors import ConfigError
from srgen.method.processor import Record


class TNOTMixin:
    """What a wrapped model has besides its own class. Without SRGen asked for, it is that class."""

    prompt_only: bool = False
    """Set before a pass of the loop: the pass reflects first if it continues one that stopped. Cleared by the pass."""
    high_entropy_detected: bool = False
    """The last `generate` stopped at a trigger or, with `srgen_config`, reflected."""
    high_entropy_position: int | None = None
    """Index in the last call's generated tokens of its (first) trigger."""
    entropy_history: list[float]
    """Entropies in nats of the sample's monitored steps, over all passes; of the first row after an in-place call."""
    delta: Tensor | None = None
    """Correction (d,), float32, of the last reflection."""
    srgen_records: list[Record]
    """Statistics of each row of the last call with `srgen_config`."""
    reflection: Reflection | None = None
    """With the loop: what the last pass's reflection did, `position` counted from that pass's first token."""
    _last_stop: Stop | None = None

    def __getattr__(self, name: str) -> Any:
        # Lists belong to one model each; they appear when they are first asked for.
        if name in ("entropy_history", "srgen_records"):
            value: list[Any] = []
            self.__dict__[name] = value
            return value
        return super().__getattr__(name)  # type: ignore[misc]

    def __reduce_ex__(self, protocol: Any) -> Any:
        base = _wrapped_class(type(self))
        if _importable(base) is base:
            return _rebuild, (base,), dict(self.__dict__)
        # The decorator stands above the class statement: the name leads to the wrapped class itself.
        return super().__reduce_ex__(protocol)

    def reset_entropy_detection(self) -> None:
        """Forget the last trigger. The history stays: it belongs to the sample, which the next pass may continue."""
        self.high_entropy_detected = False
        self.high_entropy_position = None

    def reset_model_parameters(self) -> None:
        """Forget the sample: its correction, its history and where it stopped. The model's weights never change."""
        self.reset_entropy_detection()
        self.prompt_only = False
        self.entropy_history = []
        self.delta = None
        self.reflection = None
        self._last_stop = None

    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: Any = None,
        logits_processor: Any = None,
        *,
        srgen_config: SRGenConfig | None = None,
        entropy_control: bool | None = None,
        entropy_temperature: float | None = None,
        **arguments: Any,
    ) -> Any:
        """The model's `generate`, with SRGen where it is asked for.

        srgen_config: reflect in place, in one call, on any batch. entropy_control: stop at the first trigger instead
        (as the environment variable does, which holds where neither is given; the environment then has the parameters),
        with entropies at `entropy_temperature`, else the sampling temperature.
        Raises ConfigError and SRGenError for what SRGen cannot do.
        """
        arguments |= {"generation_config": generation_config, "logits_processor": logits_processor}
        if entropy_control or (entropy_control is None and srgen_config is None and environment_control()):
            return self._generate_until_trigger(inputs, arguments, srgen_config, entropy_temperature)
        if srgen_config is not None:
            return self._generate_in_place(inputs, arguments, srgen_config)
        return super().generate(inputs, **arguments)  # type: ignore[misc]

    def _generate_in_place(self, inputs: Tensor | None, arguments: dict[str, Any], config: SRGenConfig) -> Any:
        processor = in_place_processor(self, config, arguments)
        output = super().generate(inputs, **with_processors(arguments, processor))  # type: ignore[misc]
        self.srgen_records = processor.records
        positions = [r.position for record in processor.records for r in record.reflections]
        self.high_entropy_detected = bool(positions)
        self.high_entropy_position = positions[0] if positions else None
        self.entropy_history = list(processor.records[0].entropies[1:]) if processor.records else []
        self.delta = next((delta for delta in processor.deltas if delta is not None), None)
        return output

    def _generate_until_trigger(
        self, inputs: Tensor | None, arguments: dict[str, Any], explicit: SRGenConfig | None, temperature: float | None
    ) -> Any:
        config = environment_config() if explicit is None else explicit
        ends = end_tokens(self, arguments)
        if not ends:
            raise ConfigError("entropy_control forces an end token at a trigger; set eos_token_id for this model")
        prompt = inputs if inputs is not None else arguments.get("input_ids")
        if prompt is None or prompt.shape[0] != 1:
            raise ConfigError("entropy_control takes one sequence of token ids; for batches pass srgen_config=")
        last_stop = self._last_stop
        if last_stop is None or not last_stop.is_continued_by(prompt[0].tolist()):
            last_stop, self.entropy_history = None, []
        if temperature is None:
            temperature = environment_temperature() if explicit is None else sampling_temperature(self, arguments)
        step = EntropyControlPass(
            self,
            config,
            temperature=temperature,
            end=min(ends),
            history=self.entropy_history,
            last_stop=last_stop if self.prompt_only else None,
            tokenizer=marker_tokenizer(config, arguments),
        )
        output = super().generate(inputs, **with_processors(arguments, step))  # type: ignore[misc]
        self.prompt_only = False
        self.reflection, self._last_stop = step.reflection, step.stop
        self.high_entropy_detected = step.stop is not None
        self.high_entropy_position = None if step.stop is None else step.stop.position
        self.delta = step.delta
        return output


def enable_tnot(target: Any) -> Any:
    """SRGen for an Auto class, a model class (also as a decorator) or a loaded model, which is wrapped in place.

    Gives a class whose `from_pretrained` and `from_config` give wrapped models, or the model itself. Raises ConfigError
    for anything that does not generate.
    """
    if isinstance(target, type):
        if issubclass(target, TNOTMixin):
            return target
        is_auto = issubclass(target, _BaseAutoModelClass)
        return _auto_class(target) if is_auto else _model_class(cast(Hashable, target))
    if not isinstance(target, TNOTMixin):
        target.__class__ = _model_class(cast(Hashable, type(target)))
    return target


def disable_tnot(model: Any) -> Any:
    """The model, unwrapped in place: its class is its own again, and nothing of SRGen is left on it."""
    if isinstance(model, TNOTMixin):
        for name in TNOTMixin.__annotations__:
            model.__dict__.pop(name, None)
        model.__class__ = _wrapped_class(type(model))
    return model


def _auto_class(auto: type) -> type:
    def wrapping(name: str) -> Any:
        def load(cls: Any, *args: Any, **kwargs: Any) -> Any:
            return enable_tnot(getattr(auto, name)(*args, **kwargs))

        return classmethod(load)

    return type(f"TNOT{auto.__name__}", (auto,), {name: wrapping(name) for name in ("from_pretrained", "from_config")})


@functools.cache
def _model_class(base: Any) -> type:
    if not callable(getattr(base, "generate", None)):
        raise ConfigError(f"enable_tnot takes a causal language model of transformers; {base.__name__} has no generate")
    # The name stays: it is written into the config of a saved model, which must load without this package.
    names = {name: getattr(base, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(base.__name__, (TNOTMixin, base), names)


def _wrapped_class(cls: type) -> type:
    mixed = next(parent for parent in cls.__mro__ if TNOTMixin in parent.__bases__)
    return mixed.__bases__[1]


def _importable(cls: type) -> Any:
    """What pickle would find under a class's name."""
    found: Any = importlib.import_module(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found


def _rebuild(base: type) -> Any:
    return object.__new__(_model_class(cast(Hashable, base)))
