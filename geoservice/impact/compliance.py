"""The land officer's question: what does a red line overlap, and what follows from that by the rules?"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.analysis.cells import polygons
from geoservice.analysis.sections import UNCLASSIFIED
from geoservice.analysis.statements import Counting
from geoservice.features.state import read_states
from geoservice.impact.explain import IMPACT_METHOD
from geoservice.impact.fetch import Ground, Wanted, read_editions, read_rows
from geoservice.impact.figures import HECTARE_DECIMALS, MU_DECIMALS
from geoservice.impact.known import known_extent
from geoservice.impact.redline import RedLine
from geoservice.impact.region import regions_of
from geoservice.impact.rounding import rounded_parts
from geoservice.impact.rules import Overlap, Rule, judged, rules, worst
from geoservice.routing.ground import Office
from layers.access import decide
from layers.answer import EditionRef
from layers.area import SQUARE_METRES_PER_HECTARE, SQUARE_METRES_PER_MU, ellipsoidal_area
from layers.catalog import Catalog
from layers.codelist import CodeList
from layers.compliance import Area, ComplianceAnswer, OverlapRow, OverlapSection, RedLineTold, RuleVerdict, Verdict
from layers.exposure import Compliance
from layers.extent import Extent
from layers.model import Text, VectorLayer

_DIVIDING = ("land", "ownership", "planning")
"""Roles whose values divide the land among them: with what they do not cover they add up to the red line."""
_FILLING = ("land", "ownership")
"""Roles that have a value everywhere: where none is loaded, there is one that is not known."""
_UNCOVERED = Text(zh="无数据覆盖", en="not covered by data")
_METHOD = {name: IMPACT_METHOD[name] for name in ("coordinates", "ellipsoid", "edges", "area", "rounding")}
_TOUCH = 1e-3
_DECIMALS = 4
SUMMARIES: Mapping[Verdict, Text] = {
    "clear": Text(zh="各项规则均未发现问题。", en="No rule found anything."),
    "attention": Text(zh="有需要注意的事项，见各条。", en="Some rules want attention; see each."),
    "conflict": Text(zh="存在冲突，见各条。", en="There are conflicts; see each rule."),
    "no-data": Text(zh="部分规则缺少数据，不能作出结论。", en="Some rules could not be judged for want of data."),
}


@dataclass(frozen=True)
class Found:
    """What a red line shares with one layer in one role: m2 by value (None without data here), and m2 covered.

    `beyond` are the m2 outside the box of all that is loaded, where the layer says nothing of what is there.
    """

    layer: VectorLayer
    use: Compliance
    edition: EditionRef | None
    by_code: Mapping[str | None, float] | None
    covered: float = 0.0
    beyond: float = 0.0


async def compliance_answer(office: Office, line: RedLine, as_of: dt.datetime | None) -> ComplianceAnswer:
    """Judge a red line.

    Args:
        office: Connections, and the context of whoever asks: what they may not see is not looked at.
        line: The red line.
        as_of: Instant of system time; None for what holds now.
    """
    context, clearance = office.context, office.context.principal.clearance
    layers = [la for la in context.catalog if isinstance(la, VectorLayer) and la.compliance]
    seen = [la for la in layers if decide(context.principal, "read", la).allowed]
    found: list[Found] = []
    async with (
        office.pools.raw(clearance) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        ground = Ground(connection, office.reading, as_of)
        editions = await read_editions(ground, seen, clearance)
        states = await read_states(connection, clearance, [la.name for la in seen])
        for layer in seen:
            decision = decide(context.principal, "read", layer)
            extent = await known_extent(ground, layer, decision, states[layer.name])
            for use in layer.compliance:
                found.append(await _found(office, ground, line, (layer, use), (editions.get(layer.name), extent)))
    return await asyncio.to_thread(_answer, office, line, found, as_of)


async def _found(
    office: Office,
    ground: Ground,
    line: RedLine,
    about: tuple[VectorLayer, Compliance],
    known: tuple[EditionRef | None, Extent | None],
) -> Found:
    layer, use = about
    edition, extent = known
    decision = decide(office.context.principal, "read", layer)
    there = extent is not None and _near(line, use, extent)
    if edition is None or extent is None or not there or use.by not in decision.attributes:
        return Found(layer, use, edition, None)
    wanted = Wanted(layer, decision, Counting("area", use.by), None, line.place.boxes())
    read = await read_rows(ground, wanted)
    shared = await asyncio.to_thread(_shared, line, read.rows.wkb, read.rows.code)
    beyond = await asyncio.to_thread(line.place.outside, extent)
    return Found(layer, use, edition, *shared, beyond)


def _near(line: RedLine, use: Compliance, extent: Extent) -> bool:
    """Whether a layer may say something of a red line.

    Where nothing is planned or approved nothing is loaded, so that these speak of what lies around them, too.
    """
    silent = use.role in ("planning", "approval")
    return line.place.meets_surroundings(extent) if silent else line.place.meets(extent)


def _shared(
    line: RedLine, texts: Sequence[bytes], codes: Sequence[str | None]
) -> tuple[dict[str | None, float], float]:
    """Square metres of the red line by code, and of all together; where features overlap each place counts once."""
    shapes = np.asarray(shapely.from_wkb(np.array(list(texts), dtype=np.object_)), dtype=np.object_).reshape(-1)
    parts: dict[str | None, list[shapely.Geometry]] = {}
    for region in regions_of(line.place.geometry):
        number, cut = region.cut(shapes)
        for at, part in zip(number.tolist(), cut, strict=True):
            parts.setdefault(codes[at] or None, []).append(polygons(part))
    by_code = {code: _area(pieces) for code, pieces in parts.items()}
    covered = _area([piece for pieces in parts.values() for piece in pieces])
    return {code: size for code, size in by_code.items() if size > _TOUCH}, covered


def _area(pieces: Sequence[shapely.Geometry]) -> float:
    if not pieces:
        return 0.0
    joined = shapely.union_all(np.array(pieces, dtype=np.object_))
    # Measured in its parts: where neighbours meet the union may drop corners that lie on a straight line.
    return round(math.fsum(ellipsoidal_area(shapely.get_parts(joined)).tolist()), _DECIMALS)


def _answer(office: Office, line: RedLine, found: Sequence[Found], as_of: dt.datetime | None) -> ComplianceAnswer:
    catalog, clearance = office.context.catalog, office.context.principal.clearance
    described = line.place.described()
    area = round(described.area_m2, _DECIMALS)
    whole = _told_area(area)
    verdicts = [_judge(rule, catalog, area, found) for rule in rules()]
    verdict = worst([one.verdict for one in verdicts])
    return ComplianceAnswer(
        as_of=as_of,
        red_line=RedLineTold(
            origin=line.place.origin, parcels=line.parcels, area=whole, bbox=described.bbox, digest=line.digest
        ),
        verdict=verdict,
        summary=SUMMARIES[verdict],
        rules=tuple(verdicts),
        sections=tuple(_section(catalog, one, area) for one in found),
        method={**_METHOD, "readers": f"What readers of the clearance {clearance.label} may see was looked at."},
    )


def _judge(rule: Rule, catalog: Catalog, area: float, found: Sequence[Found]) -> RuleVerdict:
    mine = [one for one in found if one.use.role == rule.role]
    there = [one for one in mine if one.by_code is not None]
    overlap = _overlap(catalog, there, area) if there else None
    made = judged(rule, area, overlap)
    return RuleVerdict(
        id=rule.id,
        title=rule.title,
        verdict=made.verdict,
        text=made.words,
        area=None if made.area is None else _told_area(made.area),
        layers=tuple(one.layer.name for one in mine),
        source=rule.source,
    )


def _overlap(catalog: Catalog, found: Sequence[Found], area: float) -> Overlap:
    """Overlaps of all layers of a role; a code counts for those above it in its list, too."""
    by_code: dict[str, float] = {}
    for one in found:
        codes = _codelist(catalog, one)
        for code, size in (one.by_code or {}).items():
            for above in _chain(codes, code):
                by_code[above] = by_code.get(above, 0.0) + size
    covered = sum(one.covered for one in found)
    return Overlap(by_code=by_code, covered=covered, unknown=_unknown(found, area, covered))


def _unknown(found: Sequence[Found], area: float, covered: float) -> float:
    """Square metres of which the layers of a role do not say what is there."""
    role = found[0].use.role
    if role in _FILLING:
        return max(area - covered, 0.0)
    return min(area, *(one.beyond for one in found)) if role == "control" else 0.0


def _section(catalog: Catalog, one: Found, area: float) -> OverlapSection:
    frame = {"role": one.use.role, "layer": one.layer.name, "title": one.layer.title, "edition": one.edition}
    if one.by_code is None:
        return OverlapSection(status="no-data", **frame)
    codes = _codelist(catalog, one)
    order = {code: place for place, code in enumerate(codes.codes)} if codes else {}
    listed = sorted(one.by_code, key=lambda c: (c is None, order.get(c or "", len(order)), c or ""))
    rows = [(code, _label(codes, code), one.by_code[code]) for code in listed]
    sizes = [size for *_, size in rows]
    rest = area - math.fsum(sizes)
    divides = one.use.role in _DIVIDING and rest > -_TOUCH * max(1.0, len(rows))
    if divides and rest > _TOUCH:
        rows.append((None, _UNCOVERED, round(rest, _DECIMALS)))
        sizes.append(rest)
    hectares, mu = (rounded_parts([s / unit for s in sizes], d) for unit, d in _UNITS)
    told = tuple(
        OverlapRow(code=code, label=label, m2=size, ha=ha, mu=m)
        for (code, label, size), ha, m in zip(rows, hectares, mu, strict=True)
    )
    return OverlapSection(status="ok", divides=divides, rows=told, **frame)


_UNITS = ((SQUARE_METRES_PER_HECTARE, HECTARE_DECIMALS), (SQUARE_METRES_PER_MU, MU_DECIMALS))


def _told_area(size: float) -> Area:
    (ha,), (mu,) = (rounded_parts([size / unit], decimals) for unit, decimals in _UNITS)
    return Area(m2=round(size, _DECIMALS), ha=ha, mu=mu)


def _codelist(catalog: Catalog, one: Found) -> CodeList | None:
    listed = one.layer.attributes[one.use.by].list
    return catalog.codelist(listed) if listed else None


def _label(codes: CodeList | None, code: str | None) -> Text:
    if code is None:
        return UNCLASSIFIED
    if codes is None:
        return Text(zh=code, en=code)
    return Text(zh=codes.label(code, "zh"), en=codes.label(code, "en"))


def _chain(codes: CodeList | None, code: str | None) -> list[str]:
    """A code and those above it in a list that has levels."""
    chain: list[str] = []
    while code is not None and code not in chain:
        chain.append(code)
        entry = codes.codes.get(code) if codes is not None else None
        code = entry.parent if entry is not None else None
    return chain
