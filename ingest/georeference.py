"""On which coordinate reference system a source stands, and whether its coordinates can be what it declares.

Order of belief: the mapping's `override_crs`, what the source states, the `crs` that whoever loads it says or else the
mapping's, and last the `datum` of one of the two with what the coordinates themselves say (degrees, or eastings with a
zone number). A datum is never guessed, and what a person says must not contradict what the source states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyproj

from ingest.job import IngestPlan
from ingest.readers.source import Request, Source
from ingest.readers.vector import refuse_missing_crs
from ingest.zones import numbers
from layers.crs import describe, horizontal, parse_crs
from layers.errors import CrsRefused, SourceMismatch
from layers.gauss import FALSE_EASTING, FARTHEST, GEOGRAPHIC, NAMES, Datum, Grid, Zone, grid_of
from layers.model import VectorLayer
from layers.transformation import LOCAL

Bounds = npt.NDArray[np.float64]
How = Literal["override", "stated", "assumed", "degrees", "zone-number", "local"]
By = Literal["source", "mapping", "person"]
CONFIDENCE: dict[How, float] = {
    "override": 1.0,
    "stated": 1.0,
    "assumed": 0.9,
    "zone-number": 0.95,
    "degrees": 0.9,
    "local": 1.0,
}
"""How far each way of deciding is to be believed, from 0 to 1; a rule of thumb for reports, no measurement."""
_TOLD: dict[How, str] = {
    "override": "The coordinate reference system of the mapping was used in place of the one that the source states.",
    "assumed": "The source states no coordinate reference system; that of the mapping was assumed.",
    "zone-number": "The source states no coordinate reference system; the zones were read from its eastings.",
    "degrees": "The source states no coordinate reference system; its coordinates are degrees on the mapping's datum.",
    "local": "The source states no coordinate reference system; it was read in the local system of its transformation.",
}
_TOLD_BY_PERSON: dict[How, str] = {
    "assumed": "The source states no coordinate reference system; the one that whoever loaded it named was used.",
    "zone-number": "The source states no coordinate reference system; the zones were read from its eastings, on the "
    "datum that whoever loaded it named.",
    "degrees": "The source states no coordinate reference system; its coordinates are degrees on the datum that "
    "whoever loaded it named.",
}
_POLE, _TURN = 90.0, 180.0
_NO_DEGREES = 400.0
_MOST = 0.5


@dataclass(frozen=True)
class Reference:
    """What a source stands on.

    Attributes:
        crs: The CRS; None while the coordinates must decide, and for local systems and mixed zones.
        how: By what it was decided.
        datum: One of the four datums of China, when it stands on one.
        grid: The Gauss-Krueger grid, when it is one of China.
        by: Who said so.
    """

    crs: pyproj.CRS | None
    how: How
    datum: Datum | None = None
    grid: Grid | None = None
    by: By = "mapping"

    @property
    def name(self) -> str:
        """Short name for reports and sentences."""
        if self.crs is not None:
            return describe(self.crs)
        return "a local system" if self.how == "local" else f"zones of EPSG:{GEOGRAPHIC[self.datum or 'cgcs2000']}"

    @property
    def zoned(self) -> bool:
        """Whether each row has a zone of its own."""
        return self.grid is not None or self.how == "zone-number"

    def told(self) -> str | None:
        """A sentence for the findings; None when the source itself states its CRS."""
        return (_TOLD_BY_PERSON if self.by == "person" else _TOLD).get(self.how)

    def facts(self) -> dict[str, Any]:
        """The decision for the summary."""
        decided = {"crs": self.name, "how": self.how, "by": self.by, "confidence": CONFIDENCE[self.how]}
        return {**decided, "datum": self.datum}


def reference_of(request: Request, source: Source) -> Reference:
    """What the source stands on as far as source and mapping say.

    Raises:
        CrsRefused: When neither does, or the source states another than whoever loads it says.
    """
    mapping, by = request.plan.mapping, said_by(request.plan)
    if mapping.override_crs is not None:
        return _known(parse_crs(mapping.override_crs), "override")
    if source.crs is not None:
        stated = _known(source.crs, "stated", "source")
        refuse_contradiction(request.plan, stated)
        return stated
    if mapping.crs is not None:
        return _known(parse_crs(mapping.crs), "assumed", by)
    if mapping.datum is not None:
        return Reference(None, "zone-number", mapping.datum, by=by)
    named = request.plan.transformations.get(mapping.transformation or "")
    if named is not None and named.source == LOCAL:
        return Reference(None, "local")
    raise refuse_missing_crs(request)


def settle(reference: Reference, bounds: Bounds, request: Request) -> Reference:
    """Complete the reference by the first coordinates, and refuse what they cannot be.

    Args:
        reference: What is declared.
        bounds: Bounds (x and y) of the first geometries, finite only.
        request: For names and the layer.

    Raises:
        CrsRefused: When the declared unit or the declared zone cannot be right.
        SourceMismatch: When longitude and latitude are evidently swapped.
    """
    if reference.crs is None:
        return _by_coordinates(reference, bounds, request)
    if horizontal(reference.crs).is_geographic:
        _refuse_metres(reference, bounds, request)
        _refuse_swapped(bounds, request)
    elif _origin_is_far(reference):
        _refuse_degrees(reference, bounds, request)
    return reference


def said_by(plan: IngestPlan) -> By:
    """Who named the CRS or the datum that stands in the plan's mapping."""
    return "person" if plan.options.says_crs else "mapping"


