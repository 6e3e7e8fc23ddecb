"""Readings of an exercise are in nothing that tells of stations, unless somebody asks; then they are marked.

Beside each played station stands one that is meant in earnest with the same readings: what tells of that one looked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.events.exceeding import beyond
from geoservice.observations import played
from geoservice.observations.played import EARNEST, Played
from geoservice.observations.tables import datastream, thing
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import HOUR, Place, furnish, hourly, record, stream_of

CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=5)
UNITS = {"water_level": "m", "no2": "ug/m3"}
PART, *PLACES = (
    Place(name, 105.0 + place / 10, 38.0 + place % 2 / 10, UNITS)
    for place, name in enumerate(("part", "real", "not", "more", "drill", "other", "last"))
)
MARKED = {"drill": True, "other": "e-7", "part": True}
"""What the answers say of the played ones; of `part` only the datastream of its water level is."""
EARNEST_ONES = frozenset({"real", "not", "more", "last"})
EVERY = EARNEST_ONES | MARKED.keys()


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepared(module_database, CATALOG)
    places = [PART, *PLACES]
    furnish(module_database, places)
    begin = NOW.replace(minute=0, second=0) - HOUR
    record(module_database, [one for p in places for name in UNITS for one in hourly(p, name, [9.0, 9.5], begin)])
    with module_database.transaction(Role.WRITER) as connection:
        for key, value in (("not", False), ("drill", True), ("other", "e-7")):
            connection.execute(sa.update(thing).where(thing.c.key == key).values(properties={"exercise": value}))
        limit: dict[str, Any] = {"thresholds": [{"name": "warning", "above": 3.5}]}
        for place in places:
            own = {"exercise": True} if place is PART else {}
            change = sa.update(datastream).where(datastream.c.key == stream_of(place, "water_level"))
            connection.execute(change.values(properties={**limit, **own}))
    with running(module_database, CATALOG) as started:
        yield started


DAYS = f"{(NOW - 9 * HOUR).isoformat()}/{(NOW + HOUR).isoformat()}".replace("+00:00", "Z")
SURFACE = f"/interpolation?property=water_level&datetime={NOW.isoformat().replace('+00:00', 'Z')}&width=16&method=rbf"


def stations(service: Service, path: str) -> dict[str, Any]:
    """Keys of the stations that an answer tells of, with their marks."""
    answer = service.get(path)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if "features" in found:
        return {one["id"]: one["properties"].get("exercise") for one in found["features"]}
    listed = found.get("exceedances", found.get("stations"))
    return {one.get("station", one.get("id")): one.get("exercise") for one in listed}


WAYS = (
    f"/exceedances?datetime={DAYS}&property=water_level",
    "/exceedances/now?property=water_level&hours=9",
    "/stations?property=water_level",
    SURFACE,
)


@pytest.mark.parametrize("path", WAYS, ids=lambda path: path.partition("?")[0])
def test_what_is_played_is_told_to_those_who_ask(service: Service, path: str) -> None:
    for query in ("", "&exercise=false"):
        assert stations(service, path + query) == dict.fromkeys(EARNEST_ONES)
    assert stations(service, f"{path}&exercise=true") == {one: MARKED.get(one) for one in EVERY}
    assert stations(service, f"{path}&exercise=e-7") == {**dict.fromkeys(EARNEST_ONES), "other": "e-7"}
    assert stations(service, f"{path}&exercise=e-8") == dict.fromkeys(EARNEST_ONES)
    assert service.get(f"{path}&exercise=").status_code == 400


def test_a_played_station_is_found_by_those_who_ask(service: Service) -> None:
    assert service.get("/stations/drill").status_code == 404
    found = service.get("/stations/drill?exercise=true").json()
    assert (found["exercise"], {one["exercise"] for one in found["measured"]}) == (True, {True})
    # What is meant in earnest at a station of which a part is played is told all the same.
    assert [one["property"] for one in service.get("/stations/part").json()["measured"]] == ["no2"]
    film = "/station-frames?index=thresholds"
    assert set(service.get(film).json()["stations"]) == EARNEST_ONES
    assert set(service.get(f"{film}&exercise=true").json()["stations"]) == EVERY


def test_pictures_say_that_they_show_what_is_played(service: Service) -> None:
    assert "geoservice-exercise" not in service.get(f"{SURFACE}&f=png").headers
    assert service.get(f"{SURFACE}&f=png&exercise=true").headers["geoservice-exercise"] == "true"
    lines = service.get(f"{SURFACE}&f=geojson&exercise=e-7").json()
    assert lines["exercise"] == "e-7"


def beyond_of(database: Database, condition: dict[str, Any]) -> set[str]:
    async def ask() -> set[str]:
        async with Pools(database) as pools, pools.connection(Clearance.PUBLIC) as connection:
            found = await beyond(connection, Clearance.PUBLIC, condition, NOW)
            return {one.facts["station"] for one in found.beyond.values()}

    return asyncio.run(ask())


@pytest.mark.parametrize("condition", [{"standard": "declared"}, {"property": "water_level", "above": 5.0}])
def test_subscribers_never_hear_of_what_is_played(service: Service, condition: dict[str, Any]) -> None:
    assert beyond_of(service.database, condition) == EARNEST_ONES


def test_all_would_hear_of_it_without_the_condition(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the one place that decides, the same questions tell of an exercise."""
    monkeypatch.setattr("geoservice.edr.statements.meant", lambda _: sa.true())
    monkeypatch.setattr("geoservice.stations.statements.meant", lambda _: sa.true())
    for path in WAYS:
        assert set(stations(service, path)) == EVERY, path
    assert beyond_of(service.database, {"standard": "declared"}) == EVERY


def test_other_rooms_see_none_of_it(service: Service) -> None:
    found = service.get("/collections/observations/locations?parameter-name=water_level").json()["features"]
    assert {one["id"] for one in found} == EARNEST_ONES
    assert service.get("/collections/observations/locations/drill").status_code == 404


def test_what_the_parameter_means() -> None:
    assert [played.played(one) for one in (None, "false", "true", "e-7")] == [
        EARNEST, EARNEST, Played(every=True), Played(of="e-7"),
    ]  # fmt: skip
    assert [played.mark(one) for one in (None, "true", "e-7")] == [{}, {"exercise": True}, {"exercise": "e-7"}]
