"""OGC API Processes Part 1 with a real server and worker: lists, descriptions, executions, results, dismissal."""

from __future__ import annotations

import email
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.catalog import read_catalog
from layers.system import api_key
from tests.contract.test_jobs_api import Quay, served
from tests.contract.test_uploads import make_loader
from tests.support.jobs import environment, until, write_layers
from tests.support.loading import prepared

ASYNC = {"Prefer": "respond-async"}
GIVEN = {"text": "山 & <b>", "number": 2.5, "items": ["a", "b"], "geometry": {"type": "Point", "coordinates": [1, 2]}}
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


@pytest.fixture(scope="module")
def quay(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    folder = tmp_path_factory.mktemp("processes")
    layers = write_layers(folder, "spot", row_clearance=None)
    hidden = write_layers(folder / "h", "hidden", row_clearance=None, clearance="internal")
    for file in (hidden / "themes" / "trial").iterdir():
        file.rename(layers / "themes" / "trial" / file.name)
    prepared(module_database, read_catalog(layers))
    keys = {"ann": make_loader(module_database), "bob": make_loader(module_database)}
    keys["ivy"] = make_loader(module_database, clearance=1)
    with served(environment(module_database, layers)) as (address, _):
        yield Quay(module_database, address, folder, keys)


def echo(quay: Quay, body: dict[str, Any], who: str | None = "ann", **headers: str) -> Any:
    return quay.ask("POST", "/processes/echo/execution", who, json=body, headers=headers)


def test_processes_are_listed_and_described(quay: Quay) -> None:
    listed = quay.ask("GET", "/processes", None).json()
    (found,) = [one for one in listed["processes"] if one["id"] == "echo"]
    assert {"sync-execute", "async-execute"} == set(found["jobControlOptions"])
    place = next(one["href"] for one in found["links"] if one["rel"] == "describedby")
    described = quay.ask("GET", place, None).json()
    assert set(GIVEN) <= set(described["inputs"]) == {*GIVEN, "pause"}
    for one in [*described["inputs"].values(), *described["outputs"].values()]:
        jsonschema.Draft202012Validator.check_schema(one["schema"])
    assert quay.ask("GET", "/processes?limit=1", None).json()["processes"][0]["id"] == "echo"
    assert "回显" in quay.ask("GET", "/processes/echo?f=html&lang=zh", None).text


def test_the_landing_page_and_conformance_name_them(quay: Quay) -> None:
    relations = {one["rel"]: one["href"] for one in quay.ask("GET", "/", None).json()["links"]}
    assert relations["http://www.opengis.net/def/rel/ogc/1.0/processes"].endswith("/processes")
    assert relations["http://www.opengis.net/def/rel/ogc/1.0/job-list"].endswith("/jobs")
    classes = quay.ask("GET", "/conformance", None).json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core" in classes


def test_at_once_as_a_document(quay: Quay) -> None:
    answer = echo(quay, {"inputs": GIVEN, "response": "document"}, None)
    assert (answer.status_code, answer.json()) == (200, GIVEN)


def test_at_once_raw(quay: Quay) -> None:
    only = echo(quay, {"inputs": GIVEN, "outputs": {"geometry": {"transmissionMode": "value"}}}, None)
    assert only.json() == GIVEN["geometry"]
    several = echo(quay, {"inputs": GIVEN, "outputs": {"text": {}, "number": {}}}, None)
    head = f"Content-Type: {several.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + several.content).get_payload()
    assert isinstance(parts, list)
    assert [part["Content-ID"] for part in parts if not isinstance(part, str)] == ["<text>", "<number>"]


def test_qualified_inputs(quay: Quay) -> None:
    qualified = {"value": GIVEN["geometry"], "mediaType": "application/geo+json"}
    answer = echo(quay, {"inputs": {"geometry": qualified}, "response": "document"}, None)
    assert answer.json() == {"geometry": GIVEN["geometry"]}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"inputs": {"nothing": 1}}, "nothing"),
        ({"inputs": {"number": "many"}}, "number"),
        ({"inputs": {"number": {"href": "http://127.0.0.1/"}}}, "by value"),
        ({"inputs": {"text": "a"}, "outputs": {"colour": {}}}, "no output"),
        ({"inputs": {"text": "a"}, "outputs": {"text": {"transmissionMode": "reference"}}}, "by value only"),
        ({"inputs": {"text": "a"}, "mode": "sync"}, "mode"),
        ({"inputs": {"pause": 1e9}}, "pause"),
    ],
)
def test_wrong_executions(quay: Quay, body: dict[str, Any], word: str) -> None:
    answer = echo(quay, body)
    assert answer.status_code == 400
    assert word in answer.text


