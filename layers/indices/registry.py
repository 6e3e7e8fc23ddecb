"""All indices by name: what they take, and how they are asked."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from layers.errors import BadParameter, UnknownResource
from layers.indices import air, ambient, noise, soil, water
from layers.indices.answer import EditionUsed, IndexAnswer
from layers.indices.tables import edition_of, editions
from layers.model import Text

Values = Mapping[str, float]
_LONG = 40


@dataclass(frozen=True)
class Index:
    """An index.

    Attributes:
        name: Its name in addresses.
        title: For people.
        standard: The standard it follows.
        items: What can be given, with units.
        options: What else decides, with the values it may have; the first is the default.
        run: Works it out from values, edition and options.
    """

    name: str
    title: Text
    standard: str
    items: Callable[[], Mapping[str, str]]
    options: Mapping[str, tuple[str, ...]]
    run: Callable[[Values, EditionUsed, Mapping[str, Any]], IndexAnswer]


INDICES: dict[str, Index] = {
    one.name: one
    for one in (
        Index(
            "aqi",
            Text(zh="空气质量指数", en="Air quality index"),
            air.STANDARD,
            lambda: air.ITEMS,
            {"averaging": ("daily", "hourly")},
            lambda values, edition, options: air.air_quality(values, edition, options["averaging"]),
        ),
        Index(
            "ambient-air",
            Text(zh="环境空气浓度限值", en="Limits of ambient air"),
            ambient.STANDARD,
            lambda: ambient.ITEMS,
            {"averaging": ("24h", "1h", "8h", "year")},
            lambda values, edition, options: ambient.ambient_limits(values, edition, options["averaging"]),
        ),
        Index(
            "surface-water",
            Text(zh="地表水水质类别", en="Class of surface water"),
            water.SURFACE,
            water.surface_items,
            {"waters": ("river", "lake"), "scope": ("section", "all")},
            lambda values, edition, options: water.surface_water(values, edition, options["waters"], options["scope"]),
        ),
        Index(
            "sea-water",
            Text(zh="海水水质类别", en="Class of sea water"),
            water.SEA,
            water.sea_items,
            {},
            lambda values, edition, _: water.sea_water(values, edition),
        ),
        Index(
            "soil-farmland",
            Text(zh="农用地土壤污染风险类别", en="Risk category of farmland soil"),
            soil.FARM,
            soil.farm_items,
            {"use": ("other", "paddy", "orchard")},
            lambda values, edition, options: soil.soil_of_farmland(values, edition, options["use"]),
        ),
        Index(
            "soil-construction",
            Text(zh="建设用地土壤污染风险", en="Risk of construction land"),
            soil.CONSTRUCTION,
            soil.construction_items,
            {"land": ("1", "2")},
            lambda values, edition, options: soil.soil_of_construction_land(values, edition, options["land"]),
        ),
        Index(
            "noise",
            Text(zh="声环境质量", en="Environmental noise"),
            noise.STANDARD,
            lambda: noise.ITEMS,
            {"zone": noise.zones()},
            lambda values, edition, options: noise.noise(values, edition, options["zone"]),
        ),
    )
}


def find_index(name: str) -> Index:
    """The index of a name.

    Raises:
        UnknownResource: When there is none.
    """
    found = INDICES.get(name)
    if found is None:
        raise UnknownResource(f"There is no index {name[:_LONG]!r}; known ones are {', '.join(INDICES)}.")
    return found


def judge(
    index: Index, values: Values, day: dt.date, edition: str | None = None, options: Mapping[str, str] | None = None
) -> IndexAnswer:
    """Work out an index.

    Args:
        index: Which.
        values: Value by item, in the units of the index.
        day: The day of the values, which decides on the edition.
        edition: The edition, where it is not that of the day.
        options: What else decides; defaults for those that are not named.

    Raises:
        BadParameter: When a value is no concentration, an item, an option or an edition is unknown, or there is none.
    """
    if not values:
        raise BadParameter(f"Give at least one value; {index.name} takes {', '.join(index.items())}.")
    for name, value in values.items():
        _require_item(index, name, value)
    return index.run(values, edition_of(index.standard, day, edition), chosen(index, options or {}))


def chosen(index: Index, options: Mapping[str, str]) -> dict[str, str]:
    """The options of an index, with the defaults of those that are not named.

    Raises:
        BadParameter: When one is unknown.
    """
    for name, value in options.items():
        known = index.options.get(name)
        if known is None:
            raise BadParameter(f"The index {index.name} has no option {name[:_LONG]!r}.", parameter=name[:_LONG])
        if value not in known:
            raise BadParameter(f"{name} is one of {', '.join(known)}; {value[:_LONG]!r} is not.", parameter=name)
    return {name: options.get(name, known[0]) for name, known in index.options.items()}


def described(index: Index, language: str) -> dict[str, Any]:
    """What an index takes and by which editions, for people and programs."""
    return {
        "name": index.name,
        "title": index.title.of(language),
        "standard": index.standard,
        "items": dict(index.items()),
        "options": {name: list(known) for name, known in index.options.items()},
        "editions": [one.model_dump(mode="json") for one in editions(index.standard)],
    }


def _require_item(index: Index, name: str, value: float) -> None:
    unit = index.items().get(name)
    if unit is None:
        raise BadParameter(
            f"The index {index.name} has no item {name[:_LONG]!r}; it takes {', '.join(index.items())}.",
            parameter=name[:_LONG],
        )
    if not math.isfinite(value) or value < 0:
        raise BadParameter(f"{name} is a number of at least 0 in {unit}; {value} is not.", parameter=name)
