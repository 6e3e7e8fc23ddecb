"""OGC API Processes 1.0: the questions of ets-ogcapi-processes10 and some more, beside the contract tests.

Docstrings name the requirement of OGC 18-062r2 that a test is about. Executions that need a worker are asked for in
`tests/contract/test_processes.py`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from geoservice.processes.registry import PROCESSES
from tests.support.service import Service

CORE = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
EXECUTE = "http://www.opengis.net/def/rel/ogc/1.0/execute"
PROBLEM = "application/problem+json"
MODES = {"sync-execute", "async-execute"}


def local(address: str) -> str:
    """Path and query of an address of the site."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def relation(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in body["links"] if one["rel"] == name]


def execute(site: Service, process: str, body: Any, **headers: str) -> Any:
    return site.client.post(f"/processes/{process}/execution", json=body, headers=headers)


def test_the_landing_page_leads_on(site: Service) -> None:
    """/req/core/landingpage-success: service-desc, conformance and the list of processes, each with a type."""
    body = site.get("/?f=json").json()
    for name in ("service-desc", "http://www.opengis.net/def/rel/ogc/1.0/processes"):
        found = relation(body, name)
        assert found, name
        assert all(one["type"] for one in found)
        assert len({urlsplit(one["href"]).path for one in found}) == 1
        assert site.get(local(found[0]["href"])).status_code == 200


def test_conformance_is_declared(site: Service) -> None:
    """/req/core/conformance-success: the classes of this server."""
    declared = set(site.get("/conformance?f=json").json()["conformsTo"])
    assert {f"{CORE}/{name}" for name in ("core", "ogc-process-description", "json", "oas30", "job-list")} <= declared
    assert f"{CORE}/callback" not in declared


def test_the_description_lists_the_operations(site: Service) -> None:
    """/req/oas30/completeness: each operation of the standard, with the statuses that it prescribes."""
    paths = site.get("/api?f=3.0").json()["paths"]
    assert "200" in paths["/processes"]["get"]["responses"]
    assert {"200", "201"} <= set(paths["/processes/{process_id}/execution"]["post"]["responses"])
    for path, method in (("/jobs", "get"), ("/jobs/{job_id}", "get"), ("/jobs/{job_id}", "delete")):
        assert {"200", "default"} <= set(paths[path][method]["responses"])
    assert "200" in paths["/jobs/{job_id}/results"]["get"]["responses"]


def test_the_list_of_processes(site: Service) -> None:
    """/req/core/process-list-success: id and version of each, self and alternate links."""
    answer = site.get("/processes?f=json")
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert {one["id"] for one in body["processes"]} == set(PROCESSES)
    assert relation(body, "self")[0]["type"] == "application/json"
    assert relation(body, "alternate")[0]["type"] == "text/html"
    for one in body["processes"]:
        assert one["version"]
        assert MODES >= set(one["jobControlOptions"]) != set()
        assert {"value", "reference"} >= set(one["outputTransmission"]) != set()


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_list_obeys_limit(site: Service, limit: int) -> None:
    """/req/core/pl-limit-response: no more than was asked for."""
    assert len(site.get(f"/processes?limit={limit}").json()["processes"]) == limit


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_none(site: Service, limit: str) -> None:
    """/req/core/pl-limit-definition: a whole number of at least 1."""
    answer = site.get(f"/processes?limit={limit}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)


@pytest.mark.parametrize("name", list(PROCESSES))
def test_each_description(site: Service, name: str) -> None:
    """/req/ogc-process-description: inputs and outputs with schemas; the link that executes."""
    body = site.get(f"/processes/{name}?f=json").json()
    assert body["id"] == name
    (link,) = relation(body, EXECUTE)
    assert local(link["href"]) == f"/processes/{name}/execution"
    assert body["outputs"]
    for one in [*body["inputs"].values(), *body["outputs"].values()]:
        jsonschema.Draft202012Validator.check_schema(one["schema"])
    for one in body["inputs"].values():
        assert one["minOccurs"] in {0, 1}
        assert one["maxOccurs"] == 1


def test_heads_and_methods(site: Service) -> None:
    """/req/core/http: HEAD as GET; a method that is none is refused with those there are."""
    for path in ("/processes", "/processes/echo"):
        head = site.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 0
    wrong = site.client.put("/processes/echo", json={})
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, PROBLEM)
    assert "GET" in wrong.headers["allow"]
    assert site.client.get("/processes/echo/execution").status_code == 405


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"a"', b"null", b'{"inputs": []}', b'{"inputs": {"text": 1e999}}']
)
def test_bodies_that_are_none(site: Service, content: bytes) -> None:
    """/req/core/process-execute-request: a JSON object of the schema execute.yaml."""
    headers = {"Content-Type": "application/json"}
    answer = site.client.post("/processes/echo/execution", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)


def test_the_default_of_outputs_and_response(site: Service) -> None:
    """/req/core/process-execute-default-outputs: all that there are, raw when nothing is said."""
    whole = execute(site, "echo", {"inputs": {"text": "a", "number": 1}, "response": "document"})
    assert whole.json() == {"text": "a", "number": 1.0}
    one = execute(site, "echo", {"inputs": {"text": "a"}})
    assert (one.headers["content-type"].partition(";")[0], one.json()) == ("application/json", "a")


def test_what_is_preferred_at_once_is_not_a_job(site: Service) -> None:
    """/req/core/process-execute-sync: without respond-async the results come at once, and nothing is applied."""
    for preference in ("wait=10", "return=minimal", ""):
        answer = execute(site, "echo", {"inputs": {"text": "a"}}, Prefer=preference)
        assert answer.status_code == 200
        assert "preference-applied" not in answer.headers
        assert "location" not in answer.headers


def test_a_job_needs_somebody_whose_it_is(site: Service) -> None:
    """A job belongs to the holder of a key; anonymous ones are refused, and never half made."""
    answer = execute(site, "echo", {"inputs": {"text": "a"}}, Prefer="respond-async")
    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["none", "ECHO", "echo%2F", "echo%00", "山"])
def test_processes_that_are_none(site: Service, name: str) -> None:
    """/req/core/process-exception-no-such-process: its type, in every method."""
    for answer in (site.get(f"/processes/{name}"), execute(site, name, {"inputs": {}})):
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    if "%" not in name:
        assert site.get(f"/processes/{name}").json()["type"].endswith("/no-such-process")
