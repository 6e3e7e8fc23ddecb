"""People by census: each division's people, by the part of its area that lies in the zone (areal weighting).

It takes people to live evenly over a division, which a raster of population does better where there is one; so it
stands beside the raster and takes its place where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.impact.divisions import Divisions
from geoservice.impact.fetch import Ground
from geoservice.impact.hits import ZonePart
from geoservice.impact.measure import LEAST, UNITS, plain, sizes_of
from geoservice.impact.region import LOOK, WHOLE, Floats, Longs
from geoservice.impact.sections import Laid
from layers.access import Decision
from layers.answer import EditionRef
from layers.hazard import Bound
from layers.impact import DivisionFigure, PeopleBy, RankFigure
from layers.model import Text, VectorLayer
from layers.table import held, row_predicate

AREAL = "areal"


@dataclass(frozen=True)
class Shared:
    """People (units) by division (place in the list) and rank of the class."""

    division: Longs
    rank: Longs
    people: Longs

    def total(self) -> float:
        """All of them."""
        return plain(int(self.people.sum()))

    def of_division(self, place: int) -> Shared:
        """Those of one division."""
        mine = self.division == place
        return Shared(self.division[mine], self.rank[mine], self.people[mine])

    def of_rank(self, rank: int) -> float:
        """Those of one class."""
        return plain(int(self.people[self.rank == rank].sum()))


async def read_people(
    ground: Ground, layer: VectorLayer, decision: Decision, codes: tuple[str, ...]
) -> dict[str, float]:
    """People of divisions by their codes, as far as the layer tells them and the asker may see it."""
    attribute = layer.exposure.census if layer.exposure is not None else None
    if attribute is None or attribute not in decision.attributes or not codes:
        return {}

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        people: sa.Label[Any] = sa.cast(table.c[attribute], sa.Double()).label("people")
        wanted = table.c.key == sa.any_(sa.bindparam("codes", type_=sa.ARRAY(sa.Text())))
        return sa.select(table.c.key, people).where(row_predicate(table, decision.rule), wanted)

    def made() -> sa.Select[Any]:
        return held(layer, rows_of, past=ground.as_of is not None)

    shape = ("census", layer.name, attribute)
    rows = await ground.rows(shape, made, decision.rule.max_clearance, {"codes": list(codes)})
    return {row["key"]: row["people"] for row in rows if row["people"] is not None}


def census_people(
    laid: Laid, layer: VectorLayer, known: Mapping[str, float], edition: EditionRef | None
) -> PeopleBy | None:
    """People of a zone by areal weighting; None where no division with known people meets it. Call it in a thread.

    Where nothing is in danger, the divisions that lie around where it was looked for have nobody in it.
    """
    shared = {bound: shared_people(laid.divisions, parts, known) for bound, parts in laid.parts.items()}
    best = shared["best"]
    if not laid.zoned.bare and not any(len(one.people) for one in shared.values()):
        return None
    sums = {bound: one.total() for bound, one in shared.items()}
    return PeopleBy(
        layer=layer.name,
        method=AREAL,
        value=sums["best"],
        low=sums.get("low"),
        high=sums.get("high"),
        edition=edition,
        note=_unknown(laid.divisions, laid.parts["best"], known),
        classes=tuple(RankFigure(rank=part.rank, value=best.of_rank(part.rank)) for part in laid.parts["best"]),
        divisions=_divisions(laid.divisions, shared) if laid.told else (),
    )


def shared_people(divisions: Divisions, parts: tuple[ZonePart, ...], known: Mapping[str, float]) -> Shared:
    """People of each division in each class: its people times the part of its area there, in whole units."""
    found: list[Shared] = []
    people = np.array([known.get(code, np.nan) for code in divisions.codes], dtype=np.float64)
    counted = np.flatnonzero(~np.isnan(people))
    whole = np.zeros(len(people), dtype=np.int64)
    for part in parts:
        inside = _inside(divisions, part, counted)
        there = np.flatnonzero(inside > LEAST)
        whole[there] = sizes_of("area", divisions.shapes[there])
        share = np.minimum(inside[there] / np.maximum(whole[there], 1), 1.0)
        units = np.rint(people[there] * share * UNITS).astype(np.int64)
        found.append(Shared(there, np.full(len(there), part.rank, dtype=np.int64), units))
    none = np.zeros(0, dtype=np.int64)
    return Shared(
        *(np.concatenate([none, *(getattr(one, name) for one in found)]) for name in ("division", "rank", "people"))
    )


def _inside(divisions: Divisions, part: ZonePart, counted: Longs) -> Longs:
    """Area (units) of each division in a class."""
    inside = np.zeros(len(divisions.codes), dtype=np.int64)
    boxes = _boxes(divisions)[counted]
    for region in part.regions:
        said = region.sort(boxes)
        inside[counted[said == WHOLE]] = sizes_of("area", divisions.shapes[counted[said == WHOLE]])
        unsure = counted[said == LOOK]
        number, pieces = region.cut(divisions.shapes[unsure])
        np.add.at(inside, unsure[number], sizes_of("area", pieces))
    return inside


def _boxes(divisions: Divisions) -> Floats:
    return np.asarray(shapely.bounds(divisions.shapes), dtype=np.float64).reshape(-1, 4)


def _divisions(divisions: Divisions, shared: Mapping[Bound, Shared]) -> tuple[DivisionFigure, ...]:
    met = sorted({int(place) for one in shared.values() for place in one.division})
    made = []
    for place in met:
        member = divisions.members[place]
        sums = {bound: one.of_division(place).total() for bound, one in shared.items()}
        best = shared["best"].of_division(place)
        ranks = tuple(
            RankFigure(rank=int(rank), value=plain(int(units)))
            for rank, units in zip(best.rank, best.people, strict=True)
        )
        made.append(
            DivisionFigure(
                code=member.code,
                label=member.label,
                level=member.level,
                parent=member.parent,
                value=sums["best"],
                low=sums.get("low"),
                high=sums.get("high"),
                classes=ranks,
            )
        )
    return tuple(made)


def _unknown(divisions: Divisions, parts: tuple[ZonePart, ...], known: Mapping[str, float]) -> Text | None:
    silent = np.array([n for n, code in enumerate(divisions.codes) if code not in known], dtype=np.int64)
    inside = [_inside(divisions, part, silent) for part in parts] if len(silent) else []
    missing = int(np.count_nonzero(np.sum(inside, axis=0) > LEAST)) if inside else 0
    if not missing:
        return None
    return Text(
        zh=f"范围内有 {missing} 个区划没有人口数，未计入。",
        en=f"{missing} divisions in the zone say nothing of their people and add nothing.",
    )