def refuse_contradiction(plan: IngestPlan, stated: Reference) -> None:
    """Refuse a source that states another CRS than whoever loads it says.

    Raises:
        CrsRefused: Naming both.
    """
    said = plan.options
    same_datum = said.datum is None or stated.datum == said.datum
    same_crs = said.crs is None or describe(parse_crs(said.crs)) == stated.name
    if same_datum and same_crs:
        return
    raise CrsRefused(
        f"{plan.source.name} states {stated.name}, but {said.crs or said.datum} was named for it. Load it without "
        "crs and datum, or, when the file is wrong, say `override_crs: EPSG:...` in the source mapping "
        f"{plan.mapping_name!r}.",
        declared=stated.name,
    )


def known(crs: pyproj.CRS) -> Reference:
    """What a source stands on that states its CRS itself."""
    return _known(crs, "stated", "source")


def _known(crs: pyproj.CRS, how: How, by: By = "mapping") -> Reference:
    flat = horizontal(crs)
    grid = grid_of(flat)
    datum = flat.geodetic_crs.datum if flat.geodetic_crs is not None else None
    national = NAMES.get(datum.name) if datum is not None else None
    return Reference(crs, how, national, grid if grid is not None and grid.datum is not None else None, by)


def _by_coordinates(reference: Reference, bounds: Bounds, request: Request) -> Reference:
    if reference.datum is None:
        return reference
    if _share(_in_degrees(bounds)) > _MOST:
        degrees = _known(pyproj.CRS.from_epsg(GEOGRAPHIC[reference.datum]), "degrees", reference.by)
        _refuse_swapped(bounds, request)
        return degrees
    carried = (numbers(bounds[:, [0, 2]]) > 0) | (numbers(bounds[:, [1, 3]]) > 0)
    if not carried.any():
        six = (np.abs(bounds[:, [0, 2]] - FALSE_EASTING) <= FARTHEST).all(axis=1).any()
        what = "have six digits and carry no zone number" if six else "are neither degrees nor eastings of a zone"
        raise CrsRefused(
            f"{request.name} states no coordinate reference system and its coordinates {what}; name it with "
            f"`crs: EPSG:...` in the source mapping {request.plan.mapping_name!r}, or `--crs EPSG:...` for this load.",
            source=request.name,
        )
    return reference


