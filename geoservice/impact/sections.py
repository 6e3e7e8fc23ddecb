"""From the atoms of a layer to its section of an impact answer. Pure; call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geoservice.analysis.sections import NOTHING_LOADED, beyond_box, joined, raster_unit, unit_of
from geoservice.analysis.statements import Counting
from geoservice.impact.atoms import Atoms
from geoservice.impact.divisions import Divisions
from geoservice.impact.explain import explained
from geoservice.impact.figures import (
    Ledger,
    Words,
    class_figures,
    division_figures,
    figure_of,
    group_figures,
    parent_figures,
)
from geoservice.impact.hits import Hits, ZonePart, hits_of
from geoservice.impact.raster import RasterTally
from geoservice.impact.region import Longs
from geoservice.impact.tally import Tally
from geoservice.impact.zoned import Severity, Zoned
from layers.answer import EditionRef
from layers.catalog import Catalog
from layers.hazard import Bound
from layers.impact import Capacity, ImpactSection
from layers.model import RasterLayer, Text, VectorLayer

_WHOLE = 0.999


@dataclass(frozen=True)
class Laid:
    """A zone that is laid over layers.

    Attributes:
        zoned: The zone.
        parts: Its classes made ready, by estimate.
        divisions: The finest divisions around it.
        told: Whether figures are told by division.
        explain: Whether sections say how they were found.
    """

    zoned: Zoned
    parts: Mapping[Bound, tuple[ZonePart, ...]]
    divisions: Divisions
    told: bool
    explain: bool


@dataclass(frozen=True)
class Counted:
    """A section, the numbers of the features in it (rising), and how much of each lies in the zone (units)."""

    section: ImpactSection
    features: Longs
    sizes: Longs

    def largest(self, most: int) -> Counted:
        """The features of which most lies in the zone, in the order of their numbers."""
        chosen = np.sort(np.lexsort((self.features, -self.sizes))[:most])
        return Counted(self.section, self.features[chosen], self.sizes[chosen])


def parts_of(classes: Sequence[Severity], features: int) -> tuple[ZonePart, ...]:
    """Classes made ready for about so many features."""
    return tuple(ZonePart.of(one.rank, one.shape, features) for one in classes)


def vector_section(
    layer: VectorLayer, counting: Counting, catalog: Catalog, atoms: Atoms, laid: Laid, edition: EditionRef | None
) -> Counted:
    """The section of a layer of features."""
    hits = {bound: hits_of(atoms, counting.measure, parts) for bound, parts in laid.parts.items()}
    sums = {bound: Tally.of(atoms, found) for bound, found in hits.items()}
    ledger = Ledger(sums, atoms.codes if counting.by is not None else ())
    listed = layer.attributes[counting.by].list if counting.by is not None else None
    words = Words(catalog.codelist(listed) if listed else None, counting.measure == "area")
    section = _section(layer, counting.measure, unit_of(layer, counting), edition)
    rows = group_figures(ledger, words) if counting.by is not None else ()
    total = ledger.total()["best"]
    told = {
        **_shared(ledger, laid, words),
        "rows": rows,
        "groups": parent_figures(rows, words),
        "note": _missing(total.missing, total.features),
    }
    section = section.model_copy(update=told)
    if laid.explain:
        section = section.model_copy(
            update={
                "explain": explained(
                    section, raster=False, value=counting.value, by=counting.by, zone=laid.zoned.origin
                )
            }
        )
    return Counted(section, *_features(atoms, hits["best"]))


def raster_section(
    layer: RasterLayer, tallies: Mapping[Bound, RasterTally], laid: Laid, edition: EditionRef | None
) -> ImpactSection:
    """The section of a raster layer; where it has no data in the zone it says so."""
    section = _section(layer, "sum", raster_unit(layer), edition)
    if not _known(tallies, laid.zoned):
        return empty(section, NOTHING_LOADED)
    words = Words(None, areas=False)
    told = {**_shared(Ledger(tallies, (), counted=False), laid, words), "note": _gaps(tallies, laid.zoned)}
    section = section.model_copy(update=told)
    if not laid.explain:
        return section
    return section.model_copy(
        update={"explain": explained(section, raster=True, value=None, by=None, zone=laid.zoned.origin)}
    )


def beside(section: ImpactSection, share: float) -> ImpactSection:
    """A section of a zone of which some share (0 to 1) lies outside the box of all that is loaded of the layer."""
    said = beyond_box(share)
    if said is None or section.status != "ok":
        return section
    return section.model_copy(update={"note": joined([section.note, said])})


def within_gaps(layer: VectorLayer, section: ImpactSection, zoned: Zoned, outside: float) -> ImpactSection:
    """A section of a layer whose areas cover the land without gaps: where they do not, nothing is known.

    Args:
        layer: The layer.
        section: Its section, with the area of what lies in the zone as its total.
        zoned: The zone.
        outside: Share (0 to 1) of the zone outside the box of all that is loaded of the layer, which is told already.
    """
    if not layer.coverage or section.measure != "area" or section.total is None or not zoned.area:
        return section
    if not section.total.value:
        return bare_of(section)
    missing = 1 - section.total.value / zoned.area - outside
    if missing < 1 - _WHOLE:
        return section
    said = Text(
        zh=f"该范围另有 {missing:.1%} 未被此图层的图斑覆盖，那里情况不明，未计入。",
        en=f"{missing:.1%} of the zone is covered by none of the areas of this layer; nothing is known there, and "
        "nothing counted.",
    )
    return section.model_copy(update={"note": joined([section.note, said])})


def bare_of(section: ImpactSection) -> ImpactSection:
    """The frame of a section, which has no data."""
    kept = ("layer", "title", "role", "measure", "unit", "edition")
    return empty(ImpactSection(**{name: getattr(section, name) for name in kept}), NOTHING_LOADED)


def empty(section: ImpactSection, note: Text, *, late: bool = False) -> ImpactSection:
    """A section without figures: nothing is loaded here, or (`late`) it could not be computed."""
    return section.model_copy(update={"status": "unavailable" if late else "no-data", "note": note})


def bare_section(
    layer: VectorLayer | RasterLayer, counting: Counting | None, edition: EditionRef | None
) -> ImpactSection:
    """The frame of a layer's section."""
    if isinstance(layer, RasterLayer) or counting is None:
        return _section(layer, "sum", raster_unit(layer) if isinstance(layer, RasterLayer) else "1", edition)
    return _section(layer, counting.measure, unit_of(layer, counting), edition)


