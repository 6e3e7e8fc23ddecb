"""The class of a station: its index by the edition of the hour, or the thresholds that its datastreams declare."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from geoservice.observations.units import conversion
from geoservice.stations.statements import ByDay, Stream
from geoservice.stations.themes import AIR_ITEMS, INDEX_NAMES, ITEMS, SCALES, IndexName
from layers.errors import BadParameter
from layers.indices import air, water
from layers.indices.answer import EditionUsed
from layers.indices.scorer import AirScorer, Verdict, WaterScorer
from layers.indices.tables import classes, edition_of, editions

BEIJING = dt.timezone(dt.timedelta(hours=8))
"""Where the standards hold; the time zone has no summer time."""
TOGETHER = dt.timedelta(hours=3)
"""Values of one index are at most this far apart."""
_STANDARDS: Mapping[IndexName, str] = {"aqi": air.STANDARD, "surface-water": water.SURFACE}


@dataclass(frozen=True)
class Judgement:
    """How a station was judged.

    Attributes:
        index: By which index.
        verdict: Its class.
        hour: Begin of the latest hour that counts.
        values: What was judged: value by item in the units of the index, or by property beyond its thresholds.
        names: Names of the thresholds that are exceeded.
    """

    index: IndexName
    verdict: Verdict
    hour: dt.datetime
    values: Mapping[str, float]
    names: tuple[str, ...] = ()

    @property
    def severity(self) -> float:
        """From 0 for the best class of its index to 1 for the worst."""
        return (self.verdict.code - 1) / (len(classes(SCALES[self.index])) - 1)


@dataclass
class Bench:
    """Judges stations; keeps what was read of the editions."""

    _scorers: dict[tuple[str, str], AirScorer | WaterScorer] = field(default_factory=dict)

    def judge(self, streams: Sequence[Stream], index: IndexName | None = None) -> Judgement | None:
        """The judgement of one station by one index, or by the first one that has something to say."""
        for name in INDEX_NAMES if index is None else (index,):
            found = beyond(streams) if name == "thresholds" else self._by_items(streams, name)
            if found is not None:
                return found
        return None

    def _by_items(self, streams: Sequence[Stream], index: IndexName) -> Judgement | None:
        own = [one for one in streams if one.property in ITEMS[index] and one.hour is not None]
        hour = max((one.hour for one in own if one.hour is not None), default=None)
        edition = None if hour is None else edition_at(index, hour)
        if hour is None or edition is None:
            return None
        scorer = self.scorer(index, edition)
        near = [one for one in own if one.hour is not None and hour - one.hour <= TOGETHER]
        values = item_values(near, ITEMS[index], scorer)
        verdict = scorer.judge(values)
        return None if verdict is None else Judgement(index, verdict, hour, values)

    def scorer(self, index: IndexName, edition: EditionUsed) -> AirScorer | WaterScorer:
        """Who scores by an edition."""
        key = (index, edition.edition)
        if key not in self._scorers:
            self._scorers[key] = AirScorer(edition) if index == "aqi" else WaterScorer(edition)
        return self._scorers[key]


def item_values(
    streams: Iterable[Stream], items: Mapping[str, str], scorer: AirScorer | WaterScorer
) -> dict[str, float]:
    """Value by item in the units of the index; the first datastream of an item counts, others and odd units do not."""
    by_day = scorer.by_day if isinstance(scorer, AirScorer) else frozenset()
    found: dict[str, float] = {}
    for one in streams:
        item = items[one.property]
        value = one.of_day if item in by_day else one.mean
        unit = scorer.units.get(item)
        way = None if unit is None else converted(one.unit, unit)
        if value is not None and way is not None and item not in found:
            # Instruments that measure nothing scatter around zero; the indices begin there.
            found[item] = max(value * way[0] + way[1], 0.0)
    return found


def beyond(streams: Sequence[Stream]) -> Judgement | None:
    """The judgement by declared thresholds; None where none are declared, or there is nothing to compare."""
    watched = [(one, thresholds(one)) for one in streams if one.hour is not None]
    watched = [(one, limits) for one, limits in watched if limits]
    hour = max((one.hour for one, _ in watched if one.hour is not None), default=None)
    if hour is None:
        return None
    code, names, values = 1, list[str](), dict[str, float]()
    for one, limits in watched:
        value = one.mean if one.mean is not None and one.hour is not None and hour - one.hour <= TOGETHER else None
        over = [limit.name for limit in limits if value is not None and limit.exceeded(value)]
        if value is not None and over:
            values[one.property] = value
            names += over
            code = max(code, min(1 + len(over), len(classes(SCALES["thresholds"]))))
    return Judgement("thresholds", Verdict(code, tuple(values)), hour, values, tuple(dict.fromkeys(names)))


@dataclass(frozen=True)
class Threshold:
    """A threshold that a datastream declares in its properties, in its own unit."""

    name: str
    value: float
    below: bool

    def exceeded(self, value: float) -> bool:
        """Whether a value is beyond it."""
        return value < self.value if self.below else value > self.value


def thresholds(stream: Stream) -> list[Threshold]:
    """The thresholds of readings and hours that a datastream declares; what is written otherwise is passed over."""
    told = (stream.properties or {}).get("thresholds")
    found = list[Threshold]()
    for one in (told if isinstance(told, list) else [])[:8]:
        if not isinstance(one, Mapping) or one.get("basis", "reading") not in ("reading", "hour"):
            continue
        for side in ("above", "below"):
            value = one.get(side)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append(Threshold(str(one.get("name", side))[:80], float(value), side == "below"))
    return found


@cache
def converted(given: str, wanted: str) -> tuple[float, float] | None:
    """Factor and shift that turn values of one unit into another."""
    way = conversion(given, wanted)
    return None if way is None else (way.factor, way.shift)


@cache
def _edition_on(index: IndexName, day: dt.date) -> EditionUsed | None:
    try:
        return edition_of(_STANDARDS[index], day)
    except BadParameter:
        return None


def edition_at(index: IndexName, hour: dt.datetime) -> EditionUsed | None:
    """The edition of an index by which an hour is judged; None where no known one held yet."""
    return _edition_on(index, hour.astimezone(BEIJING).date())


def air_by_day() -> ByDay:
    """The properties whose hourly air quality index takes the mean of 24 hours, until an edition ended that."""
    found, until = set[str](), dt.date.min
    for edition in editions(air.STANDARD):
        by_day = AirScorer(edition).by_day
        if by_day:
            found |= {name for name, item in AIR_ITEMS.items() if item in by_day}
            until = max(until, edition.end or dt.date.max)
    return ByDay(tuple(sorted(found)), dt.datetime.combine(until, dt.time(), BEIJING).astimezone(dt.UTC))
