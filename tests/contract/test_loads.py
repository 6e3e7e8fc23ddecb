"""Loads over HTTP: lists, reports, who sees what of them, and that documents follow the schema they name."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from layers.access import Clearance
from tests.support.service import Service, canary, make_loader

HIDDEN = canary(Clearance.RESTRICTED, "quarantine", 0)


@pytest.fixture(scope="module")
def numbers(service: Service) -> dict[str, int]:
    """Number of the first load of each collection, as somebody who may load everything lists them."""
    headers = {"X-API-Key": make_loader(service.database, Clearance.RESTRICTED)}
    found = {}
    for name in ("spot", "area", "way", "reading"):
        body = service.client.get(f"/collections/{name}/loads", headers=headers).json()
        found[name] = body["loads"][-1]["number"]
    return found


def report(service: Service, number: int, key: str | None = None) -> dict[str, Any]:
    answer = service.client.get(f"/loads/{number}", headers={"X-API-Key": key} if key else {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_public_gets_the_outcome_and_what_open_values_look_like(service: Service, numbers: dict[str, int]) -> None:
    body = report(service, numbers["spot"])
    assert (body["outcome"], body["view"], body["counts"], body["findings"]) == ("loaded", "outcome", None, [])
    profile = {one["attribute"]: one for one in body["profile"]}
    # Ten of the thirty rows are public.
    assert profile["amount"]["rows"] == 10
    assert sum(profile["amount"]["histogram"]["counts"]) == 10
    assert profile["level"]["values"] == [{"value": "public", "count": 10, "title": {"zh": "public", "en": "public"}}]
    assert "secret" not in profile
    assert body["samples"] is body["loaded_by"] is None


def test_who_sees_all_rows_sees_the_counts(service: Service, numbers: dict[str, int]) -> None:
    body = report(service, numbers["spot"], service.keys[Clearance.RESTRICTED])
    assert body["view"] == "counts"
    counts = body["counts"]
    assert (counts["read"], counts["inserted"], counts["quarantined"]) == (31, 30, 1)
    assert counts["balanced"]
    assert HIDDEN not in str(body)
    assert body["samples"] is None


def test_a_loader_who_is_cleared_for_everything_sees_everything(service: Service, numbers: dict[str, int]) -> None:
    """Negative control of the canaries: they are there for whom they are meant."""
    body = report(service, numbers["spot"], make_loader(service.database, Clearance.RESTRICTED))
    assert body["view"] == "full"
    assert body["loaded_by"] == "cli"
    (row,) = body["samples"]["quarantine"]
    assert HIDDEN in row["raw"]
    assert "level" in row["reason"]
    assert (body["samples"]["quarantine_total"], body["samples"]["quarantine_open"]) == (1, 1)


def test_the_right_to_load_opens_no_values_above_the_loader(service: Service, numbers: dict[str, int]) -> None:
    for clearance in (Clearance.PUBLIC, Clearance.INTERNAL):
        body = report(service, numbers["spot"], make_loader(service.database, clearance))
        assert body["view"] == "outcome"
        assert "CNRY-2" not in str(body)
        assert "secret" not in str(body)


def test_layers_without_graded_rows_show_counts_to_their_readers(service: Service, numbers: dict[str, int]) -> None:
    body = report(service, numbers["reading"])
    assert (body["view"], body["counts"]["read"]) == ("counts", 40)


def test_hidden_and_missing_loads_look_alike(service: Service, numbers: dict[str, int]) -> None:
    hidden = service.get(f"/loads/{numbers['way']}")
    missing = service.get("/loads/999999")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace(f"'{numbers['way']}'", "'999999'") == missing.text
    assert service.get(f"/loads/{numbers['way']}", Clearance.RESTRICTED).status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.0", "9" * 40, "%00", "１"])
def test_nonsense_is_not_found(service: Service, number: str) -> None:
    assert service.get(f"/loads/{number}").status_code == 404


@pytest.mark.parametrize("asker", [None, *Clearance])
def test_reports_follow_the_schema_that_they_name(
    service: Service, numbers: dict[str, int], asker: Clearance | None
) -> None:
    body = report(service, numbers["spot"], service.keys[asker] if asker is not None else None)
    address = next(one["href"] for one in body["links"] if one["type"] == "application/schema+json")
    schema = service.client.get(address).json()
    assert schema["$id"] == address
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(body, schema, jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**body, "counts": {"read": "many"}}, schema, jsonschema.Draft202012Validator)


def test_lists_are_paged_newest_first(service: Service) -> None:
    for kind in ("loads", "editions"):
        body = service.get(f"/collections/spot/{kind}?limit=1", Clearance.RESTRICTED).json()
        assert body["numberReturned"] == len(body[kind]) == 1
        following = next((one["href"] for one in body["links"] if one["rel"] == "next"), None)
        assert following is None
        assert service.get(f"/collections/spot/{kind}?cursor=1").json()["numberReturned"] == 0
        assert service.get(f"/collections/spot/{kind}?cursor=x").status_code == 400
        assert service.get(f"/collections/spot/{kind}?limit=0").status_code == 400


def test_editions_name_their_load_and_hide_numbers_of_hidden_rows(service: Service, numbers: dict[str, int]) -> None:
    (entry,) = service.get("/collections/spot/editions").json()["editions"]
    assert (entry["load"], entry["kind"], entry["inserted"]) == (numbers["spot"], "load", None)
    (full,) = service.get("/collections/spot/editions", Clearance.RESTRICTED).json()["editions"]
    assert full["inserted"] == 30


def test_a_collection_links_to_its_report_and_its_loads(service: Service, numbers: dict[str, int]) -> None:
    for path in ("/collections/spot", "/collections"):
        body = service.get(path).json()
        (links,) = [one["links"] for one in body.get("collections", [body]) if one["id"] == "spot"]
        addresses = {one["href"].removeprefix("http://testserver") for one in links}
        assert {f"/loads/{numbers['spot']}", "/collections/spot/loads", "/collections/spot/editions"} <= addresses
