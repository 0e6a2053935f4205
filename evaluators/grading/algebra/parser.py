"""Recursive descent from tokens to nodes: structures here, expressions in `expression`."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from evaluators.grading.algebra.atoms import repeating_last
from evaluators.grading.algebra.clean import ROW
from evaluators.grading.algebra.expression import ExpressionParser
from evaluators.grading.algebra.lexer import tokens
from evaluators.grading.algebra.limits import MAX_ANSWER, NotMathError
from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Domain,
    Family,
    Listing,
    Matrix,
    Node,
    Num,
    Percent,
    Quantity,
    Relation,
    SetOperation,
    Text,
)
from evaluators.grading.algebra.numerals import SCALES
from evaluators.grading.algebra.sequences import DOTS
from evaluators.grading.algebra.sequences import items as written_out
from evaluators.grading.algebra.words import PERCENT_WORDS, as_word, normal_words

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "\\lt": "<", "\\gt": ">", "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\in": "in",
    "\\equiv": "=",
}  # fmt: skip
_SET_OPERATIONS: dict[str, Literal["union", "intersection", "difference"]] = {
    "\\cup": "union",
    "\\cap": "intersection",
    "\\setminus": "difference",
}
_MODULI = {"\\pmod": "residue", "\\bmod": "mod", "\\mod": "mod"}
_CONDITIONALS = frozenset({"if", "when", "for", "where", "whenever"})
_OTHERWISE = frozenset({"otherwise", "else", "in all other case"})
_JOINERS: dict[str, Literal["and", "or"]] = {"and": "and", "or": "or", "\\wedge": "and", "\\vee": "or"}


def parse(text: str) -> Node:
    """The structure of a cleaned answer. Raises NotMathError when it is none or exceeds a limit."""
    if len(text) > MAX_ANSWER:
        raise NotMathError("too long")
    word = as_word(text)
    if word is not None:
        return Text(word)
    return _Parser(tokens(text)).whole()


def _exponent(node: Node) -> str:
    return str(node.value) if isinstance(node, Num) else "?"


def _scaled(node: Node, words: list[str]) -> tuple[Node, list[str]]:
    """A value with the scale words behind it: `8 million dollars` is 8,000,000 dollars."""
    used = 0
    while used < len(words) and words[used].removesuffix("s") in SCALES:
        node = Call("mul", (node, Num(Fraction(SCALES[words[used].removesuffix("s")]))))
        used += 1
    if words[used:] == ["repeating"] and isinstance(node, Num) and node.places:
        return repeating_last(node), []
    return node, words[used:]


class _Parser(ExpressionParser):
    """Lists, relations, sets, intervals and matrices."""

    def whole(self) -> Node:
        node = self.listing()
        if self.current.kind != "end":
            raise NotMathError(f"unexpected {self.current.value!r}")
        return node

    def listing(self) -> Node:
        """Items between commas, `and`, `or`; a single item is itself."""
        items, joiner = [self._relation()], ","
        while (found := self._separator()) is not None:
            joiner = found if found != "," else joiner
            if self._at_end_of_list():
                break
            items.append(self._relation())
        if len(items) == 1:
            return items[0]
        if DOTS in items:
            items = list(written_out(items))
        return Listing(tuple(items), "or" if joiner == "or" else "and" if joiner == "and" else ",")

    def group(self, closing: str) -> Node:
        """What stands before `closing`, which is consumed."""
        with self.deeper():
            node = self.listing()
        self.expect(closing)
        return node

    def bracket(self, opening: str) -> Node:
        """`(...)`, `[...]`, `(...]`, `[...)`; round and square brackets around one value only group it."""
        with self.deeper():
            content = self.listing()
        closing = self.take().value
        closing = {"\\rangle": ")", "\\rbrack": "]"}.get(closing, closing)
        if closing not in (")", "]", "["):
            raise NotMathError("a bracket is not closed")
        if isinstance(content, Listing) and not content.braced:
            return Bracket(opening, closing, content.items)
        if (opening, closing) in (("(", ")"), ("[", "]")):
            return content
        raise NotMathError("brackets do not match")

    def braces(self) -> Node:
        r"""`\{...\}`: a finite set, or a family given by a condition."""
        if self.accept("\\}"):
            return Domain("empty")
        self._bars += 1
        with self.deeper():
            body = self.listing()
            if self.peek() in ("|", ":", "\\mid", "\\colon", "\\lvert"):
                self.take()
                node: Node = Family(body, self.listing())
            else:
                node = Listing(body.items if isinstance(body, Listing) else (body,), braced=True)
        self._bars -= 1
        self.expect("\\}")
        return node

    def matrix(self) -> Node:
        r"""Behind `\begin`: the rows of a matrix, or the determinant between bars."""
        name = self.environment()
        if name in ("case", "dcase"):
            return self._cases()
        if name not in ("pmatrix", "bmatrix", "matrix", "Bmatrix", "vmatrix", "smallmatrix", "array"):
            raise NotMathError(f"environment {name}")
        if name == "array" and self.peek() == "{":
            self.environment()
        rows: list[tuple[Node, ...]] = []
        with self.deeper():
            while self.peek() != "\\end":
                cells = [self.listing()]
                while self.accept("&"):
                    cells.append(self.listing())
                rows.append(tuple(cells))
                while self.accept(ROW):
                    pass
        self.take()
        self.environment()
        if len({len(row) for row in rows}) != 1:
            raise NotMathError("rows of different lengths")
        node = Matrix(tuple(rows))
        return Call("det", (node,)) if name == "vmatrix" else node

    def _cases(self) -> Node:
        """A piecewise definition as (value, condition, value, condition, ...)."""
        branches: list[Node] = []
        with self.deeper():
            while self.peek() != "\\end":
                value = self._relation()
                self._skip_punctuation()
                separated = self.accept("&")
                while self.accept("&"):
                    separated = True
                branches += [value, self._condition() if separated else Text("otherwise")]
                self._skip_punctuation()
                while self.accept(ROW):
                    pass
        self.take()
        self.environment()
        return Call("cases", tuple(branches))

    def _condition(self) -> Node:
        """`if x > 0`, `n even`, `otherwise`: without the word that introduces it."""
        while self.at("text") and self.peek() in _CONDITIONALS:
            self.take()
        if self.at("text") and self.peek() in _OTHERWISE:
            self.take()
            return Text("otherwise")
        condition = self.listing()
        if isinstance(condition, Quantity) and (parity := condition.unit.removeprefix("is ")) in ("even", "odd"):
            return Call(parity, (condition.value,))
        if isinstance(condition, Listing) and condition.items[-1] == Text("otherwise"):
            return Text("otherwise")
        return condition

    def _skip_punctuation(self) -> None:
        while self.peek() in (",", ";", "."):
            self.take()

    def _relation(self) -> Node:
        sides, ops = [self._ratio()], []
        while (op := _RELATIONS.get(self.peek())) is not None:
            self.take()
            side = self._ratio()
            sides.append(side)
            ops.append(op)
        return Relation(tuple(sides), tuple(ops)) if ops else sides[0]

    def _ratio(self) -> Node:
        """`11:21`; between set braces the colon introduces a condition."""
        parts = [self._side()]
        while self._bars == 0 and self.peek() in (":", "\\colon"):
            self.take()
            parts.append(self._side())
        return Relation(tuple(parts), (":",) * (len(parts) - 1)) if len(parts) > 1 else parts[0]

    def _side(self) -> Node:
        """One side of a relation, with its unit."""
        if self.at("text") and self.peek() not in _JOINERS:
            return self._text()
        node = self._set_expression()
        if self.accept("%"):
            node = Percent(node)
        if self.peek() in _MODULI:
            operation = _MODULI[self.take().value]
            node = Call(operation, (node, self.argument() if self.peek() == "{" else self.term()))
        if self.at("text") and self.peek() not in _JOINERS:
            node = self._with_unit(node)
        return node

    def _set_expression(self) -> Node:
        node = self.sum()
        while (op := _SET_OPERATIONS.get(self.peek())) is not None:
            self.take()
            node = SetOperation(op, (node, self.sum()))
        return node

    def _text(self) -> Node:
        words = []
        while self.at("text") and self.peek() not in _JOINERS:
            words.append(self.take().value)
        return Text(normal_words(" ".join(words)))

    def _with_unit(self, node: Node) -> Node:
        """Words behind a value: a per cent sign, a unit with its exponent, or a remark in parentheses."""
        words = []
        while self.at("text") and self.peek() not in _JOINERS:
            if self.peek().startswith("("):
                self.skip_rest()
                break
            words.append(self.take().value)
            if self.accept("^"):
                words.append(f"^{_exponent(self.argument())}")
            if self.accept("/") and self.at("letter"):
                words[-1] += "/" + self.take().value
        node, words = _scaled(node, " ".join(words).split())
        phrase = " ".join(words)
        if not self._at_end_of_side():
            raise NotMathError("words inside an expression")
        if phrase in PERCENT_WORDS:
            return Percent(node)
        return Quantity(node, phrase) if phrase and not isinstance(node, Percent) else node

    def _separator(self) -> str | None:
        """Consume a comma, a semicolon or a joiner (or a comma with a joiner)."""
        found: str | None = None
        while self.peek() in (",", ";") or self.peek() in _JOINERS:
            found = _JOINERS.get(self.take().value, found if found in ("and", "or") else ",")
        return found

    def _at_end_of_list(self) -> bool:
        return self.current.kind == "end" or self.peek() in (")", "]", "}", "\\}", "&", ROW, "\\end")

    def _at_end_of_side(self) -> bool:
        at_separator = self.peek() in (",", ";", "|", "\\mid") or self.peek() in _JOINERS
        return at_separator or self._at_end_of_list() or self.peek() in (*_RELATIONS, ":")
