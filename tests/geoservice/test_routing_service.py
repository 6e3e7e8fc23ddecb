"""Routing over HTTP on a real database: access, freshness, the past, hostile questions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.engine import Database
from geoservice.routing import keeper
from geoservice.routing.graph import Stamp, arrays_of, graph_of
from geoservice.routing.store import GraphStore
from layers.access import Clearance
from layers.table import history_table
from tests.support.edits import Editor
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.roads import Street, at, roads_of, square, street_layer
from tests.support.service import Service, running

PUBLIC = [
    Street("direct", ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0)), name="Straight"),
    Street("detour", ((1, 0), (1, 2), (3, 2), (3, 0)), name="Around"),
]
SECRET = Street("CNRY-2-street-0", ((0, 0), (0, 3), (4, 3), (4, 0)), "fast", speed=200.0, name="CNRY-2-street-1")
LAYER = street_layer()
CLINIC = trial_layer("clinic", label={"zh": "name", "en": "name"})
GUARD = trial_layer("guard", clearance="restricted")
GROUND = trial_layer("ground", geometry="any")
CATALOG = trial_catalog(LAYER, CLINIC, GUARD, GROUND)
ENDS = {"from": "105.001,38.0", "to": "105.039,38.0"}
PATIENCE = 30.0
GEOD = pyproj.Geod(ellps="GRS80")


def rows(*streets: Street, level: str | None = None) -> list[dict[str, Any]]:
    """Rows of the layer."""
    return [street.feature(level) for street in streets]


def point(code: str, x: float, level: str | None = None) -> dict[str, Any]:
    """A facility beside the straight road."""
    empty = dict.fromkeys(("amount", "secret", "seen"))
    return {**empty, "code": code, "name": code, "level": level, "geometry": shapely.Point(105 + x / 100, 38.001)}


@pytest.fixture
def editor(database: Database) -> Editor:
    prepared(database, CATALOG)
    made = Editor(database, LAYER)
    made.bring_to([*rows(*PUBLIC), *rows(SECRET, level="restricted")])
    return made


@pytest.fixture
def service(editor: Editor, database: Database) -> Iterator[Service]:
    with running(database, CATALOG) as made:
        yield made


@pytest.fixture(scope="module")
def quiet(module_database: Database) -> Iterator[Service]:
    """A service whose roads nobody changes."""
    prepared(module_database, CATALOG)
    Editor(module_database, LAYER).bring_to([*rows(*PUBLIC), *rows(SECRET, level="restricted")])
    Editor(module_database, CLINIC).bring_to(
        [point("near", 1.5), point("far", 3.6), point("CNRY-2-clinic", 2, "restricted")]
    )
    Editor(module_database, GUARD).bring_to([point("CNRY-2-guard", 1.0, "restricted")])
    area = {"geometry": shapely.box(105.029, 38.0009, 105.031, 38.0011)}
    Editor(module_database, GROUND).bring_to([point("spot", 0.5), {**point("site", 3.0), **area}])
    with running(module_database, CATALOG) as made:
        yield made


def ask(service: Service, asker: Clearance | None = None, **query: str) -> Any:
    """The answer to a GET of a route."""
    asked = "&".join(f"{name}={value}" for name, value in {**ENDS, **query}.items())
    response = service.get(f"/routing/routes?{asked}", asker)
    assert response.status_code == 200, response.text
    return response.json()


def post(service: Service, path: str, body: object) -> Any:
    """A posted question."""
    return service.client.post(
        f"/routing/{path}", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def within_time(service: Service, edition: int, **query: str) -> Any:
    """The answer as soon as it is of an edition."""
    deadline = time.monotonic() + PATIENCE
    while (found := ask(service, **query))["edition"] < edition:
        assert time.monotonic() < deadline, "the network was not brought up to date"
        time.sleep(0.05)
    return found


def roads_used(answer: Any) -> list[str]:
    """Keys of the roads of a way."""
    return [key for f in answer["features"] for key in f["properties"].get("roads", [])]


def test_networks_are_listed_with_their_modes(quiet: Service) -> None:
    listed = quiet.get("/routing").json()["networks"]
    assert [n["network"] for n in listed] == ["street"]
    assert listed[0]["modes"]["car"]["speeds"] == {"fast": 90.0, "slow": 30.0}


def test_nobody_travels_on_roads_above_their_clearance(quiet: Service) -> None:
    open_, closed = ask(quiet), ask(quiet, Clearance.RESTRICTED)
    assert roads_used(open_) == ["direct"]
    assert SECRET.key in roads_used(closed), "the faster way is for those who may know it"
    assert "CNRY" not in json.dumps(open_)
    for asker in (Clearance.PUBLIC, Clearance.INTERNAL):
        assert "CNRY" not in json.dumps(ask(quiet, asker))


def test_a_closed_zone_in_the_address(quiet: Service) -> None:
    west, south, east, north = square(2, 0).bounds
    found = ask(quiet, avoid=f"bbox:{west},{south},{east},{north}")
    assert roads_used(found) == ["direct", "detour", "direct"]
    assert found["closures"]["cut"] == 1
    assert found["network"] == "street"


def test_further_ways_of_the_two_around_a_block(quiet: Service) -> None:
    corners = {"from": "105.01,38.02", "to": "105.03,38.0"}
    for asker in (None, Clearance.RESTRICTED):
        answer = ask(quiet, asker, **corners, alternatives="3", preference="shortest")
        others = [f["properties"] for f in answer["features"] if f["properties"]["type"] == "alternative"]
        assert [(one["shared"], one["distance_m"]) for one in others] == [
            (0.0, pytest.approx(answer["distance_m"], rel=1e-3))
        ]
        assert "alternative" not in {f["properties"]["type"] for f in ask(quiet, asker, **corners)["features"]}
    assert quiet.get("/routing/routes?from=105.01,38.02&to=105.03,38&alternatives=4").status_code == 400


def test_the_network_follows_edits(service: Service, editor: Editor, database: Database) -> None:
    first = ask(service)
    short = Street("short", ((0, 0), (4, 0)), "fast", name="Short")
    edition = editor.bring_to([*rows(*PUBLIC, short), *rows(SECRET, level="restricted")])
    assert edition is not None
    assert ask(service)["edition"] in (first["edition"], edition), "the one before serves until the new one is ready"
    assert "short" in roads_used(within_time(service, edition))
    assert LAYER.network is not None
    kept = next((database.settings.home / "networks").glob("street-public-*"))
    graph = GraphStore(kept.parent, kept.name).newest(LAYER.network)
    assert graph is not None
    assert graph.edition == edition
    anew = arrays_of(graph_of(roads_of([*PUBLIC, short]), LAYER.network, graph.stamp))
    brought = arrays_of(graph)
    numbers = {"roads/fid", "roads/edition"}
    assert all(
        np.array_equal(anew[n], brought[n], equal_nan=True)
        for n in anew.keys() - numbers - {"roads/name_zh.block", "roads/name_zh.begin"}
    )


def test_a_road_that_became_secret_is_gone_at_once(service: Service, editor: Editor) -> None:
    assert roads_used(ask(service)) == ["direct"]
    editor.bring_to([*rows(PUBLIC[1]), *rows(PUBLIC[0], SECRET, level="restricted")])
    # The writer closes the history of a road with its clearance; the editor of the tests leaves that to its caller.
    conceal(editor, "direct")
    found = ask(service)
    assert '"direct"' not in json.dumps(found)


def test_a_road_that_was_deleted_serves_until_the_new_network_is_ready(
    service: Service, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(service)
    # The making of the next network stands still.
    monkeypatch.setattr(keeper, "read_roads", never)
    edition = editor.bring_to([*rows(PUBLIC[1]), *rows(SECRET, level="restricted")])
    found = ask(service)
    assert (found["edition"], roads_used(found)) == (first["edition"], ["direct"])
    assert edition is not None
    assert found["edition"] < edition


def test_a_network_of_another_database_is_no_basis(service: Service, editor: Editor, database: Database) -> None:
    assert LAYER.network is not None
    ask(service)
    kept = next((database.settings.home / "networks").glob("street-public-*"))
    store = GraphStore(kept.parent, kept.name)
    # The same numbers of features and editions, as a restored database may give them to other rows.
    held = store.newest(LAYER.network)
    assert held is not None
    foreign = roads_of([Street("direct", ((0, 0), (0, 9))), Street("detour", ((0, 1), (9, 9)))])
    foreign = replace(foreign, fid=held.roads.fid, edition=held.roads.edition)
    store.keep(graph_of(foreign, LAYER.network, Stamp(held.edition, held.stamp.committed + 1)))
    edition = editor.bring_to([*rows(*PUBLIC, Street("more", ((0, 4), (1, 4)))), *rows(SECRET, level="restricted")])
    assert edition is not None
    assert roads_used(within_time(service, edition)) == ["direct"]


async def never(*_: object) -> Any:
    """Read nothing and never end."""
    await asyncio.Event().wait()


def conceal(editor: Editor, key: str) -> None:
    """Raise the clearance of the former rows of a feature, as the writer does."""
    history = history_table(LAYER)
    with editor.engine.begin() as connection:
        connection.execute(sa.update(history).where(history.c.key == key).values(_clearance=2))


def test_the_network_as_it_was(service: Service, editor: Editor) -> None:
    first = ask(service)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    time.sleep(1.2)
    edition = editor.bring_to([*rows(PUBLIC[1]), *rows(SECRET, level="restricted")])
    assert edition is not None
    within_time(service, edition)
    then = ask(service, **{"as-of": moment})
    assert (then["edition"], roads_used(then)) == (first["edition"], ["direct"])
    before = ask(service, **{"as-of": "2020-01-01T00:00:00Z"})
    assert before["status"] == "unreachable"


def test_several_places_and_closures_are_posted(quiet: Service) -> None:
    body = {
        "waypoints": {"type": "MultiPoint", "coordinates": [at((0, 0)), at((2, 2)), at((4, 0))]},
        "preference": "shortest",
        "closures": [{"bbox": list(square(2, 0).bounds), "factor": 2}],
        "obstacles": {"type": "MultiPolygon", "coordinates": [[list(square(3, 0).exterior.coords)]]},
    }
    found = post(quiet, "routes", body).json()
    assert found["status"] == "unreachable"
    assert found["leg"] == 2
    assert [z["factor"] for z in found["closures"]["zones"]] == [2.0, None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"waypoints": [[105, 38]]}, 400),
        ({"waypoints": [[105, 38], [500, 38]]}, 400),
        ({"waypoints": [[105, 38], [1e400, 38]]}, 400),
        ({"waypoints": [[105, 38], ["x", 38]]}, 400),
        ({"waypoints": [[105, 38], [True, 38]]}, 400),
        ({"waypoints": [[105, 38]] * 51}, 413),
        ({"waypoints": [[105, 38], [105, 38]], "stranger": 1}, 400),
        ({"waypoints": [[105, 38], [105, 38]], "mode": "ship"}, 400),
        ({"waypoints": [[105, 38], [105, 38]], "network": "nowhere"}, 404),
        ({"waypoints": [[105, 38], [105, 38]], "preference": "cheapest"}, 400),
        ({"waypoints": [[105, 38], [105, 38]], "closures": [{"bbox": [1, 2, 3, 4], "factor": 0.5}]}, 400),
        ({"waypoints": [[105, 38], [105, 38]], "closures": [{"bbox": [1, 2, 3, 4]}] * 51}, 413),
        ({"waypoints": [[105, 38], [105, 38]], "closures": [{"alert": "none"}]}, 404),
        ({"waypoints": [[105, 38], [105, 38]], "closures": {"bbox": [1, 2, 3, 4]}}, 400),
        ({"waypoints": [[105, 38], [105, 38]], "as_of": "tomorrow"}, 400),
    ],
)
def test_bad_questions_are_refused_with_a_sentence(quiet: Service, body: Any, status: int) -> None:
    response = post(quiet, "routes", body)
    assert response.status_code == status, response.text
    assert response.json()["detail"].endswith(".")


@pytest.mark.parametrize("query", ["from=1,2", "from=1,2&to=nan,3", "from=1,2&to=3", "from=a,b&to=1,2"])
def test_bad_addresses_are_refused(quiet: Service, query: str) -> None:
    assert quiet.get(f"/routing/routes?{query}").status_code == 400


def test_zones_beyond_the_budget_are_refused(quiet: Service) -> None:
    ring = [[105 + np.cos(a) / 10, 38 + np.sin(a) / 10] for a in np.linspace(0, 2 * np.pi, 25_000)[:-1]]
    zone = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    body = {"waypoints": [[105, 38], [105, 38]], "closures": [{"zone": zone}]}
    assert post(quiet, "routes", body).status_code == 413


def test_the_same_question_has_the_same_answer(quiet: Service) -> None:
    asked = f"/routing/routes?from={ENDS['from']}&to={ENDS['to']}"
    assert quiet.get(asked).content == quiet.get(asked).content


def test_files_of_networks_are_for_the_service_alone(quiet: Service) -> None:
    ask(quiet)
    folder: Path = next((quiet.database.settings.home / "networks").glob("street-*"))
    assert folder.stat().st_mode & 0o077 == 0


def test_the_nearest_facilities_of_a_collection(quiet: Service) -> None:
    found = quiet.get("/routing/nearest?place=105.0,38.0&facilities=clinic&count=5").json()
    ways = [f["properties"] for f in found["features"] if f["properties"]["type"] == "way"]
    assert [(w["rank"], w["facility"]) for w in ways] == [(1, "near"), (2, "far")]
    assert ways[0]["distance_m"] < ways[1]["distance_m"]
    assert found["facilities"] == {"collection": "clinic", "edition": found["facilities"]["edition"], "considered": 2}
    assert "CNRY" not in json.dumps(found)
    more = quiet.get("/routing/nearest?place=105.0,38.0&facilities=clinic&count=5", Clearance.RESTRICTED).json()
    assert [f["properties"].get("facility") for f in more["features"][1:]] == ["near", "CNRY-2-clinic", "far"]


def test_facilities_may_be_grounds(quiet: Service) -> None:
    found = quiet.get("/routing/nearest?place=105.0,38.0&facilities=ground&count=5").json()
    ways = [f["properties"] for f in found["features"] if f["properties"]["type"] == "way"]
    assert [way["facility"] for way in ways] == ["spot", "site"]
    # The middle of the grounds lies 0.03 degrees along the straight road and beside it: pyproj says how far that is.
    along, beside = GEOD.inv(105.0, 38.0, 105.03, 38.0)[2], GEOD.inv(105.03, 38.0, 105.03, 38.001)[2]
    assert ways[1]["distance_m"] == pytest.approx(along + beside, abs=1)


@pytest.mark.parametrize("name", ["guard", "nowhere", "street"])
def test_a_collection_that_is_hidden_looks_like_one_that_is_not_there(quiet: Service, name: str) -> None:
    response = quiet.get(f"/routing/nearest?place=105.0,38.0&facilities={name}")
    assert response.status_code == 404
    assert (
        response.json()["detail"] == f"There is no collection {name!r} of points; /collections lists those there are."
    )
    posted = post(quiet, "isochrones", {"places": name, "breaks": [60]})
    assert posted.json()["detail"] == response.json()["detail"]


def test_facilities_are_reached_and_left_by_other_ways(quiet: Service) -> None:
    body = {"place": [105.0, 38.0], "facilities": [[105.035, 38.0]], "closures": [{"bbox": list(square(2, 0).bounds)}]}
    there = post(quiet, "nearest", {**body, "direction": "to"}).json()
    back = post(quiet, "nearest", {**body, "direction": "from"}).json()
    lines = [answer["features"][1]["geometry"]["coordinates"] for answer in (there, back)]
    assert lines[0] == lines[1][::-1], "no road here is one-way"
    assert post(quiet, "nearest", {**body, "limit": 60}).json()["found"] == 0


def test_isochrones_in_the_address_and_posted(quiet: Service) -> None:
    found = quiet.get("/routing/isochrones?place=105.02,38.0&breaks=60,120&width=80").json()
    assert [f["properties"]["limit"] for f in found["features"][:2]] == [60, 120]
    assert found["unit"] == "s"
    areas = [shapely.geometry.shape(f["geometry"]) for f in found["features"][:2]]
    # Outlines are true to a tenth of the width.
    assert areas[1].contains(areas[0].buffer(-1.5e-4))
    shut = post(quiet, "isochrones", {"places": "clinic", "breaks": [300], "closures": [{"bbox": [105, 37, 106, 39]}]})
    assert [f["properties"].get("roads_m") for f in shut.json()["features"]][:2] == [0.0, 0.0]


def test_a_matrix_of_posted_places(quiet: Service) -> None:
    places = [[105.0, 38.0], [105.02, 38.0], [110.0, 38.0]]
    found = post(quiet, "matrix", {"sources": places}).json()
    rows_ = found["durations_s"]
    assert [row[2] for row in rows_] == [None] * 3
    assert rows_[0][1] == rows_[1][0] > 0 == rows_[0][0]
    far = post(quiet, "matrix", {"sources": places[:1], "targets": places[1:2], "preference": "shortest"}).json()
    assert far["distances_m"][0][0] == pytest.approx(1756.6, abs=0.5)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("matrix", {"sources": [[0, 0]] * 1000, "targets": [[0, 0]] * 1000}),
        ("nearest", {"place": [0, 0], "facilities": [[0, 0]] * 2000}),
        ("isochrones", {"places": [[0, 0]] * 200, "breaks": [10]}),
    ],
)
def test_questions_beyond_the_limits_are_refused(quiet: Service, path: str, body: Any) -> None:
    response = post(quiet, path, body)
    assert response.status_code == 413
    assert response.json()["limit"] > 0


def test_a_question_with_strangers_names_the_known_members(quiet: Service) -> None:
    response = post(quiet, "matrix", {"sources": [[105, 38]], "waypoints": []})
    assert response.status_code == 400
    assert "targets" in response.json()["detail"]


def test_places_at_the_end_of_the_world(quiet: Service) -> None:
    for place in ([180.0, 0.0], [-180.0, 90.0], [0, -90]):
        found = post(quiet, "isochrones", {"places": [place], "breaks": [60]})
        assert found.status_code == 200, found.text
        assert found.json()["features"][0]["properties"]["roads_m"] == 0
