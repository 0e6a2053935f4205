"""How many responses of a model are well-formed, counted on samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluators.grading.answer.tags import opening, parse
from training.model import load_model
from training.questions import Prompt, rendered
from training.session import Session
from training.settings import TrainingConfig

BATCH = 32
"""Responses that are sampled at once."""


def well_formed(session: Session, model_path: str, prompts: Sequence[Prompt]) -> int:
    """The number of well-formed responses to these prompts, one sample each, by the model in that folder."""
    import torch
    from accelerate import PartialState

    settings, tokenizer = session.settings, session.tokenizer
    model = load_model(model_path, settings).to(PartialState().device).eval()
    texts = [rendered(tokenizer, prompt) for prompt in prompts]
    count = 0
    torch.manual_seed(settings.seed)
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        responses = _sample(model, tokenizer, batch, settings)
        count += sum(parse(said, opening(text)).well_formed for said, text in zip(responses, batch, strict=True))
    return count


def _sample(model: Any, tokenizer: Any, texts: Sequence[str], settings: TrainingConfig) -> list[str]:
    import torch

    # A template writes the special tokens itself.
    inputs = tokenizer(
        list(texts), return_tensors="pt", padding=True, add_special_tokens=not tokenizer.chat_template
    ).to(model.device)
    with torch.no_grad():
        tokens = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=True,
            temperature=settings.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=settings.max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    responses: list[str] = tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return responses
