"""How the figures of an impact are found: in words that go out with every answer, and per section on demand."""

from __future__ import annotations

from typing import Any

from geoservice.analysis.method import METHOD
from layers.impact import Explanation, ImpactSection

VERSION = "1"
IMPACT_METHOD = {
    **{name: METHOD[name] for name in ("coordinates", "ellipsoid", "edges", "area", "length", "raster", "no-data")},
    "version": VERSION,
    "classes": (
        "Classes of a zone do not overlap: a place belongs to its worst class. Areas and lengths are cut at their "
        "borders. What is counted belongs to the worst class that it meets, what is summed to the class in which its "
        "inner point lies, so that classes add up to the total."
    ),
    "divisions": (
        "Figures are told by the finest divisions that are loaded. Areas and lengths are cut at their borders; what is "
        "counted or summed belongs to the division of its inner point. A feature in several divisions counts once in "
        "each and once in the total."
    ),
    "bounds": "low and high are the figures for the zone at the ends of what its method is uncertain about.",
    "sums": (
        "Sizes are rounded to 0.0001 m or m2 per feature and added as whole numbers, so that no order matters and the "
        "same question on the same editions has the same answer, byte for byte."
    ),
    "rounding": "Hectares (4 decimals) and mu (2 decimals) are rounded by largest remainder: parts add up.",
}
_FORMULAS = {
    "area": "sum over features f of area(f ∩ zone), edges straight in longitude and latitude, on the ellipsoid",
    "length": "sum over features f of geodesic length(f ∩ zone)",
    "count": "number of features with a part inside (points: inside or on the border)",
    "sum": "sum over features f whose inner point lies in the zone of {value}(f)",
    "raster": "sum over cells c of value(c) × share of c inside the zone",
}


def explained(section: ImpactSection, *, raster: bool, value: str | None, by: str | None, zone: str) -> Explanation:
    """How the figures of a section were found.

    Args:
        section: The section.
        raster: Whether cells were added up.
        value: The attribute that was summed.
        by: The attribute by which figures are grouped.
        zone: Where the zone came from.
    """
    kind = "raster" if raster else section.measure
    edition = section.edition
    told = "nothing loaded" if edition is None else f"edition {edition.number} of {edition.committed.isoformat()}"
    parameters: dict[str, Any] = {name: given for name, given in (("value", value), ("by", by)) if given is not None}
    return Explanation(
        formula=_FORMULAS[kind].format(value=value),
        method=f"geoservice impact {VERSION}: {kind}",
        inputs=(f"zone {zone}", f"{section.layer}, {told}"),
        parameters=parameters,
    )
