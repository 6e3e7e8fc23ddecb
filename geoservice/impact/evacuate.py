"""Getting out of a zone: where open roads leave it, how far one gets from there, and how long those inside need. Pure.

Roads that meet the zone are closed from node to node, so that ways out begin at the nodes where a closed road meets an
open one. Those inside leave while their roads still hold: their way to such a node is looked for without the closures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geoservice.impact.reachable import Spot
from geoservice.impact.region import Floats, Longs, Truths
from geoservice.routing.graph import UNITS
from geoservice.routing.outline import outline_of
from geoservice.routing.questions import snaps_of
from geoservice.routing.reach import length_of, reached, shapes_of
from geoservice.routing.search import Field, Seed, spread
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel
from layers.impact import Isochrone

WIDTH = 100.0
"""Metres around reached roads that count as reached land."""
_MINUTE = 60.0
_DECIMALS = 1


def exits_of(shut: Travel) -> Longs:
    """The nodes at which a road that the closures shut meets one that is open to the mode, rising."""
    edges, effect = shut.graph.edges, shut.effect
    usable = shut.graph.modes[shut.mode].piece >= 0
    closed = np.zeros(len(edges), dtype=np.bool_)
    closed[effect.edges[np.isinf(effect.times)]] = True
    return np.intersect1d(_ends(shut, usable & closed), _ends(shut, usable & ~closed)).astype(np.int64)


def minutes_out(free: Travel, exits: Longs, settlements: Sequence[Snap]) -> Floats:
    """Cost of the way of each settlement to the nearest exit over the network as it is without closures."""
    if not len(exits) or not settlements:
        return np.full(len(settlements), np.inf)
    field = _field(free, exits, towards=True)
    arrivals = free.arrivals(list(settlements))
    least: Floats = (field.cost[arrivals.node] + arrivals.cost).min(axis=1)
    return least


def isochrones_of(
    shut: Travel, exits: Longs, minutes: Sequence[float], others: tuple[Sequence[Spot], Sequence[Spot]], *, areas: bool
) -> tuple[Isochrone, ...]:
    """How far one gets from the exits over the roads that are left.

    Args:
        shut: Who travels, with the closures.
        exits: The nodes at which ways out begin.
        minutes: The times, rising.
        others: Settlements and facilities outside the zone.
        areas: Whether the reached land is drawn.
    """
    if not len(exits) or not minutes:
        return ()
    field = _field(shut, exits, limit=max(minutes) * _MINUTE * UNITS)
    costs = [_costs(shut, field, spots) for spots in others]
    return tuple(_isochrone(shut, field, limit, (others, costs), areas=areas) for limit in minutes)


def _isochrone(
    shut: Travel,
    field: Field,
    minutes: float,
    known: tuple[tuple[Sequence[Spot], Sequence[Spot]], Sequence[Floats]],
    *,
    areas: bool,
) -> Isochrone:
    limit = minutes * _MINUTE * UNITS
    parts = reached(shut, field, [], limit)
    (settlements, facilities), (to_settlements, to_facilities) = known
    lived = [one for one, cost in zip(settlements, to_settlements, strict=True) if cost <= limit]
    counts: dict[str, int] = {}
    for one, cost in zip(facilities, to_facilities, strict=True):
        counts[one.layer] = counts.get(one.layer, 0) + int(cost <= limit)
    drawn: dict[str, Any] = {}
    if areas:
        outline = outline_of(shapes_of(shut, parts), WIDTH)
        drawn = {"area": json.loads(shapely.to_geojson(outline.area)), "width_m": round(outline.width, _DECIMALS)}
    return Isochrone(
        minutes=minutes,
        road_m=round(length_of(shut, parts), _DECIMALS),
        settlements=len(lived),
        people=float(sum(one.people or 0.0 for one in lived)),
        facilities=dict(sorted(counts.items())),
        **drawn,
    )


def _costs(shut: Travel, field: Field, spots: Sequence[Spot]) -> Floats:
    if not spots:
        return np.zeros(0)
    arrivals = shut.arrivals(snaps_of(shut, [(one.lon, one.lat) for one in spots]), towards=True)
    least: Floats = (field.cost[arrivals.node] + arrivals.cost).min(axis=1)
    return least


def _field(travel: Travel, exits: Longs, *, towards: bool = False, limit: float = np.inf) -> Field:
    # The exits are one place: which of them a way uses is of no matter.
    seeds = [Seed(node, 0.0, 0, 0.0, at_head=False) for node in exits.tolist()]
    return spread(travel.graph, travel.costs, [seeds], towards=towards, limit=limit)


def _ends(travel: Travel, chosen: Truths) -> Longs:
    edges = travel.graph.edges
    return np.unique(np.concatenate([edges.tail[chosen], edges.head[chosen]])).astype(np.int64)
