"""Recursive descent over scalar expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from evaluators.grading.algebra import atoms
from evaluators.grading.algebra.lexer import FUNCTIONS, Token
from evaluators.grading.algebra.limits import NotMathError
from evaluators.grading.algebra.nodes import Call, Domain, Node, Num, Quantity, Sym
from evaluators.grading.algebra.operations import OperationParser
from evaluators.grading.algebra.sequences import DOTS, series

_ACCENTS = frozenset({
    "vec", "hat", "bar", "overline", "overrightarrow", "tilde", "widehat", "dot", "overleftrightarrow", "widetilde",
})  # fmt: skip
_SEGMENTS = frozenset({"overline", "bar"})
_SIGNS = {"+": "add", "-": "sub", "\\pm": "pm", "\\mp": "mp"}
_NO_FUNCTIONS = frozenset({Sym("e"), Sym("i"), Sym("pi"), Sym("infty"), DOTS})
_SILENT = frozenset({"angle", "triangle", "measuredangle", "square", "sphericalangle"})
_SYMBOLS = frozenset({
    "pi", "theta", "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "kappa", "lambda", "mu", "nu", "xi",
    "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "infty", "ell", "Gamma", "Delta", "Theta", "Lambda", "Xi",
    "Pi", "Sigma", "Phi", "Psi", "Omega", "ldots", "hbar", "imath",
})  # fmt: skip
_FENCES = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceil"), "\\lvert": ("\\lvert", "abs")}
_OPENERS = frozenset({"(", "[", "{", "\\{", "\\langle", "\\lbrack", "\\begin"})
_MULTIPLY = frozenset({"*", "\\cdot", "\\times"})
_PREFIXES = frozenset({"frac", "binom", "sum", "prod", "int", "lim"})
_SET_COMMANDS = frozenset({"\\emptyset", "\\mathbb", "\\mathcal"})


class ExpressionParser(OperationParser, ABC):
    """Sums, products, powers and atoms; what stands in brackets is the subclass's."""

    def __init__(self, found: list[Token]) -> None:
        super().__init__(found)
        self._bars = 0

    @abstractmethod
    def listing(self) -> Node:
        """Items between commas; a single item is itself."""

    @abstractmethod
    def bracket(self, opening: str) -> Node:
        """What stands behind an opening bracket, up to its closing one."""

    @abstractmethod
    def braces(self) -> Node:
        """What stands behind an opening brace of a set."""

    @abstractmethod
    def matrix(self) -> Node:
        """The environment behind its `begin`."""

    def sum(self) -> Node:
        """Terms joined by + - and the two signs at once."""
        first = _SIGNS.get(self.peek())
        if first is not None:
            self.take()
            term = self.term()
            node = term if first == "add" else Call("neg" if first == "sub" else first, (term,))
        else:
            node = self.term()
        terms, dotted = [node], node == DOTS
        while (sign := _SIGNS.get(self.peek())) is not None:
            self.take()
            term = self.term()
            node = Call(sign, (node, term))
            terms.append(term if sign == "add" or term == DOTS else Call("neg", (term,)))
            dotted = dotted or term == DOTS
        return series("sum", terms) if dotted and len(terms) > 1 else node

    def term(self) -> Node:
        """Factors side by side, multiplied or divided."""
        node = self._factor()
        factors, dotted = [node], False
        while True:
            if self.peek() in _MULTIPLY:
                self.take()
                factor = self._factor()
            elif self.peek() in ("/", "\\div"):
                self.take()
                node = Call("div", (node, self._factor()))
                continue
            elif self.starts_factor():
                factor = self.power()
            else:
                break
            dotted = dotted or factor == DOTS
            factors.append(factor)
            node = Call("mul", (node, factor))
        return series("prod", factors) if dotted else node

    def _factor(self) -> Node:
        if self.accept("-"):
            return Call("neg", (self._factor(),))
        if self.accept("+"):
            return self._factor()
        return self.power()

    def starts_factor(self) -> bool:
        """Whether another factor stands next, without a sign between."""
        token = self.current
        if token.kind in ("letter", "based"):
            return True
        if token.kind == "number":
            return self._tokens[self._position - 1].value in (")", "}", "\\}") or self._previous_is_symbol()
        peeked = self.peek()
        if peeked in ("|", "\\lvert"):
            return self._bars == 0
        if token.kind == "symbol":
            return peeked in _OPENERS
        name = peeked.removeprefix("\\")
        fence = peeked in _FENCES
        known = name in FUNCTIONS or name in _SYMBOLS or name in _ACCENTS or name in _PREFIXES
        return token.kind == "command" and (known or fence or peeked in _OPENERS or name in _SILENT)

    def _previous_is_symbol(self) -> bool:
        return self._tokens[self._position - 1].kind in ("letter", "command")

    def power(self) -> Node:
        """An atom with what is raised or postfixed; a symbol before a parenthesis may be a function's name."""
        node = self._power()
        named = node.args[0] if isinstance(node, Call) and node.op == "pow" else node
        if isinstance(named, Sym) and named not in _NO_FUNCTIONS and self.peek() == "(":
            argument = self._power()
            if isinstance(argument, Call) and argument.op == "pow":
                return Call("mul", (node, argument))
            return Call("apply", (node, argument))
        return node

    def _power(self) -> Node:
        base = self._postfix(self.atom())
        if not self.accept("^"):
            return base
        if self.accept("\\circ") or self.accept("\\degree"):
            return self._postfix(self._degrees(base))
        if self._is_degree_group():
            self._position += 3
            return self._postfix(self._degrees(base))
        exponent = self.exponent()
        return self._postfix(Call("pow", (base, exponent)))

    def _is_degree_group(self) -> bool:
        values = [t.value for t in self._tokens[self._position : self._position + 3]]
        return values in (["{", "circ", "}"], ["{", "degree", "}"])

    def _degrees(self, base: Node) -> Node:
        if not self._trigonometric:
            return Quantity(base, "degree")
        return Call("div", (Call("mul", (base, Sym("pi"))), Num(Fraction(180))))

    def exponent(self) -> Node:
        """What is raised: a group, or a number with its sign; towers go to the right."""
        if self.accept("-"):
            return Call("neg", (self.exponent(),))
        self.accept("+")
        node = self.atom() if self.peek() != "{" else self.argument()
        if self.accept("^"):
            return Call("pow", (node, self.exponent()))
        return node

    def _postfix(self, node: Node) -> Node:
        while True:
            if self.accept("!"):
                node = Call("doublefactorial" if self.accept("!") else "factorial", (node,))
            elif self.accept("'"):
                if not isinstance(node, Sym):
                    raise NotMathError("a prime behind an expression")
                node = Sym(node.name + "'")
            elif self.accept("\\degree"):
                node = self._degrees(node)
            else:
                return node

    def argument(self) -> Node:
        """A TeX argument: a group, or one digit, letter or command."""
        if self.accept("{"):
            return self.group("}")
        token = self.current
        if token.kind == "number" and len(token.value) > 1 and token.value.isdigit():
            self._tokens[self._position] = Token("number", token.value[1:])
            return atoms.number(token.value[0])
        return self.atom()

    def atom(self) -> Node:  # noqa: PLR0911 -- one return per kind of token
        """A number, a symbol, a command with its arguments, or what stands in brackets."""
        token = self.take()
        with self.deeper():
            if token.kind == "number":
                return self._number(token.value)
            if token.kind == "based":
                return atoms.based(token.value)
            if token.kind == "letter":
                return self._subscripted(token.value)
            if token.value in ("(", "\\langle"):
                return self.bracket("(")
            if token.value in ("[", "\\lbrack", "]"):
                return self.bracket("[" if token.value != "]" else "]")
            if token.value == "{":
                return self.group("}")
            if token.value == "\\{":
                return self.braces()
            if token.value == "|":
                return self._fenced("|", "abs")
            if token.kind == "command":
                return self._command(token.value.removeprefix("\\"))
        raise NotMathError(f"unexpected {token.value!r}")

    def _fenced(self, closing: str, op: str) -> Node:
        self._bars += 1
        node = self.sum()
        self._bars -= 1
        self.expect(closing)
        return Call(op, (node,))

    def _number(self, text: str) -> Node:
        if self.peek() in ("\\overline", "\\dot", "\\bar") and "." in text:
            self.take()
            return atoms.repeating(text, self.plain_argument())
        if "." in text and self.accept("\\ldots"):
            return atoms.continued(text)
        value = atoms.number(text)
        return self._mixed(value) if text.isdigit() else value

    def _mixed(self, whole: Num) -> Node:
        """`2 1/2` and `2 \\frac{1}{2}` are sums where the fraction is a proper one."""
        start = self._position
        following = self._tokens[start : start + 3]
        if [t.kind for t in following] == ["number", "symbol", "number"] and following[1].value == "/":
            fraction = Fraction(int(following[0].value), int(following[2].value) or 1)
            if fraction < 1:
                self._position += 3
                return Call("mixed", (whole, Num(fraction)))
            raise NotMathError("two numbers side by side")
        if self.accept("\\frac"):
            match self._fraction():
                case Call(args=(Num(value=above, places=None), Num(value=below, places=None))) if 0 < above < below:
                    return Call("mixed", (whole, Num(above / below)))
            self._position = start
        return whole

    def _fraction(self) -> Node:
        return Call("div", (self.argument(), self.argument()))

    def _subscripted(self, name: str) -> Sym:
        return Sym(f"{name}_{self.plain_argument()}") if self.accept("_") else Sym(name)

    def plain_argument(self) -> str:
        """A TeX argument as plain text: a subscript, the digits of a period, the letters below an accent."""
        if not self.accept("{"):
            return self.take().value
        parts, depth = [], 1
        while depth:
            value = self.take().value
            depth += {"{": 1, "}": -1}.get(value, 0)
            parts.append(value)
        return "".join(parts[:-1])

    def environment(self) -> str:
        """The name of an environment, or its column format."""
        return self.plain_argument()

    def _command(self, name: str) -> Node:  # noqa: PLR0911 -- one return per command
        if name == "frac":
            return self._fraction()
        if name in FUNCTIONS:
            return self.function(name)
        if name == "binom":
            return Call("binom", (self.argument(), self.argument()))
        if name in ("sum", "prod", "int", "lim"):
            return self.bound_operation(name)
        if name in _SYMBOLS:
            return self._subscripted({"imath": "i"}.get(name, name))
        if name in _ACCENTS:
            return self._accented(name, self.plain_argument())
        if "\\" + name in _FENCES:
            return self._fenced(*_FENCES["\\" + name])
        if "\\" + name in _SET_COMMANDS:
            return Domain("empty" if name == "emptyset" else self.plain_argument())
        if name == "begin":
            return self.matrix()
        if name in _SILENT:
            return self.power()
        raise NotMathError(f"command {name}")

    def _accented(self, accent: str, letters: str) -> Node:
        """`\\hat{x}` is a symbol of its own; a line over capitals only says that they are a segment."""
        if accent in _SEGMENTS and letters.isalpha() and letters.isupper() and len(letters) == 2:
            return Call("mul", (Sym(letters[0]), Sym(letters[1])))
        return self._subscripted(f"{accent} {letters}")
