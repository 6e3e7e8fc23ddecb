"""Secondary hazards: dangerous sites in a zone, and the land beyond it that an accident there may reach.

How far an accident reaches is what each site declares in the attribute that its layer names (`exposure: reach`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.analysis.cells import polygons
from geoservice.analysis.geojson import checked
from geoservice.analysis.place import Place
from geoservice.features.lookup import label_columns, label_of
from geoservice.impact.explain import VERSION
from geoservice.impact.fetch import Ground, near
from geoservice.impact.people import people_by
from geoservice.impact.zoned import Zoned, zoned_place
from geoservice.queries.ring import buffered
from layers.access import Decision
from layers.impact import DangerousSite, Explanation, ImpactSection, Secondary
from layers.model import Text, VectorLayer
from layers.table import held, row_predicate

MOST_SITES = 500
"""Sites whose reach is drawn; of more, those with the greatest reach are."""
ROLES = ("population", "settlement", "building", "facility", "danger", "power", "monument")
"""What is looked for in the land that may be reached."""
ORIGIN = "secondary"
_LABEL = Text(zh="次生灾害影响范围", en="within reach of dangerous sites")
_LEAST = 1e-12


@dataclass(frozen=True)
class Site:
    """A dangerous site with its geometry; `told` is what an answer says of it."""

    told: DangerousSite
    shape: shapely.Geometry


@dataclass(frozen=True)
class Sites:
    """Sites in a zone that declare a reach, the farthest first, and how many declare none."""

    found: tuple[Site, ...]
    silent: int


async def read_sites(ground: Ground, layers: Sequence[tuple[VectorLayer, Decision]], zoned: Zoned) -> Sites:
    """The dangerous sites of some layers that lie in a zone (in all its classes together)."""
    zone, boxes = zoned.whole(), zoned.boxes()
    shapely.prepare(zone)
    found: list[Site] = []
    silent = 0
    for layer, decision in layers:
        reach = layer.exposure.reach if layer.exposure is not None else None
        if reach is None or reach not in decision.attributes:
            continue
        for row in await _rows(ground, layer, decision, reach, boxes):
            shape = shapely.from_wkb(row["wkb"])
            if not shapely.intersects(zone, shape):
                continue
            if row["reach"] is None or row["reach"] <= 0:
                silent += 1
            else:
                found.append(_site(layer, row, shape))
    return Sites(tuple(sorted(found, key=lambda one: (-one.told.reach_m, one.told.layer, one.told.id))), silent)


def beyond(sites: Sites, zoned: Zoned) -> Zoned | None:
    """The land outside a zone that is within reach of its sites; None where there is none. Call it in a thread.

    Circles are geodesic; sites with a surface reach from its border.
    """
    drawn = [buffered(one.shape, one.told.reach_m) for one in sites.found[:MOST_SITES]]
    if not drawn:
        return None
    ordered = sorted(drawn, key=shapely.to_wkb)
    around = shapely.union_all(np.array(ordered, dtype=np.object_))
    rest = polygons(shapely.difference(around, zoned.whole()))
    if shapely.area(rest) <= _LEAST:
        return None
    return zoned_place(Place(checked(rest, "the land within reach of dangerous sites"), ORIGIN, _LABEL))


def secondary_of(sites: Sites, land: Zoned | None, sections: Sequence[ImpactSection], *, explain: bool) -> Secondary:
    """What is told of secondary hazards."""
    people = people_by(sections, None)
    return Secondary(
        sites=tuple(one.told for one in sites.found[:MOST_SITES]),
        sites_total=len(sites.found) + sites.silent,
        silent=sites.silent,
        area_m2=land.described().area_m2 if land is not None else 0.0,
        people=people[0] if people else None,
        sections=tuple(sections),
        explain=_explained(sites) if explain else None,
    )


def _explained(sites: Sites) -> Explanation:
    return Explanation(
        formula="features in union over sites s of circle(s, reach(s)) without the zone",
        method=f"geoservice impact {VERSION}: geodesic circles of the reach that each site declares",
        inputs=tuple(sorted({one.told.layer for one in sites.found})),
        parameters={"most_sites": MOST_SITES},
    )


async def _rows(
    ground: Ground, layer: VectorLayer, decision: Decision, reach: str, boxes: Sequence[tuple[float, ...]]
) -> Sequence[Mapping[str, Any]]:
    def rows_of(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        inner = sa.func.ST_PointOnSurface(plain, type_=sa.types.NullType())
        return sa.select(
            table.c.key,
            *label_columns(layer, table, decision),
            sa.cast(table.c[reach], sa.Double()).label("reach"),
            sa.func.ST_X(inner).label("lon"),
            sa.func.ST_Y(inner).label("lat"),
            sa.type_coerce(sa.func.ST_AsBinary(plain), sa.LargeBinary()).label("wkb"),
        ).where(row_predicate(table, decision.rule), table.c.geom.is_not(None), *near(table, len(boxes)))

    def made() -> sa.Select[Any]:
        return held(layer, rows_of, past=ground.as_of is not None)

    sides = {f"{side}{n}": v for n, box in enumerate(boxes) for side, v in zip("wsen", box, strict=True)}
    shape = ("dangers", layer.name, decision.attributes, len(boxes))
    return await ground.rows(shape, made, decision.rule.max_clearance, sides)


def _site(layer: VectorLayer, row: Mapping[str, Any], shape: shapely.Geometry) -> Site:
    label = label_of(row["key"], row["label_zh"], row["label_en"])
    told = DangerousSite(
        layer=layer.name, id=row["key"], label=label, lon=row["lon"], lat=row["lat"], reach_m=row["reach"]
    )
    return Site(told, shape)
