"""Divisions of one level, with their names and polygons, as the asker may see them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.analysis.request import DIVISIONS
from geoservice.features.lookup import label_columns, label_of
from geoservice.features.rows import plain
from geoservice.impact.divisions import Division, Divisions
from geoservice.impact.fetch import Ground
from geoservice.statistics.statements import DIGITS
from layers.access import Decision, Principal, decide
from layers.catalog import Catalog
from layers.errors import BadParameter
from layers.model import Text, VectorLayer
from layers.table import held, row_predicate

LEVEL = "county"
"""The level when none is asked for."""
_NEEDED = ("level",)
_DEGREES = 1e-9


@dataclass(frozen=True)
class Places:
    """Divisions of one level.

    Attributes:
        layer: Their layer.
        level: Their level; None for a single one that is named.
        names: Names by code, also of those that have no polygon.
        parents: Codes of the parents by code, as far as they are known.
        divisions: Those that have a polygon.
    """

    layer: VectorLayer
    level: str | None
    names: dict[str, Text] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    divisions: Divisions = field(default_factory=Divisions)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east and north of all polygons in degrees, a hair wider."""
        west, south, east, north = shapely.total_bounds(self.divisions.shapes).tolist()
        return west - _DEGREES, south - _DEGREES, east + _DEGREES, north + _DEGREES


def open_divisions(catalog: Catalog, principal: Principal) -> tuple[VectorLayer, Decision]:
    """The layer of divisions and what the principal may see of it.

    Raises:
        BadParameter: When there is none, or too little of it may be seen.
    """
    layer = catalog.layers.get(DIVISIONS)
    decision = decide(principal, "read", layer) if layer is not None else None
    usable = decision is not None and decision.allowed and all(name in decision.attributes for name in _NEEDED)
    if not isinstance(layer, VectorLayer) or decision is None or not usable:
        raise BadParameter("This service shows you no divisions to group by.", parameter="group-by")
    return layer, decision


def parse_level(text: str | None) -> str:
    """Read `level`.

    Raises:
        BadParameter: When it is none.
    """
    if text is None:
        return LEVEL
    if text not in DIGITS:
        raise BadParameter(f"level is one of {', '.join(DIGITS)}; {text[:30]!r} is not.", parameter="level")
    return text


def parse_within(text: str | None) -> str | None:
    """Read `within`, the code of a division.

    Raises:
        BadParameter: When it cannot be one.
    """
    if text is not None and not (text.isascii() and text.isdigit() and len(text) in DIGITS.values()):
        raise BadParameter(
            f"within is the code of a division (2, 4, 6 or 9 digits); {text[:30]!r} is not.", parameter="within"
        )
    return text


async def read_places(
    ground: Ground,
    opened: tuple[VectorLayer, Decision],
    level: str | None,
    within: str | None = None,
    *,
    drawn: bool = True,
) -> Places:
    """The divisions of a level, or one that is named.

    Args:
        ground: Where to read.
        opened: The layer of divisions and what may be seen of it.
        level: Their level; None for the division `within` itself.
        within: Code of the division in which they lie; None for all.
        drawn: Whether their polygons are read; a country's are large.

    Raises:
        BadParameter: When `within` names no division that the asker may see.
    """
    layer, decision = opened
    shape = ("places", layer.name, decision.attributes, level is None, within is None, drawn)
    values = {"level": level, "within": within}
    clearance = decision.rule.max_clearance
    past = ground.as_of is not None
    rows = await ground.rows(
        shape, lambda: _statement(opened, level, within, past=past, drawn=drawn), clearance, values
    )
    if not rows and within is not None:
        raise BadParameter(f"within names no division that has {level or 'such'} parts here.", parameter="within")
    return await asyncio.to_thread(_places, layer, level, rows)


def _places(layer: VectorLayer, level: str | None, rows: Sequence[Mapping[str, Any]]) -> Places:
    ordered = sorted(rows, key=lambda row: str(row["key"]))
    shaped = [row for row in ordered if row["wkb"] is not None]
    shapes = shapely.from_wkb(np.array([row["wkb"] for row in shaped], dtype=np.object_))
    members = tuple(Division(row["key"], level, row["parent"], _label(row)) for row in shaped)
    return Places(
        layer=layer,
        level=level,
        names={row["key"]: _label(row) for row in ordered},
        parents={row["key"]: row["parent"] for row in ordered},
        divisions=Divisions(members, np.asarray(shapes, dtype=np.object_).reshape(-1)),
    )


def _label(row: Any) -> Text:
    return label_of(row["key"], row["label_zh"], row["label_en"])


def _statement(
    opened: tuple[VectorLayer, Decision], level: str | None, within: str | None, *, past: bool, drawn: bool
) -> sa.Select[Any]:
    layer, decision = opened
    code = sa.bindparam("within", type_=sa.Text())

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        parent = table.c.parent if "parent" in decision.attributes else sa.cast(sa.null(), sa.Text())
        shape = sa.func.ST_AsBinary(plain(table.c.geom)) if drawn else sa.cast(sa.null(), sa.LargeBinary())
        wkb = sa.type_coerce(shape, sa.LargeBinary()).label("wkb")
        return sa.select(table.c.key, wkb, parent.label("parent"), *label_columns(layer, table, decision)).where(
            row_predicate(table, decision.rule), *_chosen(table, level, code if within is not None else None)
        )

    return held(layer, rows_of, past=past)


def _chosen(table: sa.Table, level: str | None, code: sa.BindParameter[str] | None) -> Sequence[sa.ColumnElement[bool]]:
    if level is None:
        return [table.c.key == code]
    same = table.c.level == sa.bindparam("level", type_=sa.Text())
    return [same] if code is None else [same, sa.func.starts_with(table.c.key, code)]