def _refuse_metres(reference: Reference, bounds: Bounds, request: Request) -> None:
    if _share(np.asarray((np.abs(bounds) > _NO_DEGREES).any(axis=1))) <= _MOST:
        return
    hint = _hint(reference, bounds)
    raise CrsRefused(
        f"{request.name} declares degrees ({reference.name}), but its coordinates are metres: x {_span(bounds, 0)}, "
        f"y {_span(bounds, 1)}. Name the projected system with `override_crs` in the source mapping{hint}.",
        declared=reference.name,
    )


def _hint(reference: Reference, bounds: Bounds) -> str:
    """The code that the zone number in the eastings speaks for."""
    found = np.concatenate([numbers(bounds[:, [0, 2]]), numbers(bounds[:, [1, 3]])])
    found = found[found > 0]
    if not len(found) or reference.datum is None:
        return ""
    zone = Zone(int(np.bincount(found).argmax()))
    return (
        f"; the eastings carry the zone number {zone.number}, which is EPSG:{zone.code(reference.datum, prefixed=True)}"
    )


def _refuse_degrees(reference: Reference, bounds: Bounds, request: Request) -> None:
    if not _in_degrees(bounds).all() or (np.abs(bounds) <= 1.0).all():
        return
    raise CrsRefused(
        f"{request.name} declares metres ({reference.name}), but its coordinates are degrees: x {_span(bounds, 0)}, "
        f"y {_span(bounds, 1)}. Name the geographic system with `override_crs` in the source mapping.",
        declared=reference.name,
    )


def _refuse_swapped(bounds: Bounds, request: Request) -> None:
    x, y = np.abs(bounds[:, [0, 2]]), np.abs(bounds[:, [1, 3]])
    beyond = bool((x <= _POLE).all()) and _share(np.asarray((y > _POLE).all(axis=1))) > _MOST
    if not beyond and not _only_swapped_inside(bounds, request):
        return
    why = (
        f"Latitudes of {request.name} lie beyond 90 degrees and no longitude does"
        if beyond
        else f"All of {request.name} lies outside the extent of its layer, and inside when x and y change places"
    )
    cure = "take `swap: true` out of" if request.plan.mapping.swap else "say `swap: true` in"
    raise SourceMismatch(
        f"{why}: they are swapped; {cure} the source mapping {request.plan.mapping_name!r}.", source=request.name
    )


def _only_swapped_inside(bounds: Bounds, request: Request) -> bool:
    layer = request.plan.layer
    if not isinstance(layer, VectorLayer) or layer.extent is None:
        return False
    return not _touches(bounds, layer.extent).any() and bool(_within(bounds[:, [1, 0, 3, 2]], layer.extent).all())


def _touches(bounds: Bounds, box: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    west, south, east, north = box
    over = (bounds[:, 0] <= east) & (bounds[:, 2] >= west)
    return np.asarray(over & (bounds[:, 1] <= north) & (bounds[:, 3] >= south))


def _within(bounds: Bounds, box: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    west, south, east, north = box
    low = (bounds[:, 0] >= west) & (bounds[:, 1] >= south)
    return np.asarray(low & (bounds[:, 2] <= east) & (bounds[:, 3] <= north))


def _in_degrees(bounds: Bounds) -> npt.NDArray[np.bool_]:
    x, y = np.abs(bounds[:, [0, 2]]), np.abs(bounds[:, [1, 3]])
    straight = (x <= _TURN).all(axis=1) & (y <= _POLE).all(axis=1)
    return np.asarray(straight | ((x <= _POLE).all(axis=1) & (y <= _TURN).all(axis=1)))


def _origin_is_far(reference: Reference) -> bool:
    """Whether a few hundred metres from the origin of the projection are no place to find a whole source.

    A projection that somebody centred on a site has its origin there; one of the registry has not.
    """
    return reference.grid is not None or reference.name.startswith("EPSG:")


def _share(mask: npt.NDArray[np.bool_]) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _span(bounds: Bounds, axis: int) -> str:
    return f"{bounds[:, axis].min():.10g} to {bounds[:, axis + 2].max():.10g}"