def capacity_of(
    layer: VectorLayer, attribute: str, held: Mapping[int, float | None], features: Mapping[Bound, Sequence[int]]
) -> Capacity:
    """What the features in a zone hold together, such as beds."""
    declared = layer.attributes[attribute]
    sums = {name: float(sum(held.get(fid) or 0.0 for fid in some)) for name, some in features.items()}
    title = declared.title or Text(zh=attribute, en=attribute)
    return Capacity(
        attribute=attribute,
        title=title,
        unit=declared.unit or "1",
        value=sums["best"],
        low=sums.get("low"),
        high=sums.get("high"),
        unknown=sum(held.get(fid) is None for fid in features["best"]),
    )


def _section(layer: VectorLayer | RasterLayer, measure: str, unit: str, edition: EditionRef | None) -> ImpactSection:
    role = layer.exposure.role if layer.exposure is not None else "other"
    return ImpactSection(layer=layer.name, title=layer.title, role=role, measure=measure, unit=unit, edition=edition)


def _shared(ledger: Ledger, laid: Laid, words: Words) -> dict[str, object]:
    found: dict[str, object] = {
        "total": figure_of(ledger, ledger.total(), words),
        "classes": class_figures(ledger, laid.zoned.best, words),
    }
    return {**found, "divisions": division_figures(ledger, laid.divisions, words)} if laid.told else found


def _features(atoms: Atoms, hits: Hits) -> tuple[Longs, Longs]:
    features, number = np.unique(atoms.fid[hits.atom], return_inverse=True)
    sizes = np.zeros(len(features), dtype=np.int64)
    np.add.at(sizes, number, hits.size)
    return features, sizes


def _known(tallies: Mapping[Bound, RasterTally], zoned: Zoned) -> bool:
    """Whether there is data where the best estimate lies; where that is nowhere, whether any other one has none."""
    if zoned.best:
        return bool(tallies["best"].sums)
    return any(one.sums for one in tallies.values()) or not any(one.without for one in tallies.values())


def _gaps(tallies: Mapping[Bound, RasterTally], zoned: Zoned) -> Text | None:
    """Where a raster has no data, so that figures are too small or missing."""
    best = tallies["best"]
    told: list[Text] = []
    if zoned.best and best.covered < _WHOLE:
        told.append(
            Text(
                zh=f"栅格数据只覆盖该范围的 {best.covered:.1%}，其余部分未计入。",
                en=f"The raster has data in {best.covered:.1%} of the zone; the rest adds nothing.",
            )
        )
    silent = best.unknown(("rank",))
    if names := [one.label for one in zoned.best if (one.rank,) in silent]:
        zh, en = "、".join(one.zh for one in names), ", ".join(one.en for one in names)
        told.append(Text(zh=f"以下等级没有数据，不给出数值：{zh}。", en=f"There is no data, and no figure, for: {en}."))
    return joined(told)


def _missing(missing: int, features: int) -> Text | None:
    if not missing:
        return None
    return Text(
        zh=f"{features} 个要素中有 {missing} 个没有数值，未计入合计。",
        en=f"{missing} of {features} features have no value and add nothing to the sum.",
    )
