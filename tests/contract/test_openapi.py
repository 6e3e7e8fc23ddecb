"""The OpenAPI document, in both versions, is valid and describes what is there."""

from __future__ import annotations

from urllib.parse import quote

import jsonschema
import pytest
from openapi_spec_validator import validate

from geoservice.api.shapes import ANSWERS, SHAPES
from layers.access import Clearance
from tests.support.service import Service, canary


@pytest.mark.parametrize(("version", "starts"), [("3.0", "3.0."), ("3.1", "3.1.")])
def test_document_is_valid(service: Service, version: str, starts: str) -> None:
    response = service.get(f"/api?f={version}")
    assert response.headers["content-type"].startswith(f"application/vnd.oai.openapi+json;version={version}")
    document = response.json()
    assert document["openapi"].startswith(starts)
    validate(document)


def test_old_version_has_no_new_words(service: Service) -> None:
    text = service.get("/api?f=3.0").text
    for word in ('"type":"null"', '"const"', '"prefixItems"', '"identifier"'):
        assert word not in text


def test_document_lists_the_parameters(service: Service) -> None:
    paths = service.get("/api?f=3.0").json()["paths"]
    names = {p["name"] for p in paths["/collections/{collection_id}/items"]["get"]["parameters"]}
    assert {"limit", "bbox", "datetime", "collection_id", "f"} <= names


def test_document_promises_problems_and_nothing_else(service: Service) -> None:
    document = service.get("/api?f=3.1").json()
    for path in document["paths"].values():
        for operation in path.values():
            assert "422" not in operation["responses"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_operations_have_names_of_their_own(service: Service, version: str) -> None:
    paths = service.get(f"/api?f={version}").json()["paths"]
    names = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(names) == len(set(names))
    # Those of OGC API Tiles have dots.
    assert all(name.replace(".", "_").isidentifier() for name in names)
    assert {"features_items", "processes_execution"} <= set(names)


def test_who_may_ask_is_said(service: Service) -> None:
    document = service.get("/api?f=3.0").json()
    assert document["security"][0] == {}
    used = {name for choice in document["security"] for name in choice}
    assert used == set(document["components"]["securitySchemes"])


FILLED = {
    "{collection_id}": "spot",
    "{feature_id}": quote(canary(Clearance.PUBLIC, "spot", 0), safe=""),
    "{process_id}": "echo",
    "{sheet_number}": "J50",
}
QUERIES = {"/gazetteer/sheets": "?lon=116&lat=39"}


@pytest.mark.parametrize("path", [path for path in ANSWERS if "{job_id}" not in path])
def test_answers_have_the_shape_that_is_announced(service: Service, path: str) -> None:
    document = service.get("/api?f=3.1").json()
    announced = document["paths"][path]["get"]["responses"]["200"]["content"]
    address = path
    for name, value in FILLED.items():
        address = address.replace(name, value)
    answer = service.get(address + QUERIES.get(path, ""))
    assert answer.status_code == 200, answer.text
    schema = announced[answer.headers["content-type"].partition(";")[0]]["schema"]
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    assert schema["$ref"].rpartition("/")[2] in SHAPES
    jsonschema.Draft202012Validator(whole).validate(answer.json())


def test_a_shape_that_lies_is_noticed(service: Service) -> None:
    document = service.get("/api?f=3.1").json()
    whole = {"$ref": "#/components/schemas/FeatureCollection", "components": document["components"]}
    body = service.get("/collections/spot/items").json()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(whole).validate({**body, "numberReturned": "ten"})
