"""Observations as data arrays (18-088, 12.2): many of several datastreams in one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.observations.reading import Reading
from geoservice.sensorthings.draft import Draft, DraftReader, property_value, require_sound
from geoservice.sensorthings.make import Maker
from geoservice.sensorthings.model import ENTITIES
from geoservice.sensorthings.readings import reading_of, write_some
from layers.access import Principal
from layers.errors import BadBody, GeoError

MOST_READINGS = 20_000
"""Observations of one request."""
_OBSERVATIONS = ENTITIES["Observations"]
_FEATURE = ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id")


@dataclass(frozen=True)
class DataArray:
    """Observations of one datastream.

    Attributes:
        stream: Number of the datastream.
        components: What the places of each row are.
        rows: The observations.
    """

    stream: int
    components: tuple[str, ...]
    rows: list[Any]


def read_arrays(body: Any) -> list[DataArray]:
    """The arrays of a request.

    Raises:
        BadBody: When it is none; what is wrong with single rows is told later.
    """
    if not isinstance(body, list) or not body:
        raise BadBody("CreateObservations takes an array of objects with Datastream, components and dataArray.")
    require_sound(body)
    found = [_array(one) for one in body]
    if sum(len(one.rows) for one in found) > MOST_READINGS:
        raise BadBody(f"A request has at most {MOST_READINGS} observations.")
    return found


def _array(value: Any) -> DataArray:
    known = (*_OBSERVATIONS.properties, *_FEATURE)
    if not isinstance(value, dict) or not isinstance(value.get("dataArray"), list):
        raise BadBody("An object of CreateObservations has Datastream, components and dataArray.")
    stream = value.get("Datastream")
    number = DraftReader().number("Datastreams", stream.get("@iot.id") if isinstance(stream, dict) else None)
    components = value.get("components")
    if not isinstance(components, list) or not _sound(components, known):
        raise BadBody(f"components names result and others of {', '.join(known)}, each once.")
    counted = value.get("dataArray@iot.count", len(value["dataArray"]))
    if counted != len(value["dataArray"]):
        raise BadBody(f"dataArray@iot.count says {str(counted)[:20]}, and there are {len(value['dataArray'])}.")
    return DataArray(number, tuple(components), value["dataArray"])


def _sound(components: list[Any], known: tuple[str, ...]) -> bool:
    """Whether components are known, each is there once, and a result is among them."""
    named = all(isinstance(one, str) and one in known for one in components)
    return named and len(set(components)) == len(components) and "result" in components


def write_arrays(connection: sa.Connection, principal: Principal, arrays: list[DataArray]) -> list[int | None]:
    """Write the observations of a request; those that are flawed are told by None, and do not hold up the others."""
    maker, readings, places = Maker(connection, principal), [], []
    fates: list[int | None] = []
    for one in arrays:
        features: dict[int, bool] = {}
        for row in one.rows:
            reading = _reading(maker, one, row, features)
            if reading is not None:
                places.append(len(fates))
                readings.append(reading)
            fates.append(None)
    written = write_some(connection, readings, principal) if readings else []
    for place, number in zip(places, written, strict=True):
        fates[place] = number
    return fates


def _reading(maker: Maker, array: DataArray, row: Any, features: dict[int, bool]) -> Reading | None:
    """A row as a reading, None when it is none."""
    if not isinstance(row, list) or len(row) != len(array.components):
        return None
    named = dict(zip(array.components, row, strict=True))
    try:
        feature = _feature(maker, named, features)
        values = {name: property_value(_OBSERVATIONS, name, value) for name, value in named.items()}
    except GeoError:
        return None
    draft = Draft(_OBSERVATIONS, values)
    if feature is None:
        feature = maker.usual_feature(array.stream)
    return reading_of(draft, array.stream, feature)


def _feature(maker: Maker, named: dict[str, Any], features: dict[int, bool]) -> int | None:
    """The feature of interest that a row names; it is taken out of the row."""
    given = _popped(named)
    if given is None:
        return None
    number = DraftReader().number("FeaturesOfInterest", given)
    if number not in features:
        features[number] = maker.find(ENTITIES["FeaturesOfInterest"], number) is not None
    if not features[number]:
        raise BadBody("FeatureOfInterest leads to an entity that is not there.")
    return number


def _popped(named: dict[str, Any]) -> Any:
    found = [named.pop(name) for name in _FEATURE if name in named]
    return next((one for one in found if one is not None), None)


def told(root: str, fates: list[int | None]) -> list[str]:
    """The answer: an address for each observation in its order, or `error`."""
    return ["error" if number is None else f"{root}/Observations({number})" for number in fates]
