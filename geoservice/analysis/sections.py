"""From the rows of a layer's statements to its section of the answer. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from geoservice.analysis.context import RasterSum
from geoservice.analysis.statements import Counting
from geoservice.features.lookup import label_of
from layers.access import Decision
from layers.answer import AnswerFeature, AnswerRow, AnswerSection, EditionRef
from layers.catalog import Catalog
from layers.codelist import CodeList
from layers.exposure import ROLES
from layers.model import Layer, RasterLayer, Text, VectorLayer

UNCLASSIFIED = Text(zh="未分类", en="unclassified")
TOO_SLOW = Text(
    zh="本节在规定时间内未能算完，请缩小范围再试。",
    en="This section could not be computed in the time allowed; ask about a smaller zone.",
)
NOTHING_LOADED = Text(
    zh="该图层在此范围及其周围没有数据，这不等于零。",
    en="Nothing is loaded for this layer here or around; that is not zero.",
)
NOTHING_THEN = Text(
    zh="当时该图层在此范围及其周围没有数据，这不等于零。",
    en="Nothing was loaded for this layer here or around at that time; that is not zero.",
)
RASTER_MEASURE = "sum"
_WHOLE = 0.999
_UNITS = {"count": "1", "length": "m", "area": "m2"}
_ATTRIBUTE = "a_"


def beyond_box(share: float) -> Text | None:
    """That some share (0 to 1) of a zone lies outside the box of what is loaded of a layer; None for next to none."""
    if share < 1 - _WHOLE:
        return None
    return Text(
        zh=f"该范围有 {share:.1%} 超出此图层已入库数据的外框，那里情况不明，未计入。",
        en=f"{share:.1%} of the zone lies outside the box of what is loaded of this layer; nothing is known there, "
        "and nothing counted.",
    )


def joined(notes: Sequence[Text | None]) -> Text | None:
    """Several notes as one; None where there are none."""
    told = [one for one in notes if one is not None]
    return Text(zh="".join(one.zh for one in told), en=" ".join(one.en for one in told)) if told else None


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """One row of the totals statement: group, features, their measure, how many had no value."""

    code: str | None
    features: int
    value: float
    missing: int


def exposed(layers: Sequence[Layer]) -> list[VectorLayer | RasterLayer]:
    """The layers that take part in an analysis, by role, then by their place in the portal."""
    chosen = [la for la in layers if la.exposure is not None and isinstance(la, VectorLayer | RasterLayer)]
    return sorted(chosen, key=lambda la: (ROLES.index(_role(la)), la.portal.order, la.name))


def empty_section(
    layer: VectorLayer | RasterLayer, measure: str, unit: str, edition: EditionRef | None, note: Text
) -> AnswerSection:
    """A section without figures: `unavailable` when time ran out, `no-data` when nothing is loaded here."""
    return AnswerSection(
        layer=layer.name,
        title=layer.title,
        role=_role(layer),
        measure=measure,
        unit=unit,
        total=None,
        edition=edition,
        status="unavailable" if note is TOO_SLOW else "no-data",
        note=note,
    )


def filled_section(
    layer: VectorLayer,
    counting: Counting,
    catalog: Catalog,
    totals: Sequence[GroupTotal],
    edition: EditionRef | None,
) -> AnswerSection:
    """The section of a vector layer: its total, and a row per class when the layer is grouped."""
    ordered = _ordered(totals, _codelist(layer, counting, catalog))
    grouped = counting.by is not None
    return AnswerSection(
        layer=layer.name,
        title=layer.title,
        role=_role(layer),
        measure=counting.measure,
        unit=unit_of(layer, counting),
        total=math.fsum(total.value for total in ordered),
        rows=tuple(_row(total, _codelist(layer, counting, catalog)) for total in ordered) if grouped else (),
        edition=edition,
        note=_missing(sum(total.missing for total in totals), sum(total.features for total in totals)),
    )


def listed_features(layer: VectorLayer, decision: Decision, rows: Sequence[Mapping[str, Any]]) -> list[AnswerFeature]:
    """Features of the listing statement, in its order; attributes without a value and names are left out."""
    shown = [
        name for name in decision.attributes if layer.label is None or name not in (layer.label.zh, layer.label.en)
    ]
    features = []
    for row in rows:
        point = shapely.from_wkb(row["point"])
        values = {name: row[f"{_ATTRIBUTE}{name}"] for name in shown if row[f"{_ATTRIBUTE}{name}"] is not None}
        label = label_of(row["key"], row["label_zh"], row["label_en"])
        features.append(AnswerFeature(id=row["key"], label=label, lon=point.x, lat=point.y, attributes=values))
    return features


def raster_section(layer: RasterLayer, found: RasterSum, edition: EditionRef | None) -> AnswerSection:
    """The section of a raster layer; where its cells cover only part of the zone, a note says how much."""
    unit = raster_unit(layer)
    if found.sum is None:
        return empty_section(layer, RASTER_MEASURE, unit, edition, NOTHING_LOADED)
    return AnswerSection(
        layer=layer.name,
        title=layer.title,
        role=_role(layer),
        measure=RASTER_MEASURE,
        unit=unit,
        total=found.sum,
        edition=edition,
        note=_partly(found.covered),
    )


def raster_unit(layer: RasterLayer) -> str:
    """Unit of the cells of the first band, or 1 (UCUM)."""
    return layer.bands[0].unit or _UNITS["count"]


def unit_of(layer: VectorLayer, counting: Counting) -> str:
    """Unit of the measure: m, m2, the summed attribute's own unit, or 1 (UCUM)."""
    if counting.measure == "sum" and counting.value is not None:
        return layer.attributes[counting.value].unit or _UNITS["count"]
    return _UNITS[counting.measure]


def _role(layer: Layer) -> str:
    if layer.exposure is None:
        raise ValueError(f"{layer.id} has no exposure")
    return layer.exposure.role


def _codelist(layer: VectorLayer, counting: Counting, catalog: Catalog) -> CodeList | None:
    attribute = layer.attributes[counting.by] if counting.by else None
    return catalog.codelist(attribute.list) if attribute is not None and attribute.list else None


def _ordered(totals: Sequence[GroupTotal], codes: CodeList | None) -> list[GroupTotal]:
    """In the order of the code list; codes it does not know come after, what has no class comes last."""
    places = {code: place for place, code in enumerate(codes.codes)} if codes else {}

    def place(total: GroupTotal) -> tuple[bool, int, str]:
        return (total.code is None, places.get(total.code or "", len(places)), total.code or "")

    return sorted(totals, key=place)


def _row(total: GroupTotal, codes: CodeList | None) -> AnswerRow:
    if total.code is None:
        label = UNCLASSIFIED
    elif codes is None:
        label = Text(zh=total.code, en=total.code)
    else:
        label = Text(zh=codes.label(total.code, "zh"), en=codes.label(total.code, "en"))
    return AnswerRow(code=total.code, label=label, count=total.features, value=total.value)


def _partly(covered: float) -> Text | None:
    if covered >= _WHOLE:
        return None
    return Text(
        zh=f"栅格数据只覆盖该范围的 {covered:.1%}，其余部分未计入。",
        en=f"The raster has data in {covered:.1%} of the zone; the rest adds nothing.",
    )


def _missing(missing: int, features: int) -> Text | None:
    if not missing:
        return None
    return Text(
        zh=f"{features} 个要素中有 {missing} 个没有数值，未计入合计。",
        en=f"{missing} of {features} features have no value and add nothing to the sum.",
    )
