"""SensorThings shows and counts nothing above the clearance of whoever asks, on any way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.observations import tables
from geoservice.sensorthings.draft import CLEARANCE
from geoservice.sensorthings.model import ENTITIES
from geoservice.sensorthings.options import Options, read_options
from geoservice.sensorthings.select import Query
from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.sensorthings import Sta, location, named, observed, reading, running_sta, stream

LEVELS = list(Clearance)


@pytest.fixture(scope="module")
def sta(cluster_settings: Settings) -> Iterator[Sta]:
    """Per level a thing with a place, a datastream and two readings; all share one sensor and one property."""
    with running_sta(cluster_settings) as found:
        shared = found.make("ObservedProperties", observed("shared"))
        for level in LEVELS:
            name = f"CNRY-{int(level)}"
            readings = [reading(hour, 100.0 * level + hour) for hour in (1, 2)]
            flow = stream(name, ObservedProperty={"@iot.id": shared}, Observations=readings)
            place = {**location(name, 1 + level, 1), CLEARANCE: level.label}
            body = named(name, Locations=[place], Datastreams=[{**flow, CLEARANCE: level.label}])
            found.make("Things", {**body, CLEARANCE: level.label})
        yield found


@pytest.mark.parametrize("level", LEVELS)
def test_sets_and_numbers(sta: Sta, level: Clearance) -> None:
    seen = int(level) + 1
    key = sta.service.keys[level]
    expected = {"Things": 1, "Locations": 1, "HistoricalLocations": 1, "Datastreams": 1, "Observations": 2}
    for name, each in expected.items():
        body = sta.get(name, key, count="true").json()
        assert body["@iot.count"] == len(body["value"]) == each * seen, name
    flows = sta.get("ObservedProperties(1)", key, expand="Datastreams($count=true;$expand=Thing,Observations)").json()
    assert flows["Datastreams@iot.count"] == len(flows["Datastreams"]) == seen
    text = sta.get("Things", key, expand="Locations,HistoricalLocations,Datastreams/Observations").text
    assert [f"CNRY-{int(one)}" in text for one in LEVELS] == [one <= level for one in LEVELS]


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_hidden_looks_like_missing(sta: Sta, level: Clearance) -> None:
    key = sta.service.keys[level]
    for name in ("Things", "Locations", "HistoricalLocations", "Datastreams", "Observations"):
        numbers = [one["@iot.id"] for one in sta.values(name, sta.service.keys[Clearance.RESTRICTED])]
        for number in numbers:
            answer, missing = sta.get(f"{name}({number})", key), sta.get(f"{name}(999999)", key)
            if answer.status_code != 200:
                assert (answer.status_code, answer.text) == (missing.status_code, missing.text)
        found = sum(sta.get(f"{name}({number})", key).status_code == 200 for number in numbers)
        assert found == (int(level) + 1) * len(numbers) // 3


def test_filters_and_orders_know_nothing_hidden(sta: Sta) -> None:
    for expression in (
        "Datastreams/Thing/name eq 'CNRY-2'",
        "Datastreams/Observations/result gt 100",
        "Datastreams/name eq 'CNRY-1'",
    ):
        assert sta.values("ObservedProperties", filter=expression) == []
        assert len(sta.values("ObservedProperties", sta.service.keys[Clearance.RESTRICTED], filter=expression)) == 1
    first = sta.get("Observations", orderby="result desc", top="1").json()
    assert first["value"][0]["result"] == 2
    following = sta.get(first["@iot.nextLink"]).json()
    assert [one["result"] for one in following["value"]] == [1]
    assert "@iot.nextLink" not in following


def test_writers_find_nothing_above_them(sta: Sta) -> None:
    secret = sta.values("Things", sta.service.keys[Clearance.RESTRICTED], filter="name eq 'CNRY-2'")[0]["@iot.id"]
    for method, path, body in (
        ("PATCH", f"Things({secret})", {"name": "x"}),
        ("DELETE", f"Things({secret})", None),
        ("POST", f"Things({secret})/Datastreams", stream("x")),
    ):
        answer = sta.send(method, path, body, Clearance.INTERNAL)
        missing = sta.send(method, path.replace(f"({secret})", "(999999)"), body, Clearance.INTERNAL)
        assert (answer.status_code, answer.text) == (missing.status_code, missing.text) == (404, missing.text)
    hung = sta.send("POST", "Datastreams", stream("x", Thing={"@iot.id": secret}), Clearance.INTERNAL)
    assert hung.status_code == 400
    above = sta.send("POST", "Things", {**named("x"), CLEARANCE: "restricted"}, Clearance.INTERNAL)
    assert above.status_code == 400


def test_what_hangs_on_it_is_as_closed(sta: Sta) -> None:
    thing = sta.make("Things", {**named("closed"), CLEARANCE: "internal"})
    flow = sta.make(f"Things({thing})/Datastreams", stream("closed"))
    one = sta.make(f"Datastreams({flow})/Observations", reading(5, 1))
    place = sta.make(f"Things({thing})/Locations", location("closed", 2, 2))
    for path in (f"Datastreams({flow})", f"Observations({one})", f"Locations({place})"):
        assert sta.get(path).status_code == 404, path
        assert sta.get(path, sta.service.keys[Clearance.INTERNAL]).status_code == 200, path
    opened = {**stream("opened", Thing={"@iot.id": thing}), CLEARANCE: "public"}
    assert sta.send("POST", "Datastreams", opened).status_code == 400
    # A public property that a restricted datastream hangs on is not deleted by those who do not see the datastream.
    refused = sta.send("DELETE", "ObservedProperties(1)", None, Clearance.INTERNAL)
    assert refused.status_code == 403
    assert len(sta.values("Things", sta.service.keys[Clearance.RESTRICTED], filter="startswith(name,'CNRY')")) == 3
    assert sta.send("DELETE", f"Things({thing})").status_code == 200


def test_the_first_net_holds_without_the_second(sta: Sta) -> None:
    """Negative control of the policies: the statements of a reader, run by the owner who sees all, still hide rows."""
    things, streams = ENTITIES["Things"], ENTITIES["Datastreams"]
    with sta.service.database.transaction(Role.OWNER) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.thing)).scalar_one() >= 3
        plain = Query(things, Options(), Clearance.PUBLIC)
        assert connection.execute(plain.number()).scalar_one() == 1
        assert len(connection.execute(plain.page(100)).all()) == 1
        options = read_options(things, [("$filter", "Datastreams/Observations/result gt 100")])
        assert connection.execute(Query(things, options, Clearance.PUBLIC).number()).scalar_one() == 0
        assert connection.execute(Query(things, options, Clearance.RESTRICTED).number()).scalar_one() == 2
        each = Query(streams, Options(), Clearance.PUBLIC)
        owners = ENTITIES["ObservedProperties"]
        link = owners.navigations["Datastreams"]
        assert len(connection.execute(each.of_each(owners, [1], link, 10)).all()) == 1


def test_the_second_net_holds_without_the_first(sta: Sta) -> None:
    """Negative control of the predicates: a public reader who asks for everything sees what is public."""
    with sta.service.database.transaction(Role.READER_PUBLIC) as connection:
        for name, each in (("Things", 1), ("Datastreams", 1), ("Observations", 2)):
            query = Query(ENTITIES[name], Options(), Clearance.RESTRICTED)
            assert connection.execute(query.number()).scalar_one() == each, name
