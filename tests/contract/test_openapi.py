"""The OpenAPI document, in both versions, is valid and describes what is there."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate

from tests.support.service import Service


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
