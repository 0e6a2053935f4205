"""A position in a list of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evaluators.grading.algebra.lexer import Kind, Token
from evaluators.grading.algebra.limits import MAX_DEPTH, NotMathError


class Cursor:
    """Looks at tokens one by one, and counts how deep they nest."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0
        self._depth = 0

    @property
    def current(self) -> Token:
        """The token that stands next."""
        return self._tokens[self._position]

    def peek(self) -> str:
        """The current token as one string; commands keep their backslash."""
        token = self.current
        if token.kind == "command":
            return token.value if token.value.startswith("\\") else "\\" + token.value
        return token.value if token.kind in ("symbol", "text") else ""

    def take(self) -> Token:
        """Consume the current token; its value is as `peek` gives it. Raises NotMathError at the end."""
        token = self._tokens[self._position]
        if token.kind == "end":
            raise NotMathError("unexpected end")
        value = self.peek() or token.value
        self._position += 1
        return Token(token.kind, value, token.spaced)

    def accept(self, value: str) -> bool:
        """Consume the current token if it is this symbol or command."""
        if self.current.kind in ("symbol", "command") and self.peek() == value:
            self._position += 1
            return True
        return False

    def at(self, kind: Kind) -> bool:
        """Whether a token of this kind stands next."""
        return self.current.kind == kind

    def expect(self, value: str) -> None:
        """Consume this symbol or command. Raises NotMathError where another token stands."""
        if not self.accept(value):
            raise NotMathError(f"expected {value!r}, found {self.current.value!r}")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of nesting more. Raises NotMathError beyond MAX_DEPTH."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotMathError("nested too deeply")
        yield
        self._depth -= 1

    def skip_rest(self) -> None:
        """Leave out everything that follows."""
        self._position = len(self._tokens) - 1
