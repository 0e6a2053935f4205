"""Named operations with arguments of their own: functions, series, integrals, limits, residues."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from evaluators.grading.algebra.cursor import Cursor
from evaluators.grading.algebra.lexer import FUNCTIONS, Token
from evaluators.grading.algebra.limits import NotMathError
from evaluators.grading.algebra.nodes import Call, Node, Num, Sym
from evaluators.grading.algebra.rewrite import rename

_TRIGONOMETRIC = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])
_BOUND_OPERATIONS = frozenset({"sum", "prod", "int", "lim"})
_DIFFERENTIAL = "\x1d"
"""Stands for the d of an integral's variable."""


class OperationParser(Cursor, ABC):
    """Functions and operations that bind a variable; terms and atoms are the subclass's."""

    def __init__(self, found: list[Token]) -> None:
        super().__init__(found)
        self._trigonometric = False
        self._bound = 0

    @abstractmethod
    def sum(self) -> Node:
        """Terms joined by signs."""

    @abstractmethod
    def term(self) -> Node:
        """Factors side by side."""

    @abstractmethod
    def power(self) -> Node:
        """An atom with what is raised or postfixed."""

    @abstractmethod
    def atom(self) -> Node:
        """What cannot be taken apart."""

    @abstractmethod
    def argument(self) -> Node:
        """A TeX argument: a group, or one digit, letter or command."""

    @abstractmethod
    def exponent(self) -> Node:
        """What is raised."""

    @abstractmethod
    def group(self, closing: str) -> Node:
        """What stands before `closing`, which is consumed."""

    @abstractmethod
    def starts_factor(self) -> bool:
        """Whether another factor stands next."""

    def function(self, name: str) -> Node:
        """What stands behind a function's name."""
        if name in ("sqrt", "cbrt"):
            index: Node = Num(Fraction(2 if name == "sqrt" else 3))
            if name == "sqrt" and self.accept("["):
                index = self.group("]")
            return Call("root", (self.atom(), index))
        base = self.argument() if self.accept("_") else None
        power = self.exponent() if self.accept("^") else None
        return _apply(name, self._function_argument(name), base, power)

    def bound_operation(self, name: str) -> Node:
        """A series, an integral or a limit; its variable is renamed, for its name is free."""
        self._bound += 1
        node = {"int": self._integral, "lim": self._limit}.get(name, lambda: self._series(name))()
        self._bound -= 1
        return node

    def _function_argument(self, name: str) -> Node:
        outer, self._trigonometric = self._trigonometric, self._trigonometric or name in _TRIGONOMETRIC
        node = self.atom() if self.peek() in ("(", "{", "[", "|", "\\lvert") else self._bare_argument()
        self._trigonometric = outer
        return node

    def _bare_argument(self) -> Node:
        """`\\sin 2x \\cos y`: factors up to the next function."""
        if self.accept("-"):
            return Call("neg", (self._bare_argument(),))
        node = self.power()
        while self.starts_factor() and not self._starts_function() and self.peek() not in ("(", "["):
            node = Call("mul", (node, self.power()))
        return node

    def _starts_function(self) -> bool:
        return self.current.kind == "command" and self.current.value in (FUNCTIONS | _BOUND_OPERATIONS) - {"sqrt"}

    def _bound_name(self) -> str:
        return f"bound{self._bound}"

    def _series(self, name: str) -> Node:
        """`\\sum_{k=1}^{n} body` as (variable, low, high, body)."""
        self.expect("_")
        self.expect("{")
        variable = self.atom()
        self.expect("=")
        low = self.group("}")
        self.expect("^")
        high = self.argument()
        body = self.term()
        if not isinstance(variable, Sym):
            raise NotMathError("a series without a variable")
        bound = self._bound_name()
        return Call(name, (Sym(bound), low, high, rename(body, variable.name, bound)))

    def _integral(self) -> Node:
        """`\\int_a^b body dx` as (variable, low, high, body); without bounds as (variable, body)."""
        bounds: tuple[Node, ...] = ()
        if self.accept("_"):
            low = self.argument()
            self.expect("^")
            bounds = (low, self.argument())
        variable = self._mark_differential()
        body = self.sum() if self.peek() != _DIFFERENTIAL else Num(Fraction(1))
        self.expect(_DIFFERENTIAL)
        bound = self._bound_name() if bounds else variable
        return Call("integral", (Sym(bound), *bounds, rename(body, variable, bound)))

    def _mark_differential(self) -> str:
        """Replace the d and the letter behind it, at this depth, by one token; returns the letter."""
        depth = 0
        for index in range(self._position, len(self._tokens) - 1):
            token, following = self._tokens[index : index + 2]
            depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(token.value, 0)
            if depth < 0 or (depth == 0 and token.value == "int"):
                break
            if depth == 0 and (token.kind, token.value) == ("letter", "d") and following.kind in ("letter", "command"):
                self._tokens[index : index + 2] = [Token("symbol", _DIFFERENTIAL)]
                return following.value
        raise NotMathError("an integral without its variable")

    def _limit(self) -> Node:
        """`\\lim_{x \\to a} body` as (variable, target, body)."""
        self.expect("_")
        self.expect("{")
        variable = self.atom()
        self.expect("\\to")
        target = self.group("}")
        if not isinstance(variable, Sym):
            raise NotMathError("a limit without a variable")
        bound = self._bound_name()
        return Call("limit", (Sym(bound), target, rename(self.term(), variable.name, bound)))


def _apply(name: str, argument: Node, base: Node | None, power: Node | None) -> Node:
    inverse = Call("neg", (Num(Fraction(1)),))
    if power == inverse and name in _TRIGONOMETRIC:
        return Call("arc" + name, (argument,))
    args = getattr(argument, "items", (argument,)) if name in ("max", "min", "gcd", "lcm") else (argument,)
    node = Call(name, (*args, base) if base is not None else tuple(args))
    return Call("pow", (node, power)) if power is not None else node
