"""Geometries as CQL2 text writes them: well-known text, in the tokens of the filter."""

from __future__ import annotations

from collections.abc import Sequence

from layers.errors import BadFilter
from layers.filter.tokens import Token
from layers.filter.words import GEOMETRIES

_MOST_NESTED = 6


def read_wkt(kind: str, tokens: Sequence[Token], at: int) -> tuple[object, int]:
    """Read what follows the name of a geometry type.

    Args:
        kind: The type, in capitals.
        tokens: All tokens.
        at: Number of the token behind the type.

    Returns:
        The coordinates as GeoJSON nests them (of a collection, pairs of type and coordinates), and the number of the
        token that follows.

    Raises:
        BadFilter: With the place.
    """
    reader = _Wkt(tokens, at)
    return reader.geometry(kind, 0), reader.at


class _Wkt:
    def __init__(self, tokens: Sequence[Token], at: int) -> None:
        self._tokens, self.at = tokens, at

    def geometry(self, kind: str, depth: int) -> object:
        """Coordinates of a geometry whose type was read."""
        if self._name() == "Z":
            self.at += 1
        if self._name() == "EMPTY":
            raise self._unexpected("coordinates, since nothing meets an empty geometry,")
        if kind == "GEOMETRYCOLLECTION":
            return self._collection(depth)
        nested = self._group(depth)
        if kind == "POINT":
            return nested[0] if len(nested) == 1 else nested
        # MULTIPOINT has its positions with or without parentheses of their own.
        plain = all(isinstance(one, list) and len(one) == 1 for one in nested)
        return [one[0] for one in nested] if kind == "MULTIPOINT" and plain else nested

    def _collection(self, depth: int) -> list[tuple[str, object]]:
        self._open(depth)
        members = [self._member(depth)]
        while self._comma():
            members.append(self._member(depth))
        self._close()
        return members

    def _member(self, depth: int) -> tuple[str, object]:
        kind = self._name()
        if kind not in GEOMETRIES:
            raise self._unexpected("a type of geometry")
        self.at += 1
        return GEOMETRIES[kind], self.geometry(kind, depth + 1)

    def _group(self, depth: int) -> list[list[object]]:
        self._open(depth)
        found = [self._element(depth)]
        while self._comma():
            found.append(self._element(depth))
        self._close()
        return found

    def _element(self, depth: int) -> list[object]:
        """A group inside a group, or a position."""
        if self._sign("("):
            return list(self._group(depth + 1))
        return list(self._position())

    def _position(self) -> list[float]:
        numbers: list[float] = []
        while not (self._sign(",") or self._sign(")")):
            negative = self._sign("-")
            self.at += negative or self._sign("+")
            token = self._tokens[self.at]
            if token.type != "number":
                raise self._unexpected("a coordinate")
            numbers.append(-float(token.says) if negative else float(token.says))
            self.at += 1
        return numbers

    def _open(self, depth: int) -> None:
        if depth > _MOST_NESTED or not self._sign("("):
            raise self._unexpected("( in a geometry")
        self.at += 1

    def _close(self) -> None:
        if not self._sign(")"):
            raise self._unexpected(", or ) in a geometry")
        self.at += 1

    def _comma(self) -> bool:
        found = self._sign(",")
        self.at += found
        return found

    def _sign(self, says: str) -> bool:
        token = self._tokens[self.at]
        return token.type == "sign" and token.says == says

    def _name(self) -> str:
        token = self._tokens[self.at]
        return token.says.upper() if token.type == "name" else ""

    def _unexpected(self, wanted: str) -> BadFilter:
        token = self._tokens[self.at]
        found = "it ends there" if token.type == "end" else f"there is {token.says[:40]!r}"
        return BadFilter(f"At character {token.at} of the filter {wanted} was expected; {found}.", at=token.at)
