"""`srgen.generate`: prompts in, completions out, for a model that is already loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from srgen.config import Sampling, SRGenConfig
from srgen.engines.base import Completion, Message, Request

if TYPE_CHECKING:
    from srgen.logits_processor import SRGenLogitsProcessor

Prompt = str | Sequence[Message] | Sequence[int]


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    config: SRGenConfig | None = None,
    sampling: Sampling | None = None,
    *,
    seed: int = 0,
    batch_size: int = 8,
) -> list[Completion]:
    """Complete prompts (text, chats or token ids) in the order given; `config` None generates without SRGen.

    Up to `batch_size` are decoded together. Sample i draws from a stream of its own, seeded with seed + i. Raises
    UnsupportedModelError for a head or a cache that SRGen cannot work on.
    """
    # Imported here, as an engine is: `import srgen` does without transformers.
    from srgen.engines.transformers.engine import TransformersEngine

    requests = [
        Request(
            id=str(index),
            prompt=prompt if isinstance(prompt, str) else tuple(prompt),  # type: ignore[arg-type]
            sampling=sampling or Sampling(),
            seed=seed + index,
            srgen=config,
        )
        for index, prompt in enumerate(prompts)
    ]
    engine = TransformersEngine(model, tokenizer, batch_size)
    try:
        completions = {completion.id: completion for completion in engine.generate(requests)}
    finally:
        engine.close()
    return [completions[request.id] for request in requests]


def generate_in_place(
    model: Any, srgen_config: SRGenConfig | None, **arguments: Any
) -> tuple[Any, SRGenLogitsProcessor]:
    """`model.generate(**arguments)` with reflection in place, and the processor with its records.

    What `model.generate(..., custom_generate=...)` of the folder `custom_generate/` calls.
    """
    from srgen.engines.released.tnot_settings import in_place_processor, with_processors

    processor = in_place_processor(model, srgen_config or SRGenConfig(), arguments)
    # Of the class: a model whose own repository holds the folder has that in place of its `generate`.
    return type(model).generate(model, **with_processors(arguments, processor)), processor
