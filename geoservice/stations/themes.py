"""What stations are about: themes by what they measure, and the items of the indices that judge them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from layers.indices.tables import rows
from layers.model import Text

Theme = Literal["air", "water", "hydrology", "weather", "noise", "other"]
IndexName = Literal["aqi", "surface-water", "thresholds"]
THEMES: tuple[Theme, ...] = get_args(Theme)
INDEX_NAMES: tuple[IndexName, ...] = get_args(IndexName)
SCALES: Mapping[IndexName, str] = {"aqi": "aqi", "surface-water": "surface-water", "thresholds": "thresholds"}
TITLES: Mapping[IndexName, Text] = {
    "aqi": Text(zh="空气质量指数（小时）", en="Air quality index (hourly)"),
    "surface-water": Text(zh="地表水水质类别", en="Class of surface water"),
    "thresholds": Text(zh="自设阈值", en="Declared thresholds"),
}
AIR_ITEMS: Mapping[str, str] = {name: name for name in ("pm25", "pm10", "so2", "no2", "co", "o3")}
WATER_ITEMS: Mapping[str, str] = {row["item"]: row["item"] for row in rows("gb3838@2002")} | {"dissolved_oxygen": "do"}
ITEMS: Mapping[IndexName, Mapping[str, str]] = {"aqi": AIR_ITEMS, "surface-water": WATER_ITEMS, "thresholds": {}}
"""By index: the item of an observed property."""
_THEMES: Mapping[str, Theme] = {
    **dict.fromkeys(WATER_ITEMS, "water"),
    **dict.fromkeys((*AIR_ITEMS, "pm1", "no", "nox", "o3_8h", "bc"), "air"),
    **dict.fromkeys(("water_level", "tide_level", "discharge", "rain", "groundwater_level"), "hydrology"),
    **dict.fromkeys(("reservoir_level", "reservoir_storage"), "hydrology"),
    **dict.fromkeys(("air_temperature", "humidity", "wind_speed", "wind_direction", "pressure"), "weather"),
    "water_temperature": "water",
    "noise": "noise",
}


def theme_of(property_code: str) -> Theme:
    """The theme of an observed property."""
    return _THEMES.get(property_code, "other")


def themes_of(properties: Iterable[str]) -> tuple[Theme, ...]:
    """The themes of what a station measures, in the order of `THEMES`."""
    found = {theme_of(one) for one in properties}
    return tuple(theme for theme in THEMES if theme in found)
