"""How many people are in a zone: which way to count them counts, and what the other ways say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from geoservice.impact.explain import VERSION
from layers.impact import Counted, Explanation, ImpactSection, People, PeopleBy

WAYS: tuple[Counted, ...] = get_args(Counted)
"""In the order in which they count: a raster knows where in a division people live, a census how many there are."""
_FORMULAS: dict[Counted, str] = {
    "raster": "sum over cells c of people(c) × share of c inside the zone",
    "areal": "sum over the finest divisions d of people(d) × area(d ∩ zone) / area(d)",
    "points": "sum over settlements s inside the zone or on its border of people(s)",
}


def people_of(
    sections: Sequence[ImpactSection], census: PeopleBy | None, wanted: Counted | None, *, explain: bool, zone: str
) -> People | None:
    """People by the way that was wanted, else by the first one that has data here; None where none has.

    Args:
        sections: Sections of the answer.
        census: People by divisions.
        wanted: The way that must count; None for the first that can.
        explain: Whether to say how they were counted.
        zone: Where the zone came from.
    """
    known = people_by(sections, census)
    ways = WAYS if wanted is None else (wanted,)
    best = next((one for way in ways for one in known if one.method == way), None)
    if best is None:
        return None
    told: dict[str, Any] = {name: getattr(best, name) for name in PeopleBy.model_fields}
    others = tuple(one for one in known if one is not best)
    return People(**told, others=others, explain=explained_people(best, zone) if explain else None)


def people_by(sections: Sequence[ImpactSection], census: PeopleBy | None) -> list[PeopleBy]:
    """What each way to count people says, in the order in which they count."""
    found = [_by(section, way) for section in sections if (way := _way(section)) is not None]
    if census is not None:
        found.append(census)
    return sorted((one for one in found if one is not None), key=lambda one: (WAYS.index(one.method), one.layer))


def explained_people(found: PeopleBy, zone: str) -> Explanation:
    """How people were counted."""
    edition = found.edition
    told = "nothing loaded" if edition is None else f"edition {edition.number} of {edition.committed.isoformat()}"
    return Explanation(
        formula=_FORMULAS[found.method],
        method=f"geoservice impact {VERSION}: people by {found.method}",
        inputs=(f"zone {zone}", f"{found.layer}, {told}"),
    )


def _way(section: ImpactSection) -> Counted | None:
    if section.measure != "sum" or section.status != "ok" or section.total is None:
        return None
    ways: dict[str, Counted] = {"population": "raster", "settlement": "points"}
    return ways.get(section.role)


def _by(section: ImpactSection, way: Counted) -> PeopleBy | None:
    total = section.total
    if total is None:
        return None
    return PeopleBy(
        layer=section.layer,
        method=way,
        value=total.value,
        low=total.low,
        high=total.high,
        edition=section.edition,
        note=section.note,
    )
