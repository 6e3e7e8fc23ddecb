"""Answers about ways as GeoJSON: the whole way, its legs by road, where it begins and ends, what was cut.

Positions are longitude, latitude in degrees (CRS84); lengths are metres, times seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from geoservice.routing.lines import part, position
from geoservice.routing.roads import Floats
from geoservice.routing.snap import Snap, distance_to
from geoservice.routing.travel import Leg, Passage, Travel, Trouble
from layers.model import Text

Json = dict[str, Any]
DIGITS = 7
"""Decimals of degrees in positions: 1 cm."""
MOST_CUT = 200
"""Closed roads that an answer names one by one."""
_REASONS: Mapping[Trouble, Text] = {
    "no-road": Text(zh="附近没有该方式可通行的道路。", en="There is no road nearby that this mode of travel may use."),
    "apart": Text(
        zh="两地所在的路网互不相连。", en="The two places lie on parts of the network that are not connected."
    ),
    "direction": Text(zh="受单行方向限制，无法到达。", en="One-way roads do not let one get there."),
    "closed-start": Text(zh="起点位于封闭路段。", en="The way begins on a closed road."),
    "closed-end": Text(zh="终点位于封闭路段。", en="The way ends on a closed road."),
    "closed": Text(zh="所有通路均被封闭区切断。", en="The closures cut every way there."),
}


@dataclass(frozen=True)
class Words:
    """Names of the classes of roads."""

    kinds: Mapping[str, Text]

    def of(self, kind: str) -> Json | None:
        """The name of a class in both languages, or its code where it has none."""
        if not kind:
            return None
        return self.kinds.get(kind, Text(zh=kind, en=kind)).model_dump()


@dataclass(frozen=True)
class Routed:
    """A way by some places: one leg between each two of them, None where there is no way."""

    travel: Travel
    places: tuple[Snap, ...]
    legs: tuple[Leg | None, ...]

    @property
    def passages(self) -> list[Passage]:
        """All passages in the order of travel."""
        return [p for leg in self.legs if leg is not None for p in leg.passages]

    @property
    def complete(self) -> bool:
        """Whether every place is reached."""
        return None not in self.legs


def routed(travel: Travel, places: Sequence[Snap]) -> Routed:
    """The best way by some places in the order given."""
    return Routed(travel, tuple(places), tuple(travel.leg(*pair) for pair in pairwise(places)))


def route_answer(way: Routed, words: Words, *, compare: bool = True) -> Json:
    """A route as a FeatureCollection: overview, start, segments, end, and the closed roads that it avoids.

    Where a place cannot be reached, `status` says so, and `reason` why; the features are then the places alone.

    Args:
        way: The route.
        words: Names of classes.
        compare: Also say what the way would be without the closures.
    """
    travel = way.travel
    head: Json = {"type": "FeatureCollection", **about(travel)}
    if not way.complete:
        missing = next(number for number, leg in enumerate(way.legs) if leg is None)
        start, end = way.places[missing : missing + 2]
        trouble = travel.trouble(start, end)
        ends = [place_of(travel, snap, kind, full=True) for snap, kind in ((start, "start"), (end, "end"))]
        told = {"reason": trouble, "explanation": _REASONS[trouble].model_dump(), "leg": missing + 1}
        return {**head, "status": "unreachable", **told, "features": ends}
    metres, seconds = travel.metres(way.passages), travel.seconds(way.passages)
    figures = {"distance_m": round(metres, 1), "duration_s": round(seconds, 1)}
    features = list(_features(way, words, figures))
    if compare and len(travel.effect.edges):
        before, cut = _undisturbed(way, words)
        head["closures"] |= {"undisturbed": before, "cut": len(cut)}
        features += cut[:MOST_CUT]
    return {**head, "status": "successful", **figures, "features": features}


def about(travel: Travel) -> Json:
    """What an answer rests on: mode, preference, edition, closures."""
    made: Json = {"mode": travel.mode, "preference": travel.preference, "edition": travel.graph.edition}
    effect = travel.effect
    if effect.closures:
        shut = int(np.isinf(effect.times).sum())
        zones = [{"origin": c.origin, "factor": c.factor} for c in effect.closures]
        made["closures"] = {"zones": zones, "roads_closed": shut, "roads_slowed": len(effect.edges) - shut}
    return made


def line_of(travel: Travel, passages: Sequence[Passage]) -> list[list[float]]:
    """Positions of some passages, one after the other, without repeating where they meet."""
    graph, edges = travel.graph, len(travel.graph.edges)
    pieces = [part(graph, passage.code % edges, passage.start, passage.end) for passage in passages]
    return rounded(np.concatenate(pieces))


def rounded(xy: Floats) -> list[list[float]]:
    """Positions as they are written; a line keeps two even where they are the same."""
    written = np.round(xy, DIGITS)
    fresh = np.ones(len(written), dtype=np.bool_)
    fresh[1:] = (written[1:] != written[:-1]).any(axis=1)
    kept: list[list[float]] = written[fresh].tolist()
    return kept if len(kept) > 1 else kept * 2


def feature(geometry: Json | None, properties: Json) -> Json:
    """A GeoJSON feature."""
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _features(way: Routed, words: Words, figures: Json) -> Iterator[Json]:
    travel = way.travel
    line = {"type": "LineString", "coordinates": line_of(travel, way.passages)}
    yield feature(line, {"type": "overview", **figures})
    yield place_of(travel, way.places[0], "start")
    for number, leg in enumerate(way.legs):
        if leg is not None:
            yield from _segments(travel, leg, number + 1, words)
        yield place_of(travel, way.places[number + 1], "end" if number + 1 == len(way.legs) else "via")


def _segments(travel: Travel, leg: Leg, number: int, words: Words) -> Iterator[Json]:
    """One feature for each stretch of road of the same name and class."""

    def same(passage: Passage) -> tuple[str, str, str]:
        road, roads = _road(travel, passage), travel.graph.roads
        return roads.name_zh[road], roads.name_en[road], roads.kind[road]

    for (chinese, english, kind), group in groupby(leg.passages, same):
        passages = list(group)
        keys = [travel.graph.roads.key[_road(travel, passage)] for passage in passages]
        yield feature(
            {"type": "LineString", "coordinates": line_of(travel, passages)},
            {
                "type": "segment",
                "leg": number,
                "name": name_of(chinese, english),
                "class": kind or None,
                "class_name": words.of(kind),
                "distance_m": round(travel.metres(passages), 1),
                "duration_s": round(travel.seconds(passages), 1),
                "roads": [key for key, _ in groupby(keys)],
            },
        )


def _undisturbed(way: Routed, words: Words) -> tuple[Json, list[Json]]:
    """What the way would be if nothing were closed, and the closed roads on it."""
    free = way.travel.undisturbed()
    before = routed(free, way.places)
    effect, edges = way.travel.effect, len(way.travel.graph.edges)
    shut = dict.fromkeys(p.code % edges for p in before.passages if effect.closed(p.code % edges))
    figures = {
        "distance_m": round(free.metres(before.passages), 1),
        "duration_s": round(free.seconds(before.passages), 1),
    }
    return figures, [_cut(way.travel, edge, words) for edge in shut]


def _cut(travel: Travel, edge: int, words: Words) -> Json:
    graph, effect = travel.graph, travel.effect
    road, number = int(graph.edges.road[edge]), effect.number(edge)
    cause = None if number is None else effect.closures[int(effect.cause[number])].origin
    return feature(
        {"type": "LineString", "coordinates": rounded(graph.vertices(edge))},
        {
            "type": "cut",
            "road": graph.roads.key[road],
            "name": name_of(graph.roads.name_zh[road], graph.roads.name_en[road]),
            "class": graph.roads.kind[road] or None,
            "class_name": words.of(graph.roads.kind[road]),
            "distance_m": round(float(graph.edges.length[edge]), 1),
            "closure": cause,
        },
    )


def place_of(travel: Travel, snap: Snap, kind: str, *, full: bool = False) -> Json:
    """A place as a point on the network, or where it is when there is no road nearby."""
    where = list(position(travel.graph, snap.edge, snap.share)) if snap.found else [snap.lon, snap.lat]
    told: Json = {"type": kind, "asked": [snap.lon, snap.lat], "to_road_m": metres_of(snap.metres)}
    if snap.found:
        told["road"] = travel.graph.roads.key[int(travel.graph.edges.road[snap.edge])]
    if full:
        told |= _standing(travel, snap)
    return feature({"type": "Point", "coordinates": rounded(np.array([where]))[0]}, told)


def _standing(travel: Travel, snap: Snap) -> Json:
    """On which part of the network a place lies, and how far away the main part is."""
    piece = travel.graph.modes[travel.mode]
    here = int(piece.piece[snap.edge]) if snap.found else -1
    main = piece.piece == piece.main
    told: Json = {"on_main_network": here >= 0 and here == piece.main}
    if here >= 0:
        told["network_km"] = round(float(piece.size[here]) / 1000.0, 3)
    if here != piece.main and piece.main >= 0:
        told["to_main_network_m"] = metres_of(distance_to(travel.graph, main, snap.lon, snap.lat))
    return told


def _road(travel: Travel, passage: Passage) -> int:
    return int(travel.graph.edges.road[passage.code % len(travel.graph.edges)])


def name_of(chinese: str, english: str) -> Json | None:
    """A name in both languages, each standing in for the other; None where there is none."""
    return {"zh": chinese or english, "en": english or chinese} if chinese or english else None


def metres_of(value: float) -> float | None:
    """A distance as it is written; None where there is none."""
    return round(value, 1) if np.isfinite(value) else None