def test_what_is_not_there(quay: Quay) -> None:
    for method, path in (("GET", "/processes/none"), ("POST", "/processes/none/execution")):
        answer = quay.ask(method, path, json={"inputs": {}} if method == "POST" else None)
        assert (answer.status_code, answer.json()["type"]) == (404, f"{EXCEPTIONS}/no-such-process")
    for path in ("/jobs/999999", "/jobs/999999/results", "/jobs/none"):
        answer = quay.ask("GET", path)
        assert (answer.status_code, answer.json()["type"]) == (404, f"{EXCEPTIONS}/no-such-job")


def test_a_job_from_beginning_to_end(quay: Quay) -> None:
    made = echo(quay, {"inputs": {**GIVEN, "pause": 3}, "response": "document"}, **ASYNC)
    assert made.status_code == 201, made.text
    assert made.headers["preference-applied"] == "respond-async"
    place = made.headers["location"]
    status = made.json()
    assert (status["status"], status["processID"], status["type"]) == ("accepted", "echo", "process")
    early = quay.ask("GET", f"{place}/results")
    assert (early.status_code, early.json()["type"]) == (404, f"{EXCEPTIONS}/result-not-ready")
    until(lambda: 0 < quay.ask("GET", place).json()["progress"] < 100, every=0.1)
    done = quay.ended(place)
    assert (done["status"], done["progress"]) == ("successful", 100)
    results = next(one["href"] for one in done["links"] if one["rel"].endswith("/results"))
    assert quay.ask("GET", results).json() == {**GIVEN, "pause": 3.0}
    assert quay.ask("GET", f"{place}/results/items").json() == GIVEN["items"]
    assert quay.ask("GET", f"{place}/results/colour").status_code == 404


def test_a_raw_result_comes_by_itself(quay: Quay) -> None:
    made = echo(quay, {"inputs": {"text": "one"}, "outputs": {"text": {}}}, **ASYNC)
    quay.ended(made.headers["location"])
    assert quay.ask("GET", f"{made.headers['location']}/results").json() == "one"


def test_jobs_belong_to_their_owner(quay: Quay) -> None:
    anonymous = echo(quay, {"inputs": {}}, None, **ASYNC)
    assert anonymous.status_code == 401
    made = echo(quay, {"inputs": {"text": "mine"}}, **ASYNC)
    place = made.headers["location"]
    quay.ended(place)
    for path in (place, f"{place}/results", f"{place}/results/text"):
        for who in ("bob", None):
            assert quay.ask("GET", path, who).status_code == 404, path
    assert quay.ask("DELETE", place, "bob").status_code == 404
    listed = quay.ask("GET", "/jobs", "bob").json()["jobs"]
    assert made.json()["jobID"] not in [one["jobID"] for one in listed]


def test_a_running_job_is_dismissed(quay: Quay) -> None:
    place = echo(quay, {"inputs": {"pause": 50}}, **ASYNC).headers["location"]
    until(lambda: quay.ask("GET", place).json()["status"] == "running", every=0.1)
    assert quay.ask("DELETE", place).status_code == 200
    assert quay.ended(place)["status"] == "dismissed"
    answer = quay.ask("GET", f"{place}/results")
    assert answer.status_code == 422


def test_results_are_removed_by_dismissal(quay: Quay) -> None:
    made = echo(quay, {"inputs": {"text": "gone"}}, **ASYNC)
    place, number = made.headers["location"], made.json()["jobID"]
    quay.ended(place)
    folder = quay.database.settings.home / "results" / number
    assert folder.exists()
    assert quay.ask("DELETE", place).json()["status"] == "dismissed"
    assert not folder.exists()
    assert quay.ask("GET", f"{place}/results").status_code == 422


