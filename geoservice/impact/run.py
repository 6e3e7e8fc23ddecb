"""Answering an impact question: one snapshot is read, then everything is computed in threads, layer by layer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import asyncpg
import numpy as np

from geoservice.analysis.kept import find_kept
from geoservice.analysis.place import Place
from geoservice.analysis.request import DIVISIONS, NamedZone, find_place
from geoservice.analysis.sections import NOTHING_LOADED, NOTHING_THEN, TOO_SLOW, exposed
from geoservice.analysis.statements import MAX_LISTED, Counting, counting_of
from geoservice.db.pools import QUERY_CANCELLED, RawConnection
from geoservice.features.assets import Which, read_assets
from geoservice.features.state import LayerState, read_states
from geoservice.impact.asked import ImpactAsked
from geoservice.impact.atoms import Atoms, Rows, atoms_of
from geoservice.impact.census import census_people, read_people
from geoservice.impact.explain import IMPACT_METHOD
from geoservice.impact.fetch import Ground, Wanted, read_divisions, read_editions, read_rows
from geoservice.impact.hits import ZonePart, hits_of
from geoservice.impact.keeper import AtomKeeper, stamp_of
from geoservice.impact.known import known_extent
from geoservice.impact.listing import cut_features, listed_features
from geoservice.impact.measure import plain
from geoservice.impact.needs import needs_of
from geoservice.impact.outlook import look_out
from geoservice.impact.people import people_of
from geoservice.impact.raster import pieces_of_zone, raster_tally
from geoservice.impact.raster_keeper import Splitting
from geoservice.impact.secondary import ROLES, beyond, read_sites, secondary_of
from geoservice.impact.sections import (
    Counted,
    Laid,
    bare_section,
    beside,
    capacity_of,
    empty,
    parts_of,
    raster_section,
    vector_section,
    within_gaps,
)
from geoservice.impact.zoned import Zoned, require_vertices, zoned_kept, zoned_place
from geoservice.queries.sources import open_layer
from geoservice.routing.ground import Office
from layers.access import Decision, decide, visible
from layers.answer import EditionRef
from layers.errors import BadBody, TooLarge
from layers.extent import Extent
from layers.hazard import Bound
from layers.impact import HitFeature, ImpactAnswer, ImpactSection, PeopleBy, Secondary
from layers.model import RasterLayer, Text, VectorLayer

_SIZE_OF_GRID = 300_000
"""About how many features the grids of a zone are made for."""
_MILLISECONDS = 1000
_TOO_MANY = "此范围内要素过多，一次询问无法读完；请缩小范围。"


@dataclass(frozen=True)
class _Work:
    """What all sections of one answer share."""

    office: Office
    keeper: AtomKeeper
    asked: ImpactAsked
    ground: Ground
    laid: Laid
    place: Place
    editions: dict[str, EditionRef]
    states: dict[str, LayerState]
    divisions: Decision | None

    @property
    def nothing(self) -> Text:
        """What is said of a layer of which nothing is loaded."""
        return NOTHING_LOADED if self.asked.as_of is None else NOTHING_THEN

    @property
    def area(self) -> float:
        """Square metres of all that any estimate covers."""
        return self.place.described().area_m2


async def impact_answer(office: Office, keeper: AtomKeeper, asked: ImpactAsked) -> ImpactAnswer:
    """What a zone hits.

    Args:
        office: Connections, networks, and the context of whoever asks.
        keeper: Large layers that are kept ready.
        asked: The question, with the zone that `located` found.

    Raises:
        UnknownLayer: When a layer is named that there is not.
        BadBody: When a named layer takes no part in analyses.
    """
    context = replace(office.context, as_of=asked.as_of)
    office = replace(office, context=context)
    clearance = context.principal.clearance
    layers = _chosen(office, asked)
    zoned = asked.zone
    if not isinstance(zoned, Zoned):
        raise TypeError("The zone of the question has not been looked up; see `located`.")
    async with (
        office.pools.raw(clearance) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        ground = Ground(connection, office.reading, asked.as_of)
        work = await _prepared(office, keeper, asked, ground, (zoned, layers))
        sections = [await _section(work, layer) for layer in layers]
        secondary = await _secondary(work, layers) if asked.secondary else None
        census = await _census(work) if asked.layers is None or DIVISIONS in asked.layers else None
    people = people_of(sections, census, asked.people, explain=asked.explain, zone=zoned.origin)
    ways = await look_out(office, asked, zoned) if asked.ways else None
    return ImpactAnswer(
        at=asked.at,
        as_of=asked.as_of,
        zone=await asyncio.to_thread(zoned.described),
        people=people,
        sections=tuple(sections),
        needs=needs_of(people, explain=asked.explain) if asked.needs and people is not None else (),
        ways=ways,
        secondary=secondary,
        method=IMPACT_METHOD,
    )


def _chosen(office: Office, asked: ImpactAsked) -> list[VectorLayer | RasterLayer]:
    """The exposure layers that are asked about, each opened by the access decision."""
    context = office.context
    if asked.layers is None:
        return exposed(visible(context.principal, context.catalog))
    opened = [open_layer(context.catalog, context.principal, name)[0] for name in asked.layers]
    chosen = exposed(opened)
    strangers = sorted({layer.name for layer in opened} - {layer.name for layer in chosen})
    if strangers:
        raise BadBody(f"{', '.join(strangers)} declares no exposure and takes no part in analyses.", where="layers")
    return chosen


async def located(office: Office, asked: ImpactAsked, most_vertices: int) -> Zoned:
    """The zone of a question, looked up as it was at the instant of the question.

    A kept zone comes with its classes and all estimates that it has.

    Raises:
        UnknownFeature: When the zone is named by a feature that does not exist or may not be seen.
        UnknownResource: When there is no kept zone of the id that the principal may see.
        BadGeometry: When the named feature is no area.
        TooLarge: When it has too many vertices.
    """
    if isinstance(asked.zone, Zoned):
        return asked.zone
    context, where = replace(office.context, as_of=asked.as_of), asked.zone.where
    clearance = context.principal.clearance
    async with office.pools.connection(clearance) as connection:
        if isinstance(where, NamedZone):
            kept = await find_kept(connection, clearance, where.id)
            return await asyncio.to_thread(zoned_kept, kept.zone, where.origin, most_vertices)
        found = zoned_place(await find_place(connection, asked.zone, context))
    require_vertices(found.vertices, most_vertices)
    return found


async def _prepared(
    office: Office,
    keeper: AtomKeeper,
    asked: ImpactAsked,
    ground: Ground,
    about: tuple[Zoned, Sequence[VectorLayer | RasterLayer]],
) -> _Work:
    zoned, layers = about
    context, clearance = office.context, office.context.principal.clearance
    await _limit(ground.connection, context.seconds)
    named = context.catalog.layers.get(DIVISIONS)
    may = decide(context.principal, "read", named) if named is not None else None
    place = await asyncio.to_thread(zoned.place)
    divisions = await read_divisions(ground, context.catalog, may, place.boxes())
    known = [*layers, *([named] if named is not None and named not in layers else [])]
    editions = await read_editions(ground, known, clearance)
    states = await read_states(ground.connection, clearance, [layer.name for layer in layers])
    parts = await asyncio.to_thread(
        lambda: {bound: parts_of(classes, _SIZE_OF_GRID) for bound, classes in zoned.bounds.items()}
    )
    return _Work(
        office=office,
        keeper=keeper,
        asked=asked,
        ground=ground,
        laid=Laid(zoned, parts, divisions, asked.divisions, asked.explain),
        place=place,
        editions=editions,
        states=states,
        divisions=may,
    )


async def _section(work: _Work, layer: VectorLayer | RasterLayer) -> ImpactSection:
    decision = decide(work.office.context.principal, "read", layer)
    edition = work.editions.get(layer.name)
    if isinstance(layer, RasterLayer):
        return await _of_raster(work, layer, decision, edition)
    counting = counting_of(layer, decision)
    bare = bare_section(layer, counting, edition)
    if edition is None:
        return empty(bare, work.nothing)
    try:
        async with work.ground.connection.transaction():
            extent = await known_extent(work.ground, layer, decision, work.states[layer.name])
            if extent is None or not work.place.meets(extent):
                return empty(bare, work.nothing)
            found = await _of_features(work, layer, decision, counting)
        return await asyncio.to_thread(_told_of_gaps, work, layer, found, extent)
    except asyncpg.PostgresError as error:
        if error.sqlstate != QUERY_CANCELLED:
            raise
        return empty(bare, TOO_SLOW, late=True)
    except TooLarge as error:
        return empty(bare, Text(zh=_TOO_MANY, en=str(error)), late=True)


async def _of_features(work: _Work, layer: VectorLayer, decision: Decision, counting: Counting) -> ImpactSection:
    exposure = layer.exposure
    listed = exposure is not None and exposure.listed
    named = exposure.capacity if exposure is not None else None
    capacity = named if named in decision.attributes else None
    wanted = Wanted(layer, decision, counting, capacity, work.place.boxes())
    catalog, edition = work.office.context.catalog, work.editions.get(layer.name)
    atoms, held = await _atoms(work, wanted)
    counted = await asyncio.to_thread(vector_section, layer, counting, catalog, atoms, work.laid, edition)
    section = counted.section
    if capacity is not None:
        features = {bound: await asyncio.to_thread(_met, atoms, counting, work, bound) for bound in work.laid.parts}
        section = section.model_copy(update={"capacity": capacity_of(layer, capacity, held, features)})
    if listed or (exposure is not None and exposure.cut):
        found = await _features(work, layer, decision, counted)
        section = section.model_copy(update={"features": found, "features_total": len(counted.features)})
    return section


async def _atoms(work: _Work, wanted: Wanted) -> tuple[Atoms, Mapping[int, float | None]]:
    """The atoms of a layer around the zone, and what its features hold where that is asked."""
    if work.laid.zoned.bare:
        # No feature can lie where nothing is in danger, so that none is read.
        return atoms_of(Rows((), (), (), ()), wanted.counting.measure, work.laid.divisions), {}
    kept = await _kept(work, wanted)
    if kept is not None and wanted.capacity is None:
        return kept.of_divisions(work.laid.divisions.codes), {}
    read = await read_rows(work.ground, wanted)
    if kept is not None:
        return kept.of_divisions(work.laid.divisions.codes), read.capacity
    made = await asyncio.to_thread(atoms_of, read.rows, wanted.counting.measure, work.laid.divisions)
    return made, read.capacity


async def _features(work: _Work, layer: VectorLayer, decision: Decision, counted: Counted) -> tuple[HitFeature, ...]:
    """The features of a section by name; those of lines that are cut with how much of each is."""
    sized = counted.section.measure in ("length", "area")
    if layer.exposure is not None and layer.exposure.cut:
        counted = counted.largest(MAX_LISTED)
        read = cut_features
    else:
        read = listed_features
    pairs = zip(counted.features.tolist(), counted.sizes.tolist(), strict=True)
    sizes = {fid: plain(size) if sized else None for fid, size in pairs}
    return await read(work.ground, layer, decision, sizes)


async def _kept(work: _Work, wanted: Wanted) -> Atoms | None:
    """The atoms of a large layer, if those of its current edition are ready; if not, their making begins."""
    layer, keeper = wanted.layer, work.keeper
    if work.asked.as_of is not None or work.states[layer.name].rows < keeper.kept_from:
        return None
    stamp = stamp_of(work.editions, layer.name)
    found = await keeper.get(wanted, stamp) if stamp is not None else None
    if found is None:
        keeper.prepare(wanted, work.office.context.catalog, work.office.reading, work.divisions)
    return found


def _met(atoms: Atoms, counting: Counting, work: _Work, bound: Bound) -> list[int]:
    """Numbers of the features in the zone at an estimate."""
    hits = hits_of(atoms, counting.measure, work.laid.parts[bound])
    found: list[int] = np.unique(atoms.fid[hits.atom]).tolist()
    return found


async def _of_raster(work: _Work, layer: RasterLayer, decision: Decision, edition: EditionRef | None) -> ImpactSection:
    office, ground, laid = work.office, work.ground, work.laid
    bare = bare_section(layer, None, edition)
    which = Which(instant=work.asked.as_of)
    assets = await read_assets(ground.connection, office.reading, layer, decision, office.context.rasters, which)
    near = [asset for asset in assets if any(map(asset.meets, work.place.boxes()))]
    if not near:
        return empty(bare, work.nothing)

    rasters = work.keeper.rasters
    if work.asked.as_of is None:
        divided = work.editions.get(DIVISIONS)
        rasters.prepare(near, Splitting(office.context.catalog, office.reading, work.divisions, divided))

    def added() -> ImpactSection:
        sums = rasters.sums
        known = next((one for asset in near if (one := sums.polygons(asset)) is not None), None)
        pieces = {bound: pieces_of_zone(parts, laid.divisions, known) for bound, parts in laid.parts.items()}
        tallies = {bound: raster_tally(near, found, sums) for bound, found in pieces.items()}
        return raster_section(layer, tallies, laid, edition)

    return await asyncio.to_thread(added)


async def _census(work: _Work) -> PeopleBy | None:
    """People by the finest divisions around the zone, as far as these say how many they have."""
    layer = work.office.context.catalog.layers.get(DIVISIONS)
    if not isinstance(layer, VectorLayer) or work.divisions is None or not work.divisions.allowed:
        return None
    known = await read_people(work.ground, layer, work.divisions, work.laid.divisions.codes)
    if not known:
        return None
    return await asyncio.to_thread(census_people, work.laid, layer, known, work.editions.get(DIVISIONS))


async def _secondary(work: _Work, layers: Sequence[VectorLayer | RasterLayer]) -> Secondary | None:
    """What dangerous sites in the zone may reach beyond it; None where there are none."""
    dangers = [la for la in layers if isinstance(la, VectorLayer) and la.exposure is not None and la.exposure.reach]
    principal, zoned = work.office.context.principal, work.laid.zoned
    sites = await read_sites(work.ground, [(la, decide(principal, "read", la)) for la in dangers], zoned)
    if not sites.found and not sites.silent:
        return None
    land = await asyncio.to_thread(beyond, sites, zoned)
    sections: list[ImpactSection] = []
    if land is not None:
        parts: dict[Bound, tuple[ZonePart, ...]] = {"best": parts_of(land.best, 0)}
        laid = replace(work.laid, zoned=land, parts=parts, told=False)
        there = replace(work, laid=laid, place=land.place())
        chosen = [la for la in layers if la.exposure is not None and la.exposure.role in ROLES]
        sections = [await _section(there, layer) for layer in chosen]
    return secondary_of(sites, land, sections, explain=work.asked.explain)


def _told_of_gaps(work: _Work, layer: VectorLayer, section: ImpactSection, extent: Extent) -> ImpactSection:
    """A section that says of which part of the zone its layer knows nothing, as far as that can be told."""
    if work.laid.zoned.bare:
        return section
    zoned = work.laid.zoned
    outside = work.place.outside(extent)
    told = beside(section, outside / work.area) if outside else section
    if not outside or not zoned.best:
        return within_gaps(layer, told, zoned, 0.0)
    best = Place(zoned.whole(), zoned.origin).outside(extent)
    return within_gaps(layer, told, zoned, best / zoned.area)


async def _limit(connection: RawConnection, seconds: float) -> None:
    """Until the end of the transaction: time for each statement."""
    await connection.execute("SELECT set_config('statement_timeout', $1, true)", str(round(seconds * _MILLISECONDS)))
