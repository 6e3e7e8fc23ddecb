"""Entities as JSON of SensorThings (18-088, 8.2.1): properties, and what the service adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from geoservice.sensorthings.model import Entity, Property
from geoservice.sensorthings.options import Options

MOUNT = "/sensorthings/v1.1"
_SAFE = "$()',;:/@*"


def self_link(root: str, entity: Entity, number: int) -> str:
    """Address of an entity."""
    return f"{root}/{entity.plural}({number})"


def with_options(address: str, options: Sequence[tuple[str, str]]) -> str:
    """An address with options behind it."""
    if not options:
        return address
    return f"{address}?{urlencode(list(options), safe=_SAFE, quote_via=quote)}"


def entity_json(
    root: str,
    entity: Entity,
    number: int,
    values: Mapping[str, Any],
    options: Options | None = None,
) -> dict[str, Any]:
    """An entity with its number, its address, its properties and its links.

    Args:
        root: Address of the service root.
        entity: Its type.
        number: Its number.
        values: Its properties by name; what is null and not required is left out.
        options: What was selected and expanded; without them, everything is shown and nothing is expanded.
    """
    options = options or Options()
    wanted = options.select
    here = self_link(root, entity, number)
    found: dict[str, Any] = {}
    if wanted is None or "id" in wanted:
        found |= {"@iot.id": number, "@iot.selfLink": here}
    for name, value in values.items():
        if value is not None or entity.properties[name].required:
            found[name] = value
    expanded = {one.navigation.name for one in options.expand}
    for name in entity.navigations:
        if name not in expanded and (wanted is None or name in wanted):
            found[f"{name}@iot.navigationLink"] = f"{here}/{name}"
    return found


def values_of(properties: Sequence[Property], row: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a row, whose columns are named by the places of property and column."""
    found = {}
    for place, one in enumerate(properties):
        columns: list[Any] = []
        while f"p{place}_{len(columns)}" in row:
            columns.append(row[f"p{place}_{len(columns)}"])
        found[one.name] = one.show(*columns)
    return found


def data_array(root: str, lines: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Observations as arrays, those of each datastream together (18-088, 12.1).

    Args:
        root: Address of the service root.
        lines: Number of the datastream, and what is told of the observation.
    """
    found: dict[int, dict[str, Any]] = {}
    for stream, values in lines:
        if stream not in found:
            found[stream] = {
                "Datastream@iot.navigationLink": f"{root}/Datastreams({stream})",
                "components": list(values),
                "dataArray@iot.count": 0,
                "dataArray": [],
            }
        found[stream]["dataArray"].append(list(values.values()))
        found[stream]["dataArray@iot.count"] += 1
    return list(found.values())
