"""The tile matrix sets that a service offers: the built-in ones it wants, and those of files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from layers.errors import DefinitionError, UnknownResource
from tiles.sets.document import read_own_set
from tiles.sets.model import MatrixSet
from tiles.sets.standard import ZoneFamily, built_in, world_ids, zone_ids

_MOST_BYTES = 1 << 20
_SHOWN = 6


@dataclass(frozen=True)
class MatrixSets:
    """Tile matrix sets by their identifiers; built-in ones are made when they are first asked for.

    Attributes:
        ids: Identifiers of the sets that are offered, in the order of lists.
        own: Sets that are not built in.
    """

    ids: tuple[str, ...] = world_ids()
    own: dict[str, MatrixSet] = field(default_factory=dict)

    def __iter__(self) -> Iterator[MatrixSet]:
        """All sets."""
        return (self.get(name) for name in self.ids)

    def get(self, name: str) -> MatrixSet:
        """A set by its identifier.

        Raises:
            UnknownResource: When it is not offered.
        """
        found = (self.own.get(name) or built_in(name)) if name in self.ids else None
        if found is None:
            listed = ", ".join(self.ids[:_SHOWN]) + (" and others" if len(self.ids) > _SHOWN else "")
            raise UnknownResource(
                f"There is no tile matrix set {name[:60]!r}; offered: {listed}.", tileMatrixSetId=name[:60]
            )
        return found


def matrix_sets(families: Iterable[ZoneFamily], place: Path | None = None) -> MatrixSets:
    """The sets of the world, those of Gauss-Krueger zones, and those of an agency.

    Args:
        families: Which zones.
        place: A file, or a folder of files, each with one set as JSON (OGC 17-083r4).

    Raises:
        DefinitionError: When a file cannot be read, is no usable tile matrix set, or takes a name that is in use.
    """
    ids = [*world_ids(), *(name for family in dict.fromkeys(families) for name in zone_ids(family))]
    own: dict[str, MatrixSet] = {}
    for path in _files(place):
        found = read_own_set(_document(path))
        if found.id in own or built_in(found.id) is not None:
            raise DefinitionError(f"{path.name}: there is already a tile matrix set {found.id}; choose another id.")
        own[found.id] = found
    return MatrixSets((*ids, *own), own)


def _files(place: Path | None) -> list[Path]:
    if place is None:
        return []
    return sorted(place.glob("*.json")) if place.is_dir() else [place]


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        document = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise DefinitionError(f"{path.name}: a tile matrix set as JSON was expected: {type(error).__name__}.") from None
    if not isinstance(document, dict):
        raise DefinitionError(f"{path.name}: a tile matrix set as a JSON object of at most 1 MiB was expected.")
    return document
