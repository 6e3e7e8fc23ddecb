"""The two tile matrix sets of Tianditu, `c` and `w`, as other names of sets that are there.

Both number their levels from 1. Level n of `w` is level n of WebMercatorQuad; level n of `c` is level n - 1 of
CGCS2000Quad. Rows and columns are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from layers.model import Text
from tiles.sets.model import MatrixSet, Place
from tiles.sets.registry import MatrixSets
from tiles.sets.standard import CGCS2000_QUAD, WEB_MERCATOR_QUAD

LEVELS = range(1, 21)
"""Of the public platform: national nodes up to 14, provinces 15 to 17, cities 18 to 20."""
_SETS = {
    "c": (CGCS2000_QUAD, 1, Text(zh="天地图经纬度(CGCS2000)", en="Tianditu, latitude and longitude of CGCS2000")),
    "w": (WEB_MERCATOR_QUAD, 0, Text(zh="天地图球面墨卡托", en="Tianditu, Web Mercator")),
}


@dataclass(frozen=True)
class Alias:
    """A set under a name of its own, with other numbers of its levels.

    Attributes:
        grid: The set as it is named and numbered.
        meant: The set that it is.
        shift: How much larger its levels are numbered.
    """

    grid: MatrixSet
    meant: MatrixSet
    shift: int = 0

    def place(self, level: str, row: str, col: str) -> Place:
        """The tile of the set that is meant.

        Raises:
            TileOutside: When it does not exist.
        """
        found = self.grid.place(level, row, col)
        return Place(self.meant, found.level - self.shift, found.row, found.col)


@lru_cache(maxsize=len(_SETS))
def _tianditu(name: str) -> Alias:
    of, shift, title = _SETS[name]
    meant = MatrixSets().get(of)
    matrices = {level: replace(meant.matrices[level - shift], level=level) for level in LEVELS}
    return Alias(replace(meant, id=name, title=title, matrices=matrices, registered=False), meant, shift)


def with_aliases(grids: MatrixSets) -> dict[str, Alias]:
    """All sets and those of Tianditu, by their names."""
    found = {grid.id: Alias(grid, grid) for grid in grids}
    return {**found, **{name: _tianditu(name) for name in _SETS if name not in found}}
