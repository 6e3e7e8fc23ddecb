"""What a zone does to ways: roads that it closes, settlements that are cut off, and what people still reach.

Roads that meet the zone are closed from node to node (`geoservice.routing.closures`). A settlement outside the zone is
isolated when it hung together with the main part of the network before, and does not any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import sparse
from scipy.sparse import csgraph

from geoservice.impact.evacuate import exits_of, isochrones_of, minutes_out
from geoservice.impact.explain import VERSION
from geoservice.impact.reachable import Nearest, Spot, minutes_of, nearest_of, reach_of
from geoservice.impact.region import Floats, Longs, Truths
from geoservice.impact.zoned import Zoned
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.graph import UNITS, Graph
from geoservice.routing.questions import snaps_of
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel
from layers.hazard import Bound
from layers.impact import CutOff, Explanation, Ways

MOST_LISTED = 200
_LATER = 1.0
"""Seconds by which a way must be longer to be told as a detour."""
_DECIMALS = 1
_ORDER = {"isolated": 0, "inside": 1, "detour": 2, "reachable": 3}


@dataclass(frozen=True)
class Telling:
    """What is told of ways.

    Attributes:
        minutes: Within which times it is told how far one gets out of the zone.
        lines: Whether ways are told as lines, and reached land as areas.
        explain: Whether to say how it was found.
    """

    minutes: tuple[float, ...] = ()
    lines: bool = False
    explain: bool = False


@dataclass(frozen=True)
class Cut:
    """What the zone closes at one estimate, and which settlements that isolates."""

    shut: Travel
    metres: float
    edges: int
    inside: Truths
    isolated: Truths


@dataclass(frozen=True)
class _Ways:
    """What is known of the ways of all settlements: before, after, per layer, and out of the zone."""

    settlements: Sequence[Spot]
    cut: Cut
    before: Nearest
    after: Nearest
    layers: Mapping[str, tuple[Nearest, Nearest]]
    out: Floats
    lines: bool


def ways_of(
    travel: Travel,
    name: str,
    zoned: Zoned,
    spots: tuple[Sequence[Spot], Sequence[Spot]],
    telling: Telling,
) -> Ways:
    """Close the roads of a zone and see who is cut off. It searches a network: call it in a thread.

    Args:
        travel: Who travels, without closures.
        name: Collection of the network.
        zoned: The zone; all its classes close roads.
        spots: Settlements in and around the zone, and what people must reach; of these, those in the zone do not count.
        telling: What is told.
    """
    settlements, facilities = spots
    zone = zoned.whole()
    snaps = snaps_of(travel, [(one.lon, one.lat) for one in settlements]) if settlements else []
    cuts = {bound: _cut(travel, zoned, bound, settlements, snaps) for bound in zoned.bounds}
    best = cuts["best"]
    usable = ~within(zone, facilities)
    left = [one for one, free in zip(facilities, usable.tolist(), strict=True) if free]
    exits = exits_of(best.shut)
    known = _Ways(
        settlements=settlements,
        cut=best,
        before=nearest_of(travel, snaps, facilities),
        after=nearest_of(best.shut, snaps, left),
        layers=_by_layer(travel, best.shut, snaps, facilities, left),
        out=minutes_out(travel, exits, snaps),
        lines=telling.lines,
    )
    hit = _hit(known)
    outside = [one for one, within_ in zip(settlements, best.inside.tolist(), strict=True) if not within_]
    return Ways(
        network=name,
        mode=travel.mode,
        edition=travel.graph.edition,
        closed_edges=best.edges,
        **_bounded("closed_m", {bound: cut.metres for bound, cut in cuts.items()}),
        settlements=tuple(_cut_off(known, number, situation) for number, situation in hit[:MOST_LISTED]),
        settlements_total=len(hit),
        **_bounded("isolated", {bound: int(cut.isolated.sum()) for bound, cut in cuts.items()}),
        **_bounded("isolated_people", {bound: _people(settlements, cut.isolated) for bound, cut in cuts.items()}),
        facilities={"considered": len(facilities), "outside": len(left), "settlements": len(settlements)},
        exits=len(exits),
        evacuation=isochrones_of(best.shut, exits, telling.minutes, (outside, left), areas=telling.lines),
        explain=_explained(travel, name, zoned, telling) if telling.explain else None,
    )


def within(zone: shapely.Geometry, spots: Sequence[Spot]) -> Truths:
    """Which spots lie in a zone or on its border."""
    shapely.prepare(zone)
    x, y = (np.array([getattr(one, name) for one in spots], dtype=np.float64) for name in ("lon", "lat"))
    return np.asarray(shapely.intersects_xy(zone, x, y), dtype=np.bool_)


def _cut(travel: Travel, zoned: Zoned, bound: Bound, settlements: Sequence[Spot], snaps: Sequence[Snap]) -> Cut:
    zone = zoned.whole(bound)
    effect = effect_of(travel.graph, [Closure(zone, None, zoned.origin)])
    shut = Travel(travel.graph, travel.mode, travel.preference, effect)
    inside = within(zone, settlements)
    length = travel.graph.edges.length[effect.edges[np.isinf(effect.times)]]
    metres = round(float(np.sort(length).sum()), _DECIMALS)
    return Cut(shut, metres, len(length), inside, _isolated(travel, shut, snaps) & ~inside)


def _by_layer(
    travel: Travel, shut: Travel, snaps: Sequence[Snap], facilities: Sequence[Spot], left: Sequence[Spot]
) -> dict[str, tuple[Nearest, Nearest]]:
    """Per layer of facilities the nearest one before and after the roads are closed."""
    names = list(dict.fromkeys(one.layer for one in facilities))
    of = {name: ([f for f in facilities if f.layer == name], [f for f in left if f.layer == name]) for name in names}
    return {name: (nearest_of(travel, snaps, all_), nearest_of(shut, snaps, rest)) for name, (all_, rest) in of.items()}


def _hit(known: _Ways) -> list[tuple[int, str]]:
    """The settlements to which something happens, with what it is: the isolated ones first, then by id."""
    found = [(number, _situation(known, number)) for number in range(len(known.settlements))]
    hit = [one for one in found if one[1] != "reachable"]
    return sorted(hit, key=lambda one: (_ORDER[one[1]], known.settlements[one[0]].id))


def _situation(known: _Ways, number: int) -> str:
    if known.cut.inside[number]:
        return "inside"
    if known.cut.isolated[number]:
        return "isolated"
    before, after = known.before.cost[number], known.after.cost[number]
    return "detour" if np.isfinite(before) and after > before + _LATER * UNITS else "reachable"


def _cut_off(known: _Ways, number: int, situation: str) -> CutOff:
    one, reached = known.settlements[number], known.after.spot(number)
    return CutOff(
        id=one.id,
        label=one.label,
        lon=one.lon,
        lat=one.lat,
        people=one.people,
        situation=situation,
        nearest=reached.id if reached is not None else None,
        nearest_label=reached.label if reached is not None else None,
        minutes=known.after.minutes(number),
        minutes_before=known.before.minutes(number),
        minutes_out=minutes_of(known.out[number]) if situation == "inside" else None,
        reach=tuple(
            reach_of(before, after, number, layer, lines=known.lines) for layer, (before, after) in known.layers.items()
        ),
    )


def _isolated(travel: Travel, shut: Travel, snaps: Sequence[Snap]) -> Truths:
    """Which places hung together with the main part of the network and do not with the closures."""
    piece = travel.graph.modes[travel.mode]
    label, main = _hanging_together(travel.graph, travel.mode, shut)
    found = np.zeros(len(snaps), dtype=np.bool_)
    for number, snap in enumerate(snaps):
        if snap.found and piece.piece[snap.edge] == piece.main:
            nodes = {seed.node for seed in (*shut.seeds(snap), *shut.seeds(snap, towards=True))}
            found[number] = all(label[node] != main for node in nodes)
    return found


def _hanging_together(graph: Graph, mode: str, shut: Travel) -> tuple[Longs, int]:
    """Number of the piece of each node without the closed edges, and the number of the longest piece."""
    open_ = graph.modes[mode].piece >= 0
    open_[shut.effect.edges[np.isinf(shut.effect.times)]] = False
    edges = graph.edges
    links = sparse.coo_array(
        (np.ones(int(open_.sum())), (edges.tail[open_], edges.head[open_])), shape=(graph.nodes, graph.nodes)
    )
    _, label = csgraph.connected_components(links, directed=False)
    size = np.bincount(label[edges.tail[open_]], weights=edges.length[open_]) if open_.any() else np.zeros(1)
    return label.astype(np.int64), int(np.argmax(size))


def _people(settlements: Sequence[Spot], chosen: Truths) -> float:
    return float(sum(one.people or 0.0 for one, hit in zip(settlements, chosen.tolist(), strict=True) if hit))


def _bounded(name: str, values: Mapping[Bound, float]) -> dict[str, float]:
    """A figure under its name and, beside it, what it is for the zone at its bounds."""
    return {name if bound == "best" else f"{name}_{bound}": value for bound, value in values.items()}


def _explained(travel: Travel, name: str, zoned: Zoned, telling: Telling) -> Explanation:
    return Explanation(
        formula=(
            "roads that meet the zone are closed from node to node; isolated: connected to the longest part of the "
            "network before and not after; reach: least time over the roads that are left; evacuation: least time from "
            "the nodes where closed roads meet open ones"
        ),
        method=f"geoservice impact {VERSION}: ways by {travel.mode}, {travel.preference}",
        inputs=(f"zone {zoned.origin}", f"{name}, edition {travel.graph.edition}"),
        parameters={"minutes": list(telling.minutes), "later_s": _LATER},
    )
