"""Answers about stations as JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from geoservice.exceedances.limits import Limit
from geoservice.observations.played import mark
from geoservice.observations.units import conversion, find
from geoservice.stations.detail import Detail, Measured
from geoservice.stations.frames import Film
from geoservice.stations.judge import Judgement
from geoservice.stations.state import Found, Station, Wish
from geoservice.stations.statements import Stream
from geoservice.stations.themes import SCALES, TITLES, IndexName, theme_of
from layers.indices.tables import classes

Json = dict[str, Any]


def written(make: Callable[..., Json], *values: Any) -> bytes:
    """A document as bytes."""
    return json.dumps(make(*values), ensure_ascii=False, separators=(",", ":")).encode()


def list_document(found: Found, wish: Wish) -> Json:
    """Stations as a feature collection; the classes of the indices are told once."""
    named = sorted({index for index, _ in found.counts if index})
    return {
        "type": "FeatureCollection",
        "datetime": _text(wish.at),
        "newest": _text(found.newest),
        "numberMatched": found.matched,
        "numberReturned": len(found.stations),
        "stale": found.stale,
        "indices": {name: index_document(name) for name in TITLES if name in named},
        "counts": [
            {"index": index or None, "class": code or None, "stations": n}
            for (index, code), n in sorted(found.counts.items())
        ],
        "properties": list(found.properties),
        "features": [_feature(one) for one in found.stations],
    }


def index_document(name: IndexName) -> Json:
    """An index with its classes, the best first."""
    return {
        "title": TITLES[name].model_dump(),
        "classes": [
            {"code": int(one.code), "label": one.label.model_dump(), "colour": one.colour}
            for one in classes(SCALES[name])
        ],
    }


def _feature(station: Station) -> Json:
    reading = None if station.reading is None else _hour(station.reading)
    return {
        "type": "Feature",
        "id": station.key,
        "geometry": {"type": "Point", "coordinates": [station.x, station.y]},
        "properties": {
            **mark(station.exercise),
            **_names(station),
            "themes": list(station.themes),
            **_judged(station.judgement),
            "datetime": _text(station.hour),
            "stale": station.stale,
            **({} if reading is None else {"reading": reading}),
        },
    }


def _names(station: Station) -> Json:
    chinese = {} if station.name_zh is None else {"name_zh": station.name_zh}
    return {"name": station.name, **chinese}


def _judged(judged: Judgement | None) -> Json:
    if judged is None:
        return {"index": None, "class": None}
    names = {"thresholds": list(judged.names)} if judged.names else {}
    return {
        "index": judged.index,
        "class": judged.verdict.code,
        "value": judged.verdict.value,
        "worst": list(judged.verdict.worst),
        **names,
    }


def _hour(stream: Stream) -> Json:
    unit = find(stream.unit)
    shown = stream.unit if unit is None else unit.symbol
    return {"property": stream.property, "mean": stream.mean, "unit": shown, "datetime": _text(stream.hour)}


def detail_document(found: Detail, at: dt.datetime) -> Json:
    """A station with its index and all that it measures."""
    station = found.station
    return {
        "id": station.key,
        **mark(station.exercise),
        **_names(station),
        "point": [station.x, station.y],
        "datetime": _text(at),
        "themes": list(station.themes),
        "layer": found.layer,
        "feature": found.feature,
        "stale": station.stale,
        "hour": _text(station.hour),
        **_judged(station.judgement),
        "scale": None if station.judgement is None else index_document(station.judgement.index),
        "answer": None if found.answer is None else found.answer.model_dump(mode="json"),
        "measured": [_measured(one) for one in found.measured],
    }


def _measured(one: Measured) -> Json:
    said, latest = one.described, one.latest
    value = None if latest is None else (latest.text if latest.number is None else latest.number)
    cadence = one.stream.cadence
    return {
        "datastream": said.key,
        **mark(said.exercise),
        "property": said.property,
        "theme": theme_of(said.property),
        "label": {"zh": said.label_zh or said.label, "en": said.label},
        "unit": said.unit_symbol or said.unit_name or said.unit,
        "cadence": None if cadence is None else cadence.total_seconds(),
        "interval": [_text(said.begins), _text(said.ends)],
        "stale": one.stale,
        "latest": None
        if latest is None
        else {"datetime": _text(latest.time), "value": value, "quality": latest.quality},
        "hour": None if one.stream.hour is None else {"datetime": _text(one.stream.hour), "mean": one.stream.mean},
        "limits": [_limit(limit, said.unit or said.unit_symbol or "") for limit in one.limits],
    }


def _limit(limit: Limit, unit: str) -> Json:
    """A limit as its standard has it, and in the unit of the readings."""
    way = conversion(limit.unit, unit)
    own = limit.value if way is None else limit.value * way.factor + way.shift
    return {
        "basis": limit.basis,
        "value": limit.value,
        "unit": limit.unit,
        "ownValue": own,
        "side": "below" if limit.below else "above",
        "standard": limit.standard,
        "edition": limit.edition,
        "name": limit.title,
    }


def film_document(film: Film, index: IndexName) -> Json:
    """Classes through time: of each hour a text with a character for each station."""
    return {
        "index": index,
        **index_document(index),
        "times": [_text(time) for time in film.times],
        "stations": list(film.stations),
        "frames": list(film.frames),
    }


def _text(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
