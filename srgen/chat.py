"""Chats and the tokens that frame them: the chat template (or none), its markers, the tokens that end an answer."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from srgen.engines.base import Message, Request
from srgen.errors import ConfigError

MARKERS = ("system", "user", "assistant", ":", "\n")


def encode_request(tokenizer: Any, request: Request) -> list[int]:
    """Token ids of a request's prompt. Raises ConfigError for arguments that the chat template does not know."""
    arguments = json.loads(request.template_arguments or "{}")
    return encode(tokenizer, request.prompt, arguments, request.prefix)


def encode(
    tokenizer: Any,
    prompt: str | Sequence[Message] | Sequence[int],
    template_arguments: Mapping[str, Any] = MappingProxyType({}),
    prefix: str = "",
) -> list[int]:
    """Token ids of plain text, of a chat with the generation prompt added, or of ids used as they are.

    `prefix` is the answer's beginning. Raises ConfigError for `template_arguments` that the template does not know.
    """
    if isinstance(prompt, str):
        return list(tokenizer(prompt + prefix)["input_ids"])
    messages = [item for item in prompt if isinstance(item, Message)]
    if not messages:
        ids = [item for item in prompt if isinstance(item, int)]
        return ids + list(tokenizer(prefix, add_special_tokens=False)["input_ids"]) if prefix else ids
    if template_arguments:
        check_template_arguments(tokenizer, template_arguments)
    if not getattr(tokenizer, "chat_template", None):
        text = "\n\n".join(message.content for message in messages) + "\n\n"
        return list(tokenizer(text + prefix)["input_ids"])
    try:
        text = _render(tokenizer, messages, template_arguments)
    except Exception:
        # Templates refuse a system turn in words of their own; the instructions then lead the first user turn.
        folded = fold_system(messages)
        if folded == messages:
            raise
        text = _render(tokenizer, folded, template_arguments)
    text = text if text.rstrip().endswith(prefix.strip() or "\0") else text + prefix
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def check_template_arguments(tokenizer: Any, arguments: Mapping[str, Any]) -> None:
    """Raise ConfigError for an argument that the chat template does not read: it would be ignored without a word."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        raise ConfigError("chat_template_kwargs need a chat template, and this model has none")
    source = tokenizer.get_chat_template() if hasattr(tokenizer, "get_chat_template") else template
    known = _variables(source)
    for name in arguments:
        if name not in known:
            raise ConfigError(
                f"the model's chat template knows no argument {name!r}; it reads {', '.join(sorted(known)) or 'none'}"
            )


@functools.cache
def _variables(template: str) -> frozenset[str]:
    """The names that a chat template takes from outside, without those that every template is given."""
    # Comes with every way of rendering a template.
    from jinja2 import meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    # transformers' own tag, around what the assistant says.
    plain = re.sub(r"{%-?\s*(end)?generation\s*-?%}", "", template)
    found = meta.find_undeclared_variables(environment.parse(plain))
    return frozenset(found - {"messages", "add_generation_prompt", "raise_exception", "strftime_now"})


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


def _render(tokenizer: Any, messages: Sequence[Message], arguments: Mapping[str, Any]) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **arguments))