def test_jobs_are_listed_by_what_is_asked(quay: Quay) -> None:
    quay.ended(echo(quay, {"inputs": {"text": "x", "pause": 2}}, **ASYNC).headers["location"])

    def count(query: str) -> int:
        answer = quay.ask("GET", f"/jobs?limit=1000&{query}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["numberReturned"])

    assert count("processID=echo") == count("type=process") >= 1
    assert count("processID=load") == 0
    assert count("processID=load,echo&status=successful,failed") >= 1
    assert count("datetime=../2020-01-01T00:00:00Z") == 0
    assert count("datetime=2020-01-01T00:00:00Z/..&minDuration=1") >= 1
    assert count("minDuration=999") == 0
    assert count("maxDuration=0&status=successful") < count("status=successful")
    for wrong in ("type=other", "status=good", "minDuration=-1", "maxDuration=x", "datetime=now"):
        assert quay.ask("GET", f"/jobs?{wrong}").status_code == 400


def test_a_question_as_a_job(quay: Quay) -> None:
    where = {"bbox": [100.0, 30.0, 110.0, 40.0]}
    directly = quay.ask("POST", "/query/intersects", json=where).json()
    body = {"inputs": where, "response": "document"}
    made = quay.ask("POST", "/processes/intersects/execution", json=body, headers=ASYNC)
    assert made.status_code == 201, made.text
    assert quay.ended(made.headers["location"])["status"] == "successful"
    assert quay.ask("GET", f"{made.headers['location']}/results").json() == {"answer": directly}


def test_a_question_that_is_refused_fails_its_job(quay: Quay) -> None:
    body = {"inputs": {"lon": 105, "lat": 38, "collection": "nowhere"}}
    made = quay.ask("POST", "/processes/nearest/execution", json=body, headers=ASYNC)
    ended = quay.ended(made.headers["location"])
    assert ended["status"] == "failed"
    assert "nowhere" in ended["exception"]["detail"]
    assert ended["message"] == "The execution was refused; `exception` says why."


def test_status_at_each_state(quay: Quay) -> None:
    made = echo(quay, {"inputs": {"pause": 3}}, **ASYNC)
    place = made.headers["location"]
    assert {"self"} <= {one["rel"] for one in made.json()["links"]}
    assert made.json()["created"]
    assert "started" not in made.json()
    running = until(lambda: (now := quay.ask("GET", place).json())["status"] == "running" and now, every=0.1)
    assert running["started"] >= running["created"]
    assert not [one for one in running["links"] if one["rel"].endswith("/results")]
    done = quay.ended(place)
    assert done["finished"] >= done["started"]
    assert done["updated"] >= done["finished"]


def test_a_dismissed_job_is_dismissed_again(quay: Quay) -> None:
    place = echo(quay, {"inputs": {"pause": 50}}, **ASYNC).headers["location"]
    first = quay.ask("DELETE", place)
    quay.ended(place)
    again = quay.ask("DELETE", place)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["status"] == "dismissed"
    gone = quay.ask("DELETE", "/jobs/999999")
    assert (gone.status_code, gone.json()["type"]) == (404, f"{EXCEPTIONS}/no-such-job")


def test_a_job_sees_what_its_owner_sees(quay: Quay) -> None:
    body = {"inputs": {"lon": 105, "lat": 38, "collection": "hidden"}}
    states, place = {}, ""
    for who in ("ann", "ivy"):
        place = quay.ask("POST", "/processes/nearest/execution", who, json=body, headers=ASYNC).headers["location"]
        states[who] = quay.ended(place, who)
    assert (states["ann"]["status"], states["ivy"]["status"]) == ("failed", "successful")
    assert "There is no collection 'hidden'" in states["ann"]["exception"]["detail"]
    assert quay.ask("GET", f"{place}/results", "ivy").json()["collection"] == "hidden"
    with quay.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.update(api_key).where(api_key.c.clearance == 1).values(clearance=0))
    # A key is remembered for a few seconds; then its results are above it.
    until(lambda: quay.ask("GET", f"{place}/results", "ivy").json() == {}, every=0.3)


def test_half_characters_are_no_inputs(quay: Quay) -> None:
    for body in (b'{"inputs": {"q": "\\ud800"}}', b'{"inputs": {"q": "a", "classes": ["\\udfff"]}}'):
        headers = {"Content-Type": "application/json"}
        answer = quay.ask("POST", "/processes/names/execution", "ann", content=body, headers=headers)
        assert answer.status_code == 400, answer.text
        assert "half characters" in answer.json()["detail"]
