"""Formulas over the bands of a raster, as people write them: `(nir - red) / (nir + red)`.

A grammar of our own that knows numbers, bands, operators and a list of functions. Whatever else is written is refused;
nothing of a formula is ever run as code. Length, depth and number of operations are bounded, so that a formula costs
a bounded number of passes over the pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.errors import BadParameter

Numbers = npt.NDArray[np.float64]
LONGEST = 400
"""Characters of an expression."""
DEEPEST = 20
"""Brackets, signs and calls within one another."""
MOST_OPERATIONS = 32
_TOKEN = re.compile(
    r"\s*(?:(\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?|\.\d{1,20})|([A-Za-z_]\w{0,47})|(\*\*|[<>=!]=|[-+*/<>(),]))",
    re.ASCII,
)
_BINARY: dict[str, tuple[int, Callable[..., Any]]] = {
    "<": (1, np.less),
    "<=": (1, np.less_equal),
    ">": (1, np.greater),
    ">=": (1, np.greater_equal),
    "==": (1, np.equal),
    "!=": (1, np.not_equal),
    "+": (2, np.add),
    "-": (2, np.subtract),
    "*": (3, np.multiply),
    "/": (3, np.divide),
    "**": (5, np.power),
}
"""Operators: how tightly they bind, and what they do. A sign binds tighter than `/` and less than `**`."""
OPERATORS: tuple[str, ...] = tuple(_BINARY)
"""Operators that stand between two values."""
_SIGN = 4
_POWER = "**"
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "exp": (1, np.exp),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "tan": (1, np.tan),
    "atan": (1, np.arctan),
    "floor": (1, np.floor),
    "ceil": (1, np.ceil),
    "round": (1, np.rint),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "where": (3, lambda condition, yes, no: np.where(np.asarray(condition) != 0, yes, no)),
}
"""Functions: how many arguments they take, and what they do. Angles are in radians."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: float


@dataclass(frozen=True, slots=True)
class BandValue:
    """The value of a band, numbered from 1."""

    band: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that is done with the values of other nodes."""

    name: str
    arguments: tuple[Node, ...]


Node = Number | BandValue | Operation
_NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was read.

    Attributes:
        root: The outermost node.
        bands: The bands it needs, numbered from 1, ascending.
    """

    root: Node
    bands: tuple[int, ...]

    def values(self, cells: Mapping[int, Numbers]) -> Numbers:
        """The value at every pixel; what cannot be computed (division by zero, root of less) is infinite or NaN.

        Args:
            cells: Values by band, all of one shape.
        """
        with np.errstate(all="ignore"):
            found = _value(self.root, cells)
        shape = next(iter(cells.values())).shape
        return np.broadcast_to(np.asarray(found, dtype=np.float64), shape)


def read_formulas(text: str, bands: Sequence[str], most: int) -> tuple[Formula, ...]:
    """Read one formula or several with semicolons between them.

    Args:
        text: What was written.
        bands: Names of the bands in their order; `b1`, `b2` ... are understood too.
        most: How many formulas there may be.

    Raises:
        BadParameter: When it is longer or deeper than allowed, or says something that the grammar does not know.
    """
    if len(text) > LONGEST:
        raise BadParameter(f"An expression has at most {LONGEST} characters.", parameter="expression", maximum=LONGEST)
    parts = text.split(";")
    if len(parts) > most:
        raise BadParameter(f"expression holds at most {most} formulas, one per channel.", parameter="expression")
    return tuple(_Reader(part, bands).formula() for part in parts)


def _value(node: Node, cells: Mapping[int, Numbers]) -> Any:
    if isinstance(node, Number):
        return np.float64(node.value)
    if isinstance(node, BandValue):
        return cells[node.band]
    arguments = [_value(argument, cells) for argument in node.arguments]
    if node.name == _NEGATIVE:
        return np.negative(arguments[0])
    _, work = FUNCTIONS[node.name] if node.name in FUNCTIONS else _BINARY[node.name]
    # Truth is 1 or 0, so that conditions can be multiplied and added.
    return np.asarray(work(*arguments), dtype=np.float64)


class _Reader:
    """Reads one formula by precedence climbing."""

    def __init__(self, text: str, bands: Sequence[str]) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0
        self._operations = 0
        self._names = {f"b{number}": number for number in range(1, len(bands) + 1)}
        # A band that is called like another one's number is meant by its name.
        self._names |= {name: number for number, name in enumerate(bands, 1)}
        self._used: set[int] = set()

    def formula(self) -> Formula:
        root = self._expression(0)
        if self._next() is not None:
            raise _refused(f"{self._next()!r} is not expected there")
        if not self._used:
            raise _refused("it names no band")
        return Formula(root, tuple(sorted(self._used)))

    def _next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self, wanted: str | None = None) -> str:
        token = self._next()
        if token is None:
            raise _refused(f"it ends where {wanted!r} was expected" if wanted else "it ends too early")
        if wanted is not None and token != wanted:
            raise _refused(f"{token!r} stands where {wanted!r} was expected")
        self._place += 1
        return token

    def _expression(self, binding: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _refused(f"it is nested deeper than {DEEPEST}")
        left = self._operand()
        while (token := self._next()) in _BINARY and token is not None and _BINARY[token][0] > binding:
            self._place += 1
            tightness = _BINARY[token][0]
            # Powers are read from the right: a ** b ** c is a ** (b ** c).
            right = self._expression(tightness - 1 if token == _POWER else tightness)
            left = self._operation(token, left, right)
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        first = self._take()
        if first == "(":
            inner = self._expression(0)
            self._take(")")
            return inner
        if first in ("-", "+"):
            operand = self._expression(_SIGN)
            return self._operation(_NEGATIVE, operand) if first == "-" else operand
        if first[0].isdigit() or first[0] == ".":
            return Number(float(first))
        return self._named(first)

    def _named(self, name: str) -> Node:
        if self._next() == "(":
            return self._call(name)
        if name not in self._names:
            raise _refused(f"{name[:48]!r} is neither a band nor a function")
        self._used.add(self._names[name])
        return BandValue(self._names[name])

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise _refused(f"there is no function {name[:48]!r}; there are {', '.join(FUNCTIONS)}")
        self._take("(")
        arguments = [self._expression(0)]
        while self._next() == ",":
            self._place += 1
            arguments.append(self._expression(0))
        self._take(")")
        if len(arguments) != FUNCTIONS[name][0]:
            raise _refused(f"{name} takes {FUNCTIONS[name][0]} argument(s)")
        return self._operation(name, *arguments)

    def _operation(self, name: str, *arguments: Node) -> Operation:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            raise _refused(f"it has more than {MOST_OPERATIONS} operations")
        return Operation(name, arguments)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _refused(f"{text[place:].strip()[:1]!r} is not part of the grammar")
        found.append(match.group(match.lastindex or 0))
        place = match.end()
    return found


def _refused(why: str) -> BadParameter:
    return BadParameter(
        f"expression is made of numbers, bands, + - * / **, comparisons and functions; {why}.", parameter="expression"
    )
