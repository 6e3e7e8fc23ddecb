"""A month of rain and water levels: a storm falls, the river rises from gauge to gauge, the reservoir takes it in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, stream
from ingest.sample.facilities import Feature
from ingest.sample.lines import along
from ingest.sample.names import Name
from ingest.sample.readings import HOURS, START, Reading
from ingest.sample.region import Region
from ingest.sample.settlements import ADCODE

RAIN_SEATS = (0, 2, 4, 6)
"""Seats of townships that have a rain gauge."""
SHOWERS = ((3 * 24 + 15, 5, 4.0), (9 * 24 + 16, 4, 7.0), (16 * 24 + 4, 30, 11.0), (24 * 24 + 14, 6, 5.0))
"""First hour, hours and heaviest rain in mm per hour; the third is the storm of 17 June."""
RECESSION = 16.0
"""Hours in which a river loses all but 1/e of what rain has brought."""
LAGS = (2, 5, 11)
"""Hours after which rain reaches the upper, the middle and the lower gauge."""
DRY_LEVEL, RISE = 1.2, 0.34
"""Level of a dry river above the zero of its gauge, and metres that it rises by the square root of a mm in store."""
POOL_LOW, POOL_HIGH = 2.0, 0.2
"""Metres below its full level between which the reservoir stands: before the month, and at its highest."""
AWAY = (2_500.0, 1_200.0, 18_000.0)
"""Metres of river from the head of the pool up, and from the dam down to the middle and the lower gauge."""


@dataclass(frozen=True)
class Gauge:
    """A station and what it measures, hour by hour.

    Attributes:
        station: Its feature.
        observed: `rain` (mm in the hour that begins) or `water_level` (metres: of a river above the zero of its gauge,
            of the reservoir above that of the heights).
        values: From `readings.START` on, as they are written.
    """

    station: Feature
    observed: str
    values: FloatArray

    @property
    def key(self) -> str:
        """Identifier of the station."""
        return str(self.station.values["station_id"])

    def readings(self) -> list[Reading]:
        """Its readings in order of time."""
        unit = "mm" if self.observed == "rain" else "m"
        hour = dt.timedelta(hours=1)
        return [
            Reading(self.key, self.observed, START + place * hour, value, unit, "good")
            for place, value in enumerate(self.values.tolist())
        ]


def build_gauges(region: Region) -> list[Gauge]:
    """Four rain gauges, three river gauges and one of the reservoir."""
    rains = [_rain(region.seed, number) for number in range(len(RAIN_SEATS))]
    mean = np.mean(rains, axis=0)
    found = [_rain_gauge(region, seat, values) for seat, values in zip(RAIN_SEATS, rains, strict=True)]
    for part, (spot, lag) in enumerate(zip(_spots(region), LAGS, strict=True)):
        level = DRY_LEVEL + RISE * np.sqrt(_store(mean, lag))
        found.append(_level_gauge(region, part, spot, level))
    filled = np.cumsum(_store(mean, LAGS[0]))
    full = region.reservoir.level - POOL_LOW + (POOL_LOW - POOL_HIGH) * filled / filled[-1]
    found.append(_level_gauge(region, len(LAGS), region.reservoir.dam, full))
    return found


def _rain(seed: int, number: int) -> FloatArray:
    """Rain of one gauge: showers that swell and fade, a little different from place to place."""
    chance = stream(seed, f"rain {number}")
    rain = np.zeros(HOURS)
    for first, hours, most in SHOWERS:
        swell = np.sin(np.pi * (np.arange(hours) + 0.5) / hours)
        rain[first : first + hours] += (
            most * swell * (0.75 + 0.5 * chance.random()) * (0.8 + 0.4 * chance.random(hours))
        )
    return np.round(rain, 1)


def _store(rain: FloatArray, lag: int) -> FloatArray:
    """What a river still has of the rain that reached it, in mm."""
    kept, store = np.exp(-1.0 / RECESSION), np.zeros(HOURS)
    for hour in range(1, HOURS):
        store[hour] = store[hour - 1] * kept + (rain[hour - lag] if hour >= lag else 0.0)
    return store


def _spots(region: Region) -> tuple[tuple[float, float], ...]:
    """Above the pool, below the dam, and where the river has left the mountains."""
    stem, dam = region.waters.stems[region.reservoir.stem], region.reservoir.vertex
    way = along(stem.points)
    inside = shapely.contains_xy(region.county, stem.points[:, 0], stem.points[:, 1])
    pool = shapely.contains_xy(region.reservoir.polygon, stem.points[:, 0], stem.points[:, 1])
    head = way[int(np.flatnonzero(pool)[0])] if pool.any() else way[dam]
    places = np.arange(len(way))
    upper = inside & ~pool & (places < dam) & (way < head)
    lower = inside & ~pool & (places > dam)
    up, middle, down = AWAY
    aims = ((head - up, upper), (way[dam] + middle, lower), (way[dam] + down, lower))
    return tuple(_nearest(stem.points, way, aim, allowed) for aim, allowed in aims)


def _nearest(points: FloatArray, way: FloatArray, aim: float, allowed: BoolArray) -> tuple[float, float]:
    """The allowed vertex that lies nearest to so many metres from the head; any where none is allowed."""
    off = np.abs(way - aim)
    best = points[int(np.argmin(np.where(allowed, off, np.inf) if allowed.any() else off))]
    return float(best[0]), float(best[1])


def _rain_gauge(region: Region, seat: int, values: FloatArray) -> Gauge:
    place = region.settlements.places[seat]
    name = Name(place.name.zh + "雨量站", place.name.en + " Rain Gauge")
    return Gauge(_station(RAIN_SEATS.index(seat), name, place.point), "rain", values)


def _level_gauge(region: Region, part: int, spot: tuple[float, float], level: FloatArray) -> Gauge:
    river = region.river_names[region.reservoir.stem]
    zh, en = river.zh.removesuffix("河"), river.en.removesuffix(" River")
    name = (
        Name(f"{river.zh}上游水文站", f"{river.en} Upper Gauge"),
        Name(f"{river.zh}坝下水文站", f"{river.en} Gauge below the Dam"),
        Name(f"{river.zh}下游水文站", f"{river.en} Lower Gauge"),
        Name(f"{zh}水库水位站", f"{en} Reservoir Gauge"),
    )[part]
    return Gauge(_station(len(RAIN_SEATS) + part, name, spot), "water_level", np.round(level, 2))


def _station(number: int, name: Name, spot: tuple[float, float]) -> Feature:
    values: dict[str, object] = {"station_id": f"{ADCODE}H{number + 1:02d}", "name_zh": name.zh, "name_en": name.en}
    return Feature(shapely.Point(spot), values)
