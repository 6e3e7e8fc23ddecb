"""Processes that put questions to resources: the same answer, the same refusal, the same silence on what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from geoservice.http.parameters import declared
from geoservice.processes.asked import QUESTIONS
from geoservice.processes.questions import Question
from layers.access import Clearance
from tests.support.service import Service, canary

HERE = {"lon": 105.05, "lat": 38.05}
POINT = {"type": "Point", "coordinates": [105.05, 38.05]}
SQUARE = {"bbox": [105.0, 38.0, 105.1, 38.1]}
ASKED: dict[str, dict[str, Any]] = {
    "identify": {"geometry": POINT, "tolerance": 2000, "with_geometry": True},
    "intersects": {**SQUARE, "collections": ["spot"], "limit": 3},
    "within": {**SQUARE},
    "buffer": {"geometry": POINT, "distance": 1000},
    "join": {**HERE, "collection": "area", "properties": ["name"]},
    "nearest": {**HERE, "collection": "spot", "k": 2, "filter": "amount > 2"},
    "zone": {**SQUARE},
    "impact": {**SQUARE, "explain": True},
    "impact-compare": {"first": SQUARE, "second": {"bbox": [105.0, 38.0, 105.05, 38.05]}},
    "compliance": {**SQUARE},
    "names": {"q": "点", "limit": 3, "near": [105.05, 38.05]},
    "sheets": {"bbox": [105.0, 38.0, 105.1, 38.1], "scale": 50000},
    "sheet": {"sheet_number": "J50E001010"},
    "coordinates": {"q": "38.05N 105.05E"},
}


def execute(service: Service, name: str, inputs: dict[str, Any], clearance: Clearance | None, **more: Any) -> Any:
    headers = {} if clearance is None else {"X-API-Key": service.keys[clearance]}
    return service.client.post(f"/processes/{name}/execution", json={"inputs": inputs, **more}, headers=headers)


def asked_directly(service: Service, question: Question, inputs: dict[str, Any], clearance: Clearance | None) -> Any:
    call = question.call(question.inputs.model_validate(inputs))
    headers = {} if clearance is None else {"X-API-Key": service.keys[clearance]}
    return service.client.request(call.method, call.path, params=dict(call.query), json=call.body, headers=headers)


def without_time(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "computed"}


def by_name(name: str) -> Question:
    return next(one for one in QUESTIONS if one.id == name)


@pytest.mark.parametrize("clearance", [None, Clearance.INTERNAL, Clearance.RESTRICTED])
@pytest.mark.parametrize("name", list(ASKED))
def test_process_and_resource_give_one_answer(service: Service, name: str, clearance: Clearance | None) -> None:
    through = execute(service, name, ASKED[name], clearance)
    directly = asked_directly(service, by_name(name), ASKED[name], clearance)
    assert through.status_code == directly.status_code, through.text
    assert without_time(through.json()) == without_time(directly.json())
    if clearance is Clearance.RESTRICTED:
        assert through.status_code == 200, through.text


def routes(service: Service) -> Iterator[APIRoute]:
    for block in service.client.app.state.blocks:  # type: ignore[attr-defined]
        yield from (route for route in block.router.routes if isinstance(route, APIRoute))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.id)
def test_inputs_are_what_the_resource_takes(service: Service, question: Question) -> None:
    resource = question.resource
    (route,) = [r for r in routes(service) if r.path == resource.path and resource.method in r.methods]
    names = resource.renamed or {}
    in_query = {
        names.get(name, name)
        for name in question.inputs.model_fields
        if name not in resource.body and f"{{{name}}}" not in resource.path
    }
    assert in_query == declared(route.dependant) - {"f", "lang"}
    assert bool(resource.body) == (route.body_field is not None)


def test_hidden_layers_are_missing_layers(service: Service) -> None:
    for name in ("nearest", "join"):
        hidden = execute(service, name, {**HERE, "collection": "area"}, None)
        missing = execute(service, name, {**HERE, "collection": "aaer"}, None)
        assert hidden.status_code == missing.status_code == 404
        assert hidden.text.replace("area", "aaer") == missing.text
        assert hidden.headers["content-type"] == "application/problem+json"
    seen = execute(service, "identify", {**SQUARE, "limit": 100}, None).text
    assert canary(Clearance.PUBLIC, "spot", 0) in seen
    assert "CNRY-1" not in seen
    assert "CNRY-2" not in seen
    assert "CNRY-2" in execute(service, "identify", {**SQUARE, "limit": 100}, Clearance.RESTRICTED).text


def test_problems_are_those_of_the_resource(service: Service) -> None:
    wrong = execute(service, "nearest", {**HERE, "collection": "spot", "k": 100_000}, None)
    assert wrong.status_code == 400
    assert "k" in wrong.json()["detail"]
    two = execute(service, "identify", {"geometry": POINT, "adcode": "990101"}, None)
    assert (two.status_code, two.json()["type"]) == (400, "about:blank")
    unknown = execute(service, "identify", {"geometry": POINT, "colour": "red"}, None)
    assert unknown.status_code == 400
    assert "colour" in unknown.text


def test_a_path_stays_below_its_resource(service: Service) -> None:
    for sly in ("../names?q=a", "..%2Fnames", "J50?f=html", "J50#x"):
        answer = execute(service, "sheet", {"sheet_number": sly}, None)
        assert answer.status_code in {400, 404}, answer.text


def test_the_forms_of_results(service: Service) -> None:
    raw = execute(service, "sheet", {"sheet_number": "J50"}, None)
    whole = execute(service, "sheet", {"sheet_number": "J50"}, None, response="document")
    assert whole.json() == {"answer": raw.json()}
    wrong = service.client.post(
        "/processes/sheet/execution", json={"inputs": {"sheet_number": "J50"}}, headers={"X-API-Key": "gs_x"}
    )
    assert wrong.status_code == 401
