"""Checks a tree against queryables: names exist, operators get what they work on, every part knows its kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import count

from layers.errors import BadFilter
from layers.filter import words
from layers.filter.functions import FUNCTIONS
from layers.filter.queryables import Queryables
from layers.filter.tree import (
    INSTANTS,
    NUMERIC,
    SCALARS,
    Interval,
    Items,
    Kind,
    Node,
    Operation,
    Property,
    Shape,
    Value,
)

_SHOWN = 60
_PAIR, _TRIPLE = 2, 3
_EXTENDED = INSTANTS | {Kind.INTERVAL}
_COLLECTIONS_OF_ALL = frozenset({"s_intersects", "s_disjoint"})


def checked(tree: Node, queryables: Queryables) -> Node:
    """The tree with kinds and slots.

    Raises:
        BadFilter: With what does not fit; an unknown name comes with the known ones.
    """
    found = _Checker(queryables).node(tree)
    if kind_of(found) is not Kind.BOOLEAN:
        raise BadFilter(f"A filter is a condition, true or false of each feature; this one is {_article(found)}.")
    return found


def kind_of(node: Node) -> Kind:
    """The kind of value that a checked node stands for."""
    if isinstance(node, Shape):
        return Kind.GEOMETRY
    if isinstance(node, Interval):
        return Kind.INTERVAL
    if isinstance(node, Items):
        return Kind.ARRAY
    if node.kind is None:
        raise LookupError("only checked nodes know their kind")
    return node.kind


class _Checker:
    def __init__(self, queryables: Queryables) -> None:
        self._queryables = queryables
        self._slots: Iterator[int] = count()
        self._rules: dict[str, Callable[[str, tuple[Node, ...]], tuple[tuple[Node, ...], Kind]]] = {
            words.NOT: self._all_boolean,
            words.AND: self._all_boolean,
            words.OR: self._all_boolean,
            words.LIKE: self._like,
            words.BETWEEN: self._between,
            words.IN: self._in,
            words.IS_NULL: self._is_null,
            words.CASEI: self._folded,
            words.ACCENTI: self._folded,
            **dict.fromkeys(words.COMPARISON, self._comparison),
            **dict.fromkeys(words.ARITHMETIC, self._arithmetic),
            **dict.fromkeys(words.SPATIAL, self._spatial),
            **dict.fromkeys(words.TEMPORAL, self._temporal),
            **dict.fromkeys(words.ARRAY, self._array),
        }

    def node(self, node: Node) -> Node:
        """A node with its kind."""
        if isinstance(node, Operation):
            rule = self._rules.get(node.op, self._function)
            args, kind = rule(node.op, tuple(self.node(arg) for arg in node.args))
            name = node.op.lower() if rule == self._function else node.op
            return replace(node, op=name, args=args, kind=kind)
        if isinstance(node, Property):
            return self._property(node)
        if isinstance(node, Value | Shape):
            return replace(node, slot=next(self._slots))
        if isinstance(node, Interval):
            return self._interval(node)
        return self._items(node)

    def _property(self, node: Property) -> Property:
        known = self._queryables.names.get(node.name)
        if known is None:
            names = ", ".join(self._queryables.names)
            raise BadFilter(
                f"There is no property {node.name[:_SHOWN]!r} to filter by; known properties: {names}.",
                property=node.name[:_SHOWN],
            )
        return Property(node.name, known.kind)

    def _interval(self, node: Interval) -> Interval:
        sides = [None if side is None else self.node(side) for side in (node.start, node.end)]
        for side in sides:
            if side is not None:
                _require([side], INSTANTS, "A side of an interval is a date or a timestamp")
        start, end = sides
        if isinstance(start, Value) and isinstance(end, Value) and _later(start, end):
            raise BadFilter("The end of an interval of the filter lies before its start.")
        return Interval(start, end)

    def _items(self, node: Items) -> Items:
        items = tuple(self.node(item) for item in node.items)
        if not items:
            return Items((), None)
        _require(items, SCALARS, "A list of the filter holds texts, numbers, truth values, dates or timestamps")
        return Items(items, _common(items, "A list of the filter"))

    # ------------------------------------------------------------------ conditions

    @staticmethod
    def _all_boolean(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        if op == words.NOT:
            _require_number(op, args, 1)
        elif len(args) < _PAIR:
            raise BadFilter(f"{op} joins at least two conditions.")
        _require(args, {Kind.BOOLEAN}, f"{op} works on conditions")
        return args, Kind.BOOLEAN

    @staticmethod
    def _comparison(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        _require(args, SCALARS, f"{op} compares texts, numbers, truth values, dates or timestamps")
        if _common(args, op) is Kind.BOOLEAN and op not in words.EQUALITY:
            raise BadFilter(f"Truth values are equal or not; they have no order for {op}.")
        return args, Kind.BOOLEAN

    @staticmethod
    def _like(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        _require(args, {Kind.TEXT}, "like compares a text with a pattern")
        pattern = args[1]
        while isinstance(pattern, Operation) and pattern.op in (words.CASEI, words.ACCENTI):
            pattern = pattern.args[0]
        if not isinstance(pattern, Value):
            raise BadFilter("The pattern of like is written out, perhaps inside casei or accenti; it is no property.")
        said = str(pattern.value)
        if (len(said) - len(said.rstrip("\\"))) % 2:
            raise BadFilter("A pattern of like ends with a backslash, which escapes nothing; write two of them.")
        return args, Kind.BOOLEAN

    @staticmethod
    def _between(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _TRIPLE)
        _require(args, SCALARS - {Kind.BOOLEAN}, "between compares texts, numbers, dates or timestamps")
        _common(args, op)
        return args, Kind.BOOLEAN

    @staticmethod
    def _in(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        value, listed = args
        if not isinstance(listed, Items) or not listed.items:
            raise BadFilter("in compares with a list of at least one value.")
        _require([value], SCALARS, "in compares texts, numbers, truth values, dates or timestamps")
        _common((value, *listed.items), op)
        return args, Kind.BOOLEAN

    @staticmethod
    def _is_null(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, 1)
        if not isinstance(args[0], Property | Operation):
            raise BadFilter("isNull asks about a property or what is made of properties.")
        return args, Kind.BOOLEAN

    # ------------------------------------------------------------------ what is made of values

    @staticmethod
    def _folded(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, 1)
        _require(args, {Kind.TEXT}, f"{op} works on a text")
        return args, Kind.TEXT

    @staticmethod
    def _arithmetic(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        _require(args, NUMERIC, f"{op} calculates with numbers")
        whole = op not in ("/", "^") and all(kind_of(arg) is Kind.INTEGER for arg in args)
        return args, Kind.INTEGER if whole else Kind.NUMBER

    def _spatial(self, op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        _require(args, {Kind.GEOMETRY}, f"{op} compares geometries")
        if op not in _COLLECTIONS_OF_ALL and any(isinstance(arg, Shape) and arg.mixed for arg in args):
            raise BadFilter(
                f"{op} is not defined for a collection of points, lines and areas together; ask about its parts."
            )
        return args, Kind.BOOLEAN

    @staticmethod
    def _temporal(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        _require(args, _EXTENDED, f"{op} compares dates, timestamps or intervals")
        return args, Kind.BOOLEAN

    def _array(self, op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        _require_number(op, args, _PAIR)
        for arg in args:
            if isinstance(arg, Property):
                raise BadFilter(f"{op} compares arrays; {arg.name!r} is {_article(arg)}, and no property is an array.")
        # One value in parentheses looks like the value itself.
        listed = tuple(arg if isinstance(arg, Items) else self._single(arg) for arg in args)
        elements = [item for arg in listed for item in arg.items]
        common = _common(elements, op) if elements else Kind.TEXT
        return tuple(replace(arg, element=common) for arg in listed), Kind.BOOLEAN

    @staticmethod
    def _single(node: Node) -> Items:
        _require([node], SCALARS, "An array holds texts, numbers, truth values, dates or timestamps")
        return Items((node,), kind_of(node))

    @staticmethod
    def _function(op: str, args: tuple[Node, ...]) -> tuple[tuple[Node, ...], Kind]:
        function = FUNCTIONS.get(op.lower())
        if function is None:
            raise BadFilter(
                f"There is no function or operator {op[:_SHOWN]!r}; known functions: {', '.join(FUNCTIONS)}.",
                function=op[:_SHOWN],
            )
        _require_number(op, args, len(function.arguments))
        for argument, given in zip(function.arguments, args, strict=True):
            kinds = set(argument.kinds) | (NUMERIC if Kind.NUMBER in argument.kinds else set())
            _require([given], kinds, f"The argument {argument.title} of {op} is {' or '.join(argument.kinds)}")
            if isinstance(given, Shape) and given.mixed:
                raise BadFilter(f"{op} takes no collection of points, lines and areas together.")
        return args, function.returns


def _require_number(op: str, args: Collection[Node], number: int) -> None:
    if len(args) != number:
        raise BadFilter(f"{op[:_SHOWN]} has {number} argument{'s' if number > 1 else ''}, not {len(args)}.")


def _require(nodes: Collection[Node], kinds: Collection[Kind], sentence: str) -> None:
    for node in nodes:
        if kind_of(node) not in kinds:
            raise BadFilter(f"{sentence}; {_named(node)} is {_article(node)}.")


def _common(nodes: Collection[Node], what: str) -> Kind:
    """The kind that all have; integers are numbers where others are.

    Raises:
        BadFilter: When they differ.
    """
    kinds = {kind_of(node) for node in nodes}
    if kinds <= NUMERIC:
        return Kind.NUMBER if Kind.NUMBER in kinds else Kind.INTEGER
    if len(kinds) == 1:
        return kinds.pop()
    told = ", ".join(f"{_named(node)} is {_article(node)}" for node in list(nodes)[:_TRIPLE])
    hint = " Dates and timestamps are compared by functions such as t_after." if kinds <= INSTANTS else ""
    raise BadFilter(f"{what} compares values of one type; {told}.{hint}")


def _later(start: Value, end: Value) -> bool:
    return start.kind is end.kind and start.value > end.value  # type: ignore[operator]


def _named(node: Node) -> str:
    if isinstance(node, Property):
        return node.name
    if isinstance(node, Value):
        return repr(node.value)[:_SHOWN] if node.kind in (Kind.TEXT, *NUMERIC) else str(node.value)
    return "what is written there" if not isinstance(node, Operation) else node.op


def _article(node: Node) -> str:
    kind = kind_of(node)
    name = {Kind.BOOLEAN: "truth value"}.get(kind, str(kind))
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
