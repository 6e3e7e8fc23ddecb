"""Expressions of `$filter` and `$orderby`, read: precedence as OData 4.0, part 2, 5.1.1.9 has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from geoservice.sensorthings.functions import FUNCTIONS
from geoservice.sensorthings.tokens import Token, literal, unexpected, words
from geoservice.sensorthings.tree import Call, Node, Order, Path
from layers.errors import BadFilter

MOST_DEPTH = 24
"""Parentheses, functions and signs inside one another."""
MOST_NODES = 500
"""Operators, names and values of one expression."""
MOST_KEYS = 8
"""Keys of one order."""
MOST_STEPS = 10
"""Names of one path."""
_LEVELS = (("or",), ("and",), ("eq", "ne"), ("lt", "le", "gt", "ge"), ("add", "sub"), ("mul", "div", "mod"))
"""Binary operators, from those that bind least."""
_TOO_DEEP = f"Operators, functions and parentheses stand at most {MOST_DEPTH} deep in one another."
_OPERATORS = frozenset(name for level in _LEVELS for name in level) | {"not"}


def read_filter(text: str) -> Node:
    """The tree of a `$filter`.

    Raises:
        BadFilter: With the place and what was expected there, or when it exceeds a budget.
    """
    reader = _Reader(text)
    node = reader.expression()
    reader.finish("an operator or the end")
    return node


def read_order(text: str) -> tuple[Order, ...]:
    """The keys of an `$orderby`, each ascending unless it says `desc`.

    Raises:
        BadFilter: With the place and what was expected there, or when there are too many.
    """
    reader = _Reader(text)
    found = [reader.key()]
    while reader.skip("sign", ","):
        found.append(reader.key())
    reader.finish("a comma, asc, desc or the end")
    if len(found) > MOST_KEYS:
        raise BadFilter(f"An order has at most {MOST_KEYS} keys; this one has {len(found)}.")
    return tuple(found)


class _Reader:
    def __init__(self, text: str) -> None:
        self._words = list(words(text))
        self._at, self._depth, self._nodes = 0, 0, 0

    @property
    def next(self) -> Token:
        return self._words[self._at]

    def skip(self, kind: str, says: str) -> bool:
        """Whether a word comes next; it is then behind us."""
        if self.next.type != kind or self.next.says != says:
            return False
        self._at += 1
        return True

    def finish(self, expected: str) -> None:
        """Refuse what stands behind the expression."""
        if self.next.type != "end":
            raise unexpected(self.next, expected)

    def key(self) -> Order:
        """One key of an order."""
        node = self.expression()
        descending = self.skip("name", "desc")
        if not descending:
            self.skip("name", "asc")
        return Order(node, descending)

    def expression(self, level: int = 0) -> Node:
        """What operators of a level and of those that bind more make of the words that come."""
        if level == len(_LEVELS):
            return self._single()
        left = self.expression(level + 1)
        while self.next.type == "name" and self.next.says in _LEVELS[level]:
            name = self._take().says
            left = self._joined(name, left, self.expression(level + 1))
        return left

    def _joined(self, name: str, left: Node, right: Node) -> Node:
        """A binary operation; a chain of `and` or `or` is one operation, however long it is."""
        if name in ("and", "or") and isinstance(left, Call) and left.name == name:
            return self._counted(Call(name, (*left.args, right)))
        return self._counted(Call(name, (left, right)))

    def _single(self) -> Node:
        """A value, a path, a function, or an expression in parentheses, with its sign."""
        if self.skip("name", "not"):
            return self._inside(lambda: Call("not", (self._single(),)))
        if self.skip("sign", "-"):
            return self._inside(lambda: Call("neg", (self._single(),)))
        if self.skip("sign", "("):
            return self._inside(self._parenthesised)
        token = self.next
        value = literal(token)
        if value is not None:
            self._at += 1
            return self._counted(value)
        if token.type != "name" or token.says in _OPERATORS:
            raise unexpected(token, "a property, a value, a function or a parenthesis")
        self._at += 1
        if self.skip("sign", "("):
            return self._inside(lambda: self._call(token))
        return self._counted(self._path(token))

    def _parenthesised(self) -> Node:
        node = self.expression()
        self._expect(")")
        return node

    def _call(self, token: Token) -> Node:
        if token.says not in FUNCTIONS:
            raise BadFilter(
                f"There is no function {token.says[:40]!r}; there are {', '.join(sorted(FUNCTIONS))}.",
                function=token.says[:40],
            )
        args: list[Node] = []
        if not self.skip("sign", ")"):
            args.append(self.expression())
            while self.skip("sign", ","):
                args.append(self.expression())
            self._expect(")")
        return Call(token.says, tuple(args))

    def _path(self, token: Token) -> Path:
        steps = [token.says]
        while self.skip("sign", "/"):
            if self.next.type not in ("name", "number") or len(steps) == MOST_STEPS:
                raise unexpected(self.next, f"a name, of which a path has at most {MOST_STEPS},")
            steps.append(self._take().says)
        return Path(tuple(steps))

    def _inside(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise BadFilter(_TOO_DEEP)
        node = self._counted(read())
        self._depth -= 1
        return node

    def _counted(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise BadFilter(f"An expression has at most {MOST_NODES} operators, names and values; this one has more.")
        if not isinstance(node, Call):
            return node
        depth = 1 + max((arg.depth for arg in node.args if isinstance(arg, Call)), default=0)
        if depth > MOST_DEPTH:
            raise BadFilter(_TOO_DEEP)
        return replace(node, depth=depth)

    def _expect(self, sign: str) -> None:
        if not self.skip("sign", sign):
            raise unexpected(self.next, f"an operator or {sign!r}")

    def _take(self) -> Token:
        token = self.next
        self._at += 1
        return token
