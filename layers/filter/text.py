"""CQL2 text (OGC 21-065r2, clause 7 and annex B) to a tree, by operator precedence.

The reader calls itself once or twice for each parenthesis or NOT, and counts how deep it is.
"""

from __future__ import annotations

from collections.abc import Callable

from layers.filter import scalars
from layers.filter.budget import Budget, check_depth
from layers.filter.geometry import Drawing
from layers.filter.tokens import Token, Tokens, unexpected
from layers.filter.tree import Interval, Items, Node, Operation, Property, Shape, Value
from layers.filter.wkt import read_wkt
from layers.filter.words import AND, BETWEEN, CALLED, COMPARISON, GEOMETRIES, IN, IS_NULL, LIKE, NOT, OR

_SIGNS = {**dict.fromkeys(COMPARISON, 4), "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "^": 7}
_WORDS = {"OR": 1, "AND": 2, "DIV": 6}
_TESTS = frozenset({"NOT", "LIKE", "BETWEEN", "IN", "IS"})
_TEST, _NEGATION, _TERM = 4, 3, 5
_UNARY = 7
_DIGITS = 40


def read_text(text: str, budget: Budget, drawing: Drawing) -> Node:
    """Read a filter.

    Raises:
        BadFilter: With the place, when it is not CQL2 text or exceeds the budget.
        BadGeometry: When a geometry in it is not sound.
    """
    return _Reader(Tokens(text), budget, drawing).whole()


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Tokens, budget: Budget, drawing: Drawing) -> None:
        self._tokens, self._depth = tokens, 0
        self._budget, self._drawing = budget, drawing
        self._special: dict[str, Callable[[], Node]] = {
            "DATE": lambda: scalars.date(self._text()),
            "TIMESTAMP": lambda: scalars.timestamp(self._text()),
            "INTERVAL": self._interval,
            "BBOX": self._box,
        }

    def whole(self) -> Node:
        """The filter up to its end."""
        found = self._expression(0)
        self._tokens.expect("end", "")
        return found

    # ------------------------------------------------------------------ expressions

    def _expression(self, least: int) -> Node:
        """An expression of operators that bind at least so strongly."""
        self._depth += 1
        check_depth(self._depth)
        found = self._first()
        while (strength := self._strength()) > 0 and strength >= least:
            found = self._continued(found, strength)
        self._depth -= 1
        return found

    def _strength(self) -> int:
        """How strongly the operator binds that comes next; 0 when none comes."""
        token = self._tokens.next
        if token.type == "sign":
            return _SIGNS.get(token.says, 0)
        if token.type == "keyword":
            return _TEST if token.says in _TESTS else _WORDS.get(token.says, 0)
        return 0

    def _continued(self, left: Node, strength: int) -> Node:
        token = self._tokens.next
        if token.type == "keyword" and token.says in _TESTS:
            return self._test(left)
        self._tokens.take()
        op = token.says.lower()
        if op not in (AND, OR):
            return self._budget.operation(op, (left, self._expression(strength + 1)))
        args = [left, self._expression(strength + 1)]
        while self._tokens.skip("keyword", token.says):
            args.append(self._expression(strength + 1))
        return self._budget.operation(op, args)

    def _test(self, left: Node) -> Node:
        if self._tokens.skip("keyword", "IS"):
            negated = self._tokens.skip("keyword", "NOT")
            self._tokens.expect("keyword", "NULL")
            return self._negated(self._budget.operation(IS_NULL, (left,)), negated)
        negated = self._tokens.skip("keyword", "NOT")
        if self._tokens.skip("keyword", "LIKE"):
            return self._negated(self._budget.operation(LIKE, (left, self._expression(_TERM))), negated)
        if self._tokens.skip("keyword", "BETWEEN"):
            low = self._expression(_TERM)
            self._tokens.expect("keyword", "AND")
            return self._negated(self._budget.operation(BETWEEN, (left, low, self._expression(_TERM))), negated)
        self._tokens.expect("keyword", "IN")
        self._tokens.expect("sign", "(")
        return self._negated(self._budget.operation(IN, (left, Items(self._list()))), negated)

    def _negated(self, found: Operation, negated: bool) -> Operation:
        return self._budget.operation(NOT, (found,)) if negated else found

    def _first(self) -> Node:
        token = self._tokens.take()
        if token.type == "number":
            return self._number(token.says)
        if token.type == "text":
            self._budget.node()
            return scalars.text(token.says)
        if token.type == "quoted":
            return self._property(token)
        if token.type == "name":
            return self._named(token)
        if token.type == "keyword":
            return self._word(token)
        return self._sign(token)

    def _number(self, says: str) -> Value:
        self._budget.node()
        # The interpreter refuses to read whole numbers of thousands of digits.
        whole = says.lstrip("+-").isdigit() and len(says) <= _DIGITS
        return scalars.number(int(says) if whole else float(says))

    def _word(self, token: Token) -> Node:
        if token.says in ("TRUE", "FALSE"):
            self._budget.node()
            return scalars.boolean(token.says == "TRUE")
        if token.says == "NOT":
            return self._budget.operation(NOT, (self._expression(_NEGATION),))
        raise unexpected(token, "a value, a property, a function or a condition")

    def _sign(self, token: Token) -> Node:
        if token.type == "sign" and token.says == "(":
            return self._group()
        if token.type == "sign" and token.says in ("-", "+"):
            # A sign in front of digits is a part of the number: -2 ^ 2 is 4.
            if self._tokens.next.type == "number":
                return self._number(token.says + self._tokens.take().says)
            inner = self._expression(_UNARY)
            return inner if token.says == "+" else self._budget.operation("*", (scalars.number(-1), inner))
        raise unexpected(token, "a value, a property, a function or a condition")

    def _group(self) -> Node:
        """What stands in parentheses: an expression, or an array of several or no values."""
        found = self._list()
        return found[0] if len(found) == 1 else Items(found)

    def _list(self) -> tuple[Node, ...]:
        """Expressions up to the closing parenthesis."""
        found: list[Node] = []
        if self._tokens.skip("sign", ")"):
            return ()
        while True:
            found.append(self._expression(0))
            if not self._tokens.skip("sign", ","):
                break
        self._tokens.expect("sign", ")")
        return tuple(found)

    def _property(self, token: Token) -> Property:
        self._budget.node()
        return Property(token.says)

    # ------------------------------------------------------------------ what looks like a function

    def _named(self, token: Token) -> Node:
        upper = token.says.upper()
        if upper in GEOMETRIES and self._opens_wkt():
            return self._wkt(upper)
        if not self._tokens.skip("sign", "("):
            return self._property(token)
        if upper in self._special:
            self._budget.node()
            made = self._special[upper]()
            self._tokens.expect("sign", ")")
            return made
        name = token.says.lower()
        return self._budget.operation(CALLED.get(name, name), self._list())

    def _opens_wkt(self) -> bool:
        if self._tokens.next.type == "name" and self._tokens.next.says.upper() in ("Z", "EMPTY"):
            return True
        return self._tokens.comes("sign", "(")

    def _wkt(self, kind: str) -> Shape:
        self._budget.node()
        return self._drawing.shape(GEOMETRIES[kind], read_wkt(kind, self._tokens))

    def _text(self) -> str:
        if self._tokens.next.type != "text":
            raise unexpected(self._tokens.next, "a text between single quotes")
        return self._tokens.take().says

    def _interval(self) -> Node:
        start = self._side()
        self._tokens.expect("sign", ",")
        return Interval(start, self._side())

    def _side(self) -> Node | None:
        if self._tokens.next.type == "text":
            return scalars.instant(self._tokens.take().says)
        return self._expression(_TERM)

    def _box(self) -> Node:
        numbers: list[float] = []
        while True:
            value = self._expression(_TERM)
            if not isinstance(value, Value) or isinstance(value.value, str | bool):
                raise unexpected(self._tokens.next, "a number of a BBOX")
            numbers.append(value.value)  # type: ignore[arg-type]
            if not self._tokens.skip("sign", ","):
                return self._drawing.box(numbers)
