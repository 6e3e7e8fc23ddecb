"""What has to be known of a printed map: review numbers, CRS, north, dates, filters, sources and their editions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from geoservice.prints.layers import FEW, Chosen
from geoservice.prints.place import Placed
from layers.access import Clearance, Principal
from layers.model import Text
from tiles.plane import MapCrs
from web.config import authority
from web.sheet.letters import plain
from web.texts import text as word

_MINUTES, _STRAIGHT = 60, 0.005
_MOST_FILTER = 200


def told_facts(
    spot: Placed, chosen: Sequence[Chosen], seen: Sequence[Chosen], asker: Principal, languages: tuple[str, ...]
) -> tuple[str, ...]:
    """The sentences, in all languages of the map.

    Args:
        spot: Where the map lies.
        chosen: Its layers. What was asked of them is told also where it leaves nothing in view.
        seen: Those that have something in view.
        asker: Who made it.
        languages: `zh`, `en`, or both.
    """
    return tuple(line for language in languages for line in _told(spot, chosen, seen, asker, language))


def _told(
    spot: Placed, chosen: Sequence[Chosen], seen: Sequence[Chosen], asker: Principal, language: str
) -> Iterator[str]:
    yield from _unusual(chosen, language)
    reviews = [one.credited.release.review_number for one in seen if one.credited.release is not None]
    known = list(dict.fromkeys(filter(None, reviews)))
    yield _say("report_map_review", language, n="、".join(known)) if known else word("report_map_no_review", language)
    yield _crs(spot, language)
    lon, lat = spot.plane.centre
    yield _say("print_middle", language, place=f"{lat:.5f}°, {lon:.5f}°")
    if asker.clearance > Clearance.PUBLIC:
        yield _say("print_clearance", language, level=word(f"report_level_{asker.clearance.label}", language))
    made = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield _say("print_made", language, when=made)
    yield from _asked(chosen, language)
    sources = [_source(one, language) for one in seen]
    if sources:
        yield _say("print_sources", language, names=_join(sources, language))
    credits = [part.strip() for one in seen for part in (one.credited.licence.attribution or "").split(";")]
    if any(credits):
        yield _say("report_map_credits", language, names=" · ".join(dict.fromkeys(filter(None, credits))))


def _say(key: str, language: str, **values: str) -> str:
    words = word(key, language)
    for name, value in values.items():
        words = words.replace(f"{{{name}}}", value)
    return words


def _join(parts: Sequence[str], language: str) -> str:
    return ("；" if language == "zh" else "; ").join(parts)


def _crs(spot: Placed, language: str) -> str:
    crs = spot.plane.crs
    known = _say(f"print_crs_{crs.kind}", language, name=crs.name, **_zone(crs))
    if crs.kind != "zone":
        return known
    return f"{known} {_say('print_convergence', language, angle=_angle(-spot.north))}"


def _zone(crs: MapCrs) -> dict[str, str]:
    if crs.zone is None:
        return {}
    return {"n": str(crs.zone.number), "width": str(crs.zone.width), "meridian": str(crs.zone.meridian)}


def _angle(degrees: float) -> str:
    """An angle of grid convergence in degrees and minutes with its sign."""
    if abs(degrees) < _STRAIGHT / _MINUTES:
        return "0°00′"
    minutes = round(abs(degrees) * _MINUTES)
    return f"{'+' if degrees > 0 else '−'}{minutes // _MINUTES}°{minutes % _MINUTES:02}′"


def _unusual(chosen: Sequence[Chosen], language: str) -> Iterator[str]:
    """What a reader of the paper would take for something else: layers that are left out, marks for what is tiny."""
    for one in chosen:
        title = one.shown.layer.title.of(language)
        if one.scale is not None:
            told = {"layer": title, "n": f"{FEW:,}", "scale": f"{one.scale:,}"}
            yield _say("print_left_out", language, **told)
        elif one.shown.coarse:
            yield _say("print_tiny", language, layer=title)


def _asked(chosen: Sequence[Chosen], language: str) -> Iterator[str]:
    for one in (each for each in chosen if each.scale is None):
        title, asked = one.shown.layer.title.of(language), one.asked
        if asked.filter is not None:
            yield _say("print_filter", language, layer=title, filter=plain(asked.filter)[:_MOST_FILTER])
        if asked.as_of is not None:
            yield _say("print_as_of", language, layer=title, when=plain(asked.as_of))
        if asked.datetime is not None:
            yield _say("print_when", language, layer=title, when=plain(asked.datetime))


def _source(one: Chosen, language: str) -> str:
    title, who = one.shown.layer.title.of(language), Text(**authority(one.credited)).of(language)
    if one.state.edition is None or one.state.committed is None:
        return f"{title} ({who})"
    edition = _say("print_edition", language, n=str(one.state.edition), when=one.state.committed.strftime("%Y-%m-%d"))
    return f"{title} ({who}, {edition})"
