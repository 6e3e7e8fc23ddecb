"""Geometries as CQL2 text writes them: well-known text, in the tokens of the filter."""

from __future__ import annotations

from layers.filter.tokens import Tokens, unexpected
from layers.filter.words import GEOMETRIES

_MOST_NESTED = 6


def read_wkt(kind: str, tokens: Tokens) -> object:
    """Read what follows the name of a geometry type.

    Args:
        kind: The type, in capitals.
        tokens: The words that follow.

    Returns:
        The coordinates as GeoJSON nests them; of a collection, pairs of type and coordinates.

    Raises:
        BadFilter: With the place.
    """
    return _Wkt(tokens).geometry(kind, 0)


class _Wkt:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def geometry(self, kind: str, depth: int) -> object:
        """Coordinates of a geometry whose type was read."""
        if self._name() == "Z":
            self._tokens.take()
        if self._name() == "EMPTY":
            raise unexpected(self._tokens.next, "coordinates, since nothing meets an empty geometry,")
        if kind == "GEOMETRYCOLLECTION":
            return self._collection(depth)
        nested = self._group(depth)
        if kind == "POINT":
            return nested[0] if len(nested) == 1 else nested
        # MULTIPOINT has its positions with or without parentheses of their own.
        plain = all(isinstance(one[0], list) and len(one) == 1 for one in nested)
        return [one[0] for one in nested] if kind == "MULTIPOINT" and plain else nested

    def _collection(self, depth: int) -> list[tuple[str, object]]:
        self._open(depth)
        members = [self._member(depth)]
        while self._tokens.skip("sign", ","):
            members.append(self._member(depth))
        self._tokens.expect("sign", ")")
        return members

    def _member(self, depth: int) -> tuple[str, object]:
        kind = self._name()
        if kind not in GEOMETRIES:
            raise unexpected(self._tokens.next, "a type of geometry")
        self._tokens.take()
        return GEOMETRIES[kind], self.geometry(kind, depth + 1)

    def _group(self, depth: int) -> list[list[object]]:
        self._require_open(depth)
        plain = self._tokens.positions()
        if plain is not None:
            return plain
        self._tokens.take()
        found = [self._element(depth)]
        while self._tokens.skip("sign", ","):
            found.append(self._element(depth))
        self._tokens.expect("sign", ")")
        return found

    def _element(self, depth: int) -> list[object]:
        """A group inside a group, or a position."""
        if self._tokens.comes("sign", "("):
            return list(self._group(depth + 1))
        numbers: list[object] = [self._coordinate()]
        while not (self._tokens.comes("sign", ",") or self._tokens.comes("sign", ")")):
            numbers.append(self._coordinate())
        return numbers

    def _coordinate(self) -> float:
        negative = self._tokens.skip("sign", "-")
        if not negative:
            self._tokens.skip("sign", "+")
        if self._tokens.next.type != "number":
            raise unexpected(self._tokens.next, "a coordinate")
        number = float(self._tokens.take().says)
        return -number if negative else number

    def _open(self, depth: int) -> None:
        self._require_open(depth)
        self._tokens.take()

    def _require_open(self, depth: int) -> None:
        if depth > _MOST_NESTED or not self._tokens.comes("sign", "("):
            raise unexpected(self._tokens.next, "( in a geometry")

    def _name(self) -> str:
        token = self._tokens.next
        return token.says.upper() if token.type == "name" else ""
