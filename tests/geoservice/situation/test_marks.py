"""Marks: plotted, changed by those who know the latest version, deleted, put back; and seen by whom they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from geoservice.db.engine import Database
from tests.support.alerts import Json, Watch
from tests.support.situation import SQUARE, at, exercise, mark, on_duty


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with on_duty(module_database, marks_each=12) as running:
        yield running


def plot(watch: Watch, who: str = "internal", **more: Any) -> Any:
    return watch.ask("POST", "/situation/marks", who, json=mark(**more))


def change(watch: Watch, made: Any, method: str = "PUT", end: str = "", who: str = "internal", **more: Any) -> Any:
    """A request under the condition of an earlier answer."""
    headers = {"If-Match": made.headers["etag"]}
    return watch.ask(method, f"/situation/marks/{made.json()['id']}{end}", who, headers=headers, **more)


def ids(watch: Watch, query: str = "", who: str | None = "internal") -> list[str]:
    found = watch.ask("GET", f"/situation/marks{query}", who).json()["features"]
    return [one["id"] for one in found]


def test_a_mark_is_plotted_changed_deleted_and_put_back(watch: Watch) -> None:
    made = plot(watch, note="左岸\n不通", geometry=SQUARE)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert made.headers["location"].endswith(f"/situation/marks/{number}")
    told = made.json()["properties"]
    assert (told["symbolTitle"]["en"], told["author"], told["version"]) == ("Road closed", "王", 1)
    assert made.json()["geometry"] == SQUARE
    second = change(watch, made, json=mark(label="已抢通", symbol="detour"))
    assert second.status_code == 200, second.text
    assert second.json()["properties"]["label"] == "已抢通"
    assert second.json()["geometry"]["type"] == "Point"
    assert number in ids(watch)
    assert change(watch, second, "DELETE").status_code == 204
    assert number not in ids(watch)
    assert watch.ask("GET", f"/situation/marks/{number}", "internal").status_code == 404
    story: list[Json] = watch.ask("GET", f"/situation/marks/{number}/versions", "internal").json()["versions"]
    assert [(v["properties"]["version"], v["properties"].get("deleted", False)) for v in story] == [
        (3, True), (2, False), (1, False),
    ]  # fmt: skip
    back = watch.ask("POST", f"/situation/marks/{number}/undo", "internal", headers={"If-Match": '"3"'})
    assert back.status_code == 200, back.text
    assert (back.json()["properties"]["label"], back.json()["properties"]["version"]) == ("已抢通", 4)
    assert number in ids(watch)


def test_undo_takes_back_a_change(watch: Watch) -> None:
    made = plot(watch, label="one", geometry=SQUARE)
    second = change(watch, made, json=mark(label="two"))
    back = change(watch, second, "POST", "/undo")
    assert (back.json()["properties"]["label"], back.json()["geometry"]) == ("one", SQUARE)
    fresh = plot(watch)
    assert change(watch, fresh, "POST", "/undo").status_code == 409


def test_a_change_made_for_an_older_version_is_refused(watch: Watch) -> None:
    made = plot(watch, label="first")
    assert change(watch, made, json=mark(label="mine")).status_code == 200
    for method, end, more in (("PUT", "", {"json": mark()}), ("DELETE", "", {}), ("POST", "/undo", {})):
        late = change(watch, made, method, end, **more)
        assert late.status_code == 412, late.text
    path = f"/situation/marks/{made.json()['id']}"
    assert watch.ask("PUT", path, "internal", json=mark()).status_code == 428
    assert watch.ask("GET", path, "internal").json()["properties"]["label"] == "mine"


def test_marks_hold_for_their_time_only(watch: Watch) -> None:
    now = plot(watch, valid_from=at(-60), valid_to=at(60)).json()["id"]
    over = plot(watch, valid_to=at(-60)).json()["id"]
    ahead = plot(watch, valid_from=at(60)).json()["id"]
    assert {now, over, ahead} & set(ids(watch)) == {now}


def test_nobody_sees_or_changes_a_mark_above_their_clearance(watch: Watch) -> None:
    hidden, open_ = plot(watch, "restricted"), plot(watch, "restricted", clearance="public")
    number = hidden.json()["id"]
    assert open_.json()["id"] in ids(watch, who=None)
    assert number not in ids(watch)
    assert number in ids(watch, who="reader")
    for path in ("", "/versions"):
        assert watch.ask("GET", f"/situation/marks/{number}{path}", "insider").status_code == 404
    assert change(watch, hidden, json=mark()).status_code == 404
    assert change(watch, open_, json=mark(), who="bystander").status_code == 403
    assert watch.ask("POST", "/situation/marks", None, json=mark()).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "dragon"},
        {"author": ""},
        {"label": "a\x07"},
        {"geometry": {"type": "Point", "coordinates": [200, 0]}},
        {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}},
        {"geometry": {"type": "LineString", "coordinates": [[0, 0]]}},
        {"valid_from": at(60), "valid_to": at(0)},
        {"exercise": "nowhere"},
        {"clearance": "restricted"},
    ],
)
def test_what_is_no_mark_is_refused(watch: Watch, wrong: dict[str, Any]) -> None:
    before = ids(watch)
    answer = plot(watch, **wrong)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"]
    assert ids(watch) == before


def test_a_key_plots_so_many_marks_and_no_more(watch: Watch) -> None:
    made = [plot(watch, "public") for _ in range(12)]
    assert {one.status_code for one in made} == {201}
    assert plot(watch, "public").status_code == 429
    assert change(watch, made[0], "DELETE", who="public").status_code == 204
    assert plot(watch, "public").status_code == 201


def test_marks_of_an_exercise_stay_in_it(watch: Watch) -> None:
    drill = exercise(watch, "internal")
    made = plot(watch, exercise=drill)
    assert made.json()["properties"]["exercise"]["id"] == drill
    number = made.json()["id"]
    assert number not in ids(watch)
    assert ids(watch, f"?exercise={drill}") == [number]
    assert watch.ask("GET", f"/situation/marks?exercise={drill}", None).status_code == 404, "it is above them"
    assert plot(watch, exercise=drill, clearance="public").status_code == 400, "not below its exercise"
    assert watch.ask("POST", f"/situation/exercises/{drill}/stop", "internal").json()["state"] == "stopped"
    assert plot(watch, exercise=drill).status_code == 409
    assert change(watch, made, json=mark()).status_code == 409
    assert ids(watch, f"?exercise={drill}") == [number], "what was played can still be read"
