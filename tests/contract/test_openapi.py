"""The OpenAPI document, in both versions, is valid and describes what is there."""

from __future__ import annotations

import csv
from urllib.parse import quote

import jsonschema
import pytest
from openapi_spec_validator import validate

from geoservice.api.description import ALL_ANSWERS
from geoservice.api.question_shapes import QUESTION_SHAPES
from geoservice.api.shapes import SHAPES
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
    answer = service.get("/api?f=3.0")
    for word in ('"type":"null"', '"const"', '"prefixItems"'):
        assert word not in answer.text
    assert set(answer.json()["info"]["license"]) <= {"name", "url"}


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
    "{entity_path}": "Things",
}
HERE = "?lon=105.05&lat=38.05"
QUERIES = {
    "/gazetteer/sheets": "?lon=116&lat=39",
    "/gazetteer/names": "?q=点",
    "/gazetteer/coordinates": "?q=38.05N 105.05E",
    "/query/identify": HERE,
    "/query/intersects": HERE,
    "/query/within": "?bbox=105,38,105.1,38.1",
    "/query/buffer": f"{HERE}&distance=100",
    "/query/measure": "?bbox=105,38,105.1,38.1",
    "/query/join": f"{HERE}&collection=area",
    "/query/nearest": f"{HERE}&collection=spot&k=2",
    "/collections/{collection_id}/changes": "?since=0",
}
BOX = {"bbox": [105, 38, 105.1, 38.1]}
BODIES = {
    "/query/values": None,
    **dict.fromkeys(("/analysis/zone", "/impact", "/compliance"), BOX),
    "/impact/compare": {"first": BOX, "second": BOX},
}
PLACE = {"geometry": {"type": "Point", "coordinates": [105.05, 38.05]}}
ELSEWHERE = (
    "/routing/",
    "/gazetteer/divisions",
    "/gazetteer/convert",
    "/query/values",
    "/gazetteer/geocode",
    "/compliance/file",
)
"""Resources for which this service has no data: their own tests have."""


@pytest.mark.parametrize(
    ("method", "path"),
    [one for one in ALL_ANSWERS if "{job_id}" not in one[1] and not one[1].startswith(ELSEWHERE)],
)
def test_answers_have_the_shape_that_is_announced(service: Service, method: str, path: str) -> None:
    document = service.get("/api?f=3.1").json()
    announced = document["paths"][path][method]["responses"]["200"]["content"]
    address = path
    for name, value in FILLED.items():
        address = address.replace(name, value)
    if method == "get":
        answer = service.get(address + QUERIES.get(path, ""), Clearance.INTERNAL)
    else:
        query = "?distance=100" if path.endswith("/buffer") else ""
        answer = service.client.post(address + query, json=BODIES.get(path, PLACE))
    assert answer.status_code == 200, answer.text
    schema = announced[answer.headers["content-type"].partition(";")[0]]["schema"]
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    assert schema["$ref"].rpartition("/")[2] in SHAPES | QUESTION_SHAPES
    jsonschema.Draft202012Validator(whole).validate(answer.json())


def test_a_shape_that_lies_is_noticed(service: Service) -> None:
    document = service.get("/api?f=3.1").json()
    whole = {"$ref": "#/components/schemas/FeatureCollection", "components": document["components"]}
    body = service.get("/collections/spot/items").json()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(whole).validate({**body, "numberReturned": "ten"})


def test_a_batch_lookup_from_the_document_alone(service: Service) -> None:
    document = service.get("/api?f=3.1").json()
    posts = {path: one["post"] for path, one in document["paths"].items() if "post" in one}
    tables = {path: one for path, one in posts.items() if "text/csv" in one.get("requestBody", {}).get("content", {})}
    (path,) = [path for path, one in tables.items() if "polygons that hold the points" in one["summary"]]
    assert [p["name"] for p in tables[path]["parameters"] if p.get("required")] == ["collection"]
    headers = {document["components"]["securitySchemes"]["key"]["name"]: service.keys[Clearance.INTERNAL]}
    headers["Content-Type"] = "text/csv"
    address = document["servers"][0]["url"] + path
    table = "lon,lat\n105.01,38.1\n0,0\n"
    answer = service.client.post(address, params={"collection": "area"}, content=table, headers=headers)
    here, nowhere = csv.DictReader(answer.text.splitlines())
    assert (here["area_key"], nowhere["area_key"]) == (canary(Clearance.INTERNAL, "area", 0), "")
