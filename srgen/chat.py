"""Chats and the tokens that frame them: the chat template (or none), its markers, the tokens that end an answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from srgen.engines.base import Message

MARKERS = ("system", "user", "assistant", ":", "\n")


def encode(tokenizer: Any, prompt: str | Sequence[Message] | Sequence[int]) -> list[int]:
    """Token ids of plain text, of a chat with the generation prompt added, or of ids used as they are."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    messages = [item for item in prompt if isinstance(item, Message)]
    if not messages:
        return [item for item in prompt if isinstance(item, int)]
    if not getattr(tokenizer, "chat_template", None):
        return list(tokenizer("\n\n".join(message.content for message in messages) + "\n\n")["input_ids"])
    try:
        text = _render(tokenizer, messages)
    except Exception:
        # Templates refuse a system turn in words of their own; the instructions then lead the first user turn.
        folded = fold_system(messages)
        if folded == messages:
            raise
        text = _render(tokenizer, folded)
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """The chat with its leading system turn moved into the first user turn."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return list(messages)
    system, user, *rest = messages
    return [Message("user", f"{system.content}\n\n{user.content}"), *rest]


def marker_tokens(tokenizer: Any) -> frozenset[int]:
    """First tokens of the chat markers that `mask_special_tokens` leaves out of the CE labels."""
    encoded = (tokenizer(marker, add_special_tokens=False)["input_ids"] for marker in MARKERS)
    return frozenset(ids[0] for ids in encoded if ids)


def token_set(tokens: int | Collection[int] | None) -> frozenset[int]:
    """End tokens as transformers gives them (none, one or several) as a set."""
    if tokens is None:
        return frozenset()
    return frozenset([tokens] if isinstance(tokens, int) else tokens)


def _render(tokenizer: Any, messages: Sequence[Message]) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
