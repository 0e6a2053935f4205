"""The one page that the report writes and the view serves, from the files in `web/`; nothing in it is fetched."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from evaluators.presentation.documents.plain_json import to_json

ENTRY = "main.js"
_IMPORT = re.compile(r'^import \{(?:(?! as )[^}])*\} from "\./([\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def render(settings: Mapping[str, Any], nonce: str, documents: Mapping[str, str] | None = None) -> str:
    """The page; `settings` say where it finds its documents, `documents` are embedded as text by element id."""
    embedded = "\n".join(
        f'<script type="text/plain" id="{name}">{text}</script>' for name, text in (documents or {}).items()
    )
    live = settings["kind"] == "live"
    parts = {
        "policy": policy(nonce, live=live),
        "nonce": nonce,
        "early": f'<script nonce="{nonce}">{_file("early.js")}</script>' if live else "",
        "style": _file("page.css"),
        "settings": to_json(dict(settings)),
        "documents": embedded,
        "temml": _file("vendor/temml/temml.min.js"),
        "program": program(),
    }
    return _PLACE.sub(lambda found: parts[found[1]], _file("page.html"))


def policy(nonce: str, *, live: bool) -> str:
    """The page's Content-Security-Policy: its own style, program and pictures; its server where it is live."""
    connect = "connect-src 'self'; " if live else ""
    return (
        f"default-src 'none'; {connect}img-src data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "base-uri 'none'; form-action 'none'"
    )


@functools.cache
def program() -> str:
    """All modules as one, each after those that it imports: a file that is opened from a disk may not import others.

    The modules' own names must differ, which is checked. Raises ValueError.
    """
    texts: dict[str, str] = {}
    _gather(ENTRY, texts, ())
    names: dict[str, str] = {}
    for module, text in texts.items():
        for name in _TOP_LEVEL.findall(text):
            if name in names:
                raise ValueError(f"{name} is a name in {names[name]} and in {module}")
            names[name] = module
    return "\n".join(texts.values())


def _gather(module: str, texts: dict[str, str], path: tuple[str, ...]) -> None:
    if module in path:
        raise ValueError(f"modules import each other: {' -> '.join((*path, module))}")
    if module in texts:
        return
    text = _file(module)
    for needed in _IMPORT.findall(text):
        _gather(needed, texts, (*path, module))
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    if re.search(r"^\s*(?:import|export)\b", text, re.MULTILINE):
        raise ValueError(f"{module} has an import or export that is not of the simple form")
    texts[module] = text


@functools.cache
def _file(name: str) -> str:
    text = resources.files("evaluators.presentation").joinpath("web", name).read_text("utf-8")
    if name.endswith((".js", ".css")) and re.search(r"</(?:script|style)", text, re.IGNORECASE):
        raise ValueError(f"{name} holds the end of a script or style")
    return text
