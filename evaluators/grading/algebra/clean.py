"""One spelling for each notation: LaTeX synonyms, Unicode and typography, before anything is parsed."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from evaluators.grading.algebra.notation import rewrite
from evaluators.grading.algebra.spellings import COMMANDS, DROPPED, UNICODE

_UNICODE_TABLE = str.maketrans(UNICODE)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile(r"[¼½¾⅐-⅞]")

_COMMAND = re.compile(r"\\([A-Za-z]+)\s*(\*(?=\{))?")
_SPACE_ARGUMENT = re.compile(r"\\[hv]space\*?\s*\{[^{}]*\}|\\phantom\s*\{[^{}]*\}|\\label\s*\{[^{}]*\}")
_COLOUR = re.compile(r"\\(?:textcolor|colorbox|color)\s*\{[^{}]*\}")
_THIN_COMMA = re.compile(r"(?<=\d)\s*(?:\{,\}|,\s*\\!|\\!\s*,|,\s*\\,|\{,\}\\!)\s*(?=\d{3})")
_THIN_SPACE = re.compile(r"(?<=\d)(?:\\[,:;! ]|~|\u202f|\u2009|\u00a0)\s*(?=\d{3}(?!\d))")
_MATH_DELIMITER = re.compile(r"\\[()\[\]]|(?<!\\)\$")
_WRAPPER = re.compile(r"\\(?:boxed|fbox|framebox|underline|mathop|cancel|displaylines)\s*(?=\{)")
_SPACES = re.compile(r"[^\S\x1e]+")
ROW = "\x1e"
"""Stands for the end of a matrix row."""


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """The answer in one spelling, without delimiters, spacing commands and final punctuation. Linear in its length."""
    text = _rows(_plain_unicode(text.replace("\x00", "\ufffd")))
    text = _THIN_SPACE.sub("", _THIN_COMMA.sub("", text))
    text = text.replace(r"\$", " ").replace(r"\%", "%").replace(r"\#", "#").replace(r"\&", "&").replace(r"\_", "_")
    text = _MATH_DELIMITER.sub(" ", _COLOUR.sub("", _SPACE_ARGUMENT.sub(" ", text)))
    text = rewrite(text)
    text = _WRAPPER.sub("", text.replace(r"{:}", ":").replace("{,}", ","))
    text = re.sub(r"\\[!,;:> ]|~|&nbsp;", " ", text)
    text = _COMMAND.sub(_command, text)
    text = text.replace("**", "^") if not text.startswith("**") else text.strip("* ")
    text = text.replace("<=", r"\le ").replace(">=", r"\ge ").replace("!=", r"\ne ").replace("==", "=")
    return trim(_SPACES.sub(" ", text))


def trim(text: str) -> str:
    """Without the punctuation and emphasis that surround an answer in a sentence."""
    text = text.strip().strip("*").strip()
    while (text and text[-1] in ".,;:") or text.endswith("\\\\"):
        text = text[:-1].rstrip("\\ ") if text.endswith("\\") else text[:-1].rstrip()
    return text.lstrip("=:≈ ").strip()


def key(text: str) -> str:
    """A cleaned answer without spaces and redundant braces: equal keys are equal answers."""
    text = re.sub(r"(?<=\\)([A-Za-z]+) (?=[A-Za-z])|(?<=\d) (?=\d)", _kept_space, text)
    text = text.replace(" ", "").replace("\x1f", " ")
    return re.sub(r"(?<=[\^_])\{([A-Za-z0-9])\}", r"\1", text)


def _kept_space(match: re.Match[str]) -> str:
    return (match.group(1) or "") + "\x1f"


def _plain_unicode(text: str) -> str:
    if text.isascii():
        return text
    text = _SUPERSCRIPT_RUN.sub(lambda m: "^{" + m.group().translate(_SUPERSCRIPTS) + "}", text)
    text = _SUBSCRIPT_RUN.sub(lambda m: "_{" + m.group().translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(lambda m: " " + unicodedata.normalize("NFKC", m.group()).replace("⁄", "/"), text)
    return unicodedata.normalize("NFKC", text.translate(_UNICODE_TABLE)).translate(_UNICODE_TABLE)


def _rows(text: str) -> str:
    """Row ends of a matrix become ROW; elsewhere a doubled backslash is an escaped one."""
    if "\\\\" not in text:
        return text
    if "\\begin" in text:
        return re.sub(r"\\\\(?:\s*\[[^\]]*\])?", ROW, text)
    return re.sub(r"\\\\(?=[A-Za-z()\[\]{}%$!,;:])", r"\\", text).replace("\\\\", " ")


def _command(match: re.Match[str]) -> str:
    name = match.group(1)
    if name in DROPPED:
        return " "
    name = COMMANDS.get(name, name)
    return f"\\{name} " if name and name != "%" else name
