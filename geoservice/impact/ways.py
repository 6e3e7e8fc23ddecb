"""What a zone does to ways: roads that it closes, settlements that are cut off, and what people still reach.

Roads that meet the zone are closed from node to node (`geoservice.routing.closures`). A settlement outside the zone is
isolated when it hung together with the main part of the network before, and does not any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import sparse
from scipy.sparse import csgraph

from geoservice.impact.region import Floats, Longs, Truths
from geoservice.impact.zoned import Zoned
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.graph import UNITS, Graph
from geoservice.routing.questions import snaps_of
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel
from layers.impact import CutOff, Ways
from layers.model import Text

MOST_LISTED = 200
_MINUTE = 60.0
_LATER = 1.0
"""Seconds by which a way must be longer to be told as a detour."""
_DECIMALS = 1


@dataclass(frozen=True)
class Spot:
    """A settlement or facility: id, name, position, people (None where they are not known)."""

    id: str
    label: Text
    lon: float
    lat: float
    people: float | None = None


@dataclass(frozen=True)
class Nearest:
    """Per settlement: cost of the way to the nearest facility (infinite: none), and which it is."""

    cost: Floats
    facility: Longs


def ways_of(travel: Travel, name: str, zoned: Zoned, settlements: Sequence[Spot], facilities: Sequence[Spot]) -> Ways:
    """Close the roads of a zone and see who is cut off. It searches a network: call it in a thread.

    Args:
        travel: Who travels, without closures.
        name: Collection of the network.
        zoned: The zone; all its classes close roads.
        settlements: Settlements in and around the zone.
        facilities: What people must reach; those in the zone do not count.
    """
    zone = zoned.whole()
    effect = effect_of(travel.graph, [Closure(zone, None, zoned.origin)])
    shut = Travel(travel.graph, travel.mode, travel.preference, effect)
    inside = _within(zone, settlements)
    snaps = snaps_of(travel, [(one.lon, one.lat) for one in settlements]) if settlements else []
    isolated = _isolated(travel, shut, snaps) & ~inside
    usable = _within(zone, facilities)
    left = [one for one, hit in zip(facilities, usable.tolist(), strict=True) if not hit]
    before, after = _nearest(travel, snaps, facilities), _nearest(shut, snaps, left)
    told = [
        _cut_off(one, _situation(inside[n], isolated[n], before.cost[n], after.cost[n]), before, after, n, left)
        for n, one in enumerate(settlements)
    ]
    hit = sorted((one for one in told if one.situation != "reachable"), key=lambda one: (_ORDER[one.situation], one.id))
    people = [one.people or 0.0 for one in told if one.situation == "isolated"]
    length = travel.graph.edges.length[effect.edges[np.isinf(effect.times)]]
    return Ways(
        network=name,
        mode=travel.mode,
        edition=travel.graph.edition,
        closed_edges=len(length),
        closed_m=round(float(np.sort(length).sum()), _DECIMALS),
        settlements=tuple(hit[:MOST_LISTED]),
        isolated=len(people),
        isolated_people=float(sum(people)),
        facilities={"considered": len(facilities), "outside": len(left), "settlements": len(settlements)},
    )


_ORDER = {"isolated": 0, "inside": 1, "detour": 2, "reachable": 3}


def _situation(inside: bool, isolated: bool, before: float, after: float) -> str:
    if inside:
        return "inside"
    if isolated:
        return "isolated"
    later = np.isfinite(before) and after > before + _LATER * UNITS
    return "detour" if later else "reachable"


def _cut_off(one: Spot, situation: str, before: Nearest, after: Nearest, number: int, left: Sequence[Spot]) -> CutOff:
    reached = left[int(after.facility[number])] if np.isfinite(after.cost[number]) else None
    return CutOff(
        id=one.id,
        label=one.label,
        lon=one.lon,
        lat=one.lat,
        people=one.people,
        situation=situation,
        nearest=reached.id if reached is not None else None,
        nearest_label=reached.label if reached is not None else None,
        minutes=_minutes(after.cost[number]),
        minutes_before=_minutes(before.cost[number]),
    )


def _minutes(cost: float) -> float | None:
    return round(float(cost) / UNITS / _MINUTE, _DECIMALS) if np.isfinite(cost) else None


def _within(zone: shapely.Geometry, spots: Sequence[Spot]) -> Truths:
    shapely.prepare(zone)
    x, y = (np.array([getattr(one, name) for one in spots], dtype=np.float64) for name in ("lon", "lat"))
    return np.asarray(shapely.intersects_xy(zone, x, y), dtype=np.bool_)


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


def _nearest(travel: Travel, snaps: Sequence[Snap], facilities: Sequence[Spot]) -> Nearest:
    """The nearest facility of each place by the cost of the way there."""
    none = Nearest(np.full(len(snaps), np.inf), np.zeros(len(snaps), dtype=np.int64))
    if not facilities or not snaps:
        return none
    targets = snaps_of(travel, [(one.lon, one.lat) for one in facilities])
    field = travel.spread(targets, towards=True)
    arrivals = travel.arrivals(list(snaps))
    cost = field.cost[arrivals.node] + arrivals.cost
    side = np.argmin(cost, axis=1)
    rows = np.arange(len(snaps))
    best, owner = cost[rows, side], field.source[arrivals.node[rows, side]].astype(np.int64)
    _straight(travel, snaps, targets, best, owner)
    return Nearest(best, owner)


def _straight(travel: Travel, snaps: Sequence[Snap], targets: Sequence[Snap], cost: Floats, owner: Longs) -> None:
    """Take the way along an edge where a place and a facility lie on the same one."""
    beside: dict[int, list[int]] = {}
    for number, target in enumerate(targets):
        if target.found:
            beside.setdefault(target.edge, []).append(number)
    for number, snap in enumerate(snaps):
        for other in beside.get(snap.edge, []) if snap.found else []:
            leg = travel.direct(snap, targets[other])
            if leg is not None and leg.cost < cost[number]:
                cost[number], owner[number] = leg.cost, other
