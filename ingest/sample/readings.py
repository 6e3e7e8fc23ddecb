"""A month of hourly air-quality readings: daily rhythm, weather, one polluted episode, gaps and doubtful values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from ingest.sample.chance import FloatArray, stream
from ingest.sample.facilities import STATIONS, station_id

BEIJING = dt.timezone(dt.timedelta(hours=8))
START = dt.datetime(2026, 6, 1, tzinfo=BEIJING)
HOURS = 30 * 24
EPISODE = (13 * 24, 16 * 24)
EPISODE_FACTOR = 3.4
MISSING = 0.012
SUSPECT = 0.006
POLLUTION = (1.15, 1.45, 0.95, 1.0, 0.55)
"""How polluted each station is, relative."""


@dataclass(frozen=True)
class Pollutant:
    """A pollutant: code, unit, usual level, decimals, hours of its daily peaks, how strongly the episode shows."""

    code: str
    unit: str
    level: float
    decimals: int
    peaks: tuple[float, ...]
    response: float


POLLUTANTS = (
    Pollutant("pm25", "µg/m³", 24.0, 0, (8.0, 21.0), 1.0),
    Pollutant("pm10", "µg/m³", 58.0, 0, (8.0, 21.0), 0.9),
    Pollutant("so2", "µg/m³", 9.0, 0, (10.0,), 0.5),
    Pollutant("no2", "µg/m³", 21.0, 0, (8.0, 20.0), 0.5),
    Pollutant("co", "mg/m³", 0.6, 2, (8.0, 21.0), 0.5),
    Pollutant("o3", "µg/m³", 82.0, 0, (15.5,), 0.15),
)


@dataclass(frozen=True)
class Reading:
    """One hourly value: a mean, or the sum of what fell; the time is the start of its hour, Beijing time."""

    station: str
    observed: str
    time: dt.datetime
    value: float
    unit: str
    quality: str


def build_readings(seed: int) -> list[Reading]:
    """All readings in order of station, pollutant and time; missing hours have no row."""
    found: list[Reading] = []
    for station in range(STATIONS):
        weather = _weather(stream(seed, "weather"))
        for pollutant in POLLUTANTS:
            chance = stream(seed, f"readings {station} {pollutant.code}")
            found += _series(station, pollutant, weather, chance)
    return found


def _series(station: int, pollutant: Pollutant, weather: FloatArray, chance: np.random.Generator) -> list[Reading]:
    hours = np.arange(HOURS)
    values = pollutant.level * POLLUTION[station] * weather * _rhythm(pollutant) * _episode(pollutant.response)
    values = np.maximum(values * np.exp(0.22 * (chance.random(HOURS) - 0.5)), 10.0**-pollutant.decimals)
    luck = chance.random(HOURS)
    values = np.where((luck > MISSING) & (luck < MISSING + SUSPECT), values * 4.0, values)
    rows = []
    for hour in hours[luck > MISSING].tolist():
        quality = "suspect" if luck[hour] < MISSING + SUSPECT else "good"
        time = START + dt.timedelta(hours=hour)
        value = round(float(values[hour]), pollutant.decimals)
        rows.append(Reading(station_id(station), pollutant.code, time, value, pollutant.unit, quality))
    return rows


def _weather(chance: np.random.Generator) -> FloatArray:
    """How much the air keeps of what is put into it, changing over days."""
    knots = 0.7 + 0.7 * chance.random(HOURS // 36 + 2)
    return np.interp(np.arange(HOURS), np.arange(len(knots)) * 36.0, knots)


def _rhythm(pollutant: Pollutant) -> FloatArray:
    hour = np.arange(HOURS) % 24
    total = np.zeros(HOURS)
    for peak in pollutant.peaks:
        away = np.minimum(np.abs(hour - peak), 24 - np.abs(hour - peak))
        total += np.exp(-((away / 3.2) ** 2))
    return np.asarray(0.65 + 0.7 * total)


def _episode(response: float) -> FloatArray:
    hour = np.arange(HOURS)
    rise = np.clip((hour - EPISODE[0]) / 12.0, 0, 1) * np.clip((EPISODE[1] - hour) / 12.0, 0, 1)
    return np.asarray(1.0 + (EPISODE_FACTOR - 1.0) * response * rise)
