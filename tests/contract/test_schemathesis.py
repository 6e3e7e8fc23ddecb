"""Requests made from the OpenAPI document alone: none breaks the service, and no answer surprises the document."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.schemas import APIOperation

from geoservice.http.problems import PROBLEM_JSON
from layers.access import Clearance
from tests.support.service import Service, canary
from tests.support.streams import ENDLESS

EXAMPLES = 3
"""Requests for each operation and way of filling its path."""
FOREIGN = ("/wms", "/wmts", "/wfs", "/ows")
"""Protocols whose exceptions are reports of their own, in XML."""
KNOWN = {
    "collection_id": "spot",
    "feature_id": canary(Clearance.PUBLIC, "spot", 0),
    "process_id": "sheet",
    "sheet_number": "J50",
    "tile_matrix_set": "WebMercatorQuad",
    "tile_matrix": "8",
    "tile_row": "98",
    "tile_col": "202",
    "style_id": "spot",
}
"""What paths are filled with beside what nobody knows, so that requests get as far as the domain."""
_LEAST_ERROR, _LEAST_FAULT = 400, 500


def judged(service: Service, operation: Any, case: Any) -> str | None:
    """What is wrong with the answer to one request; None when nothing is."""
    sent = case.as_transport_kwargs(base_url="http://testserver")
    sent.pop("cookies", None)
    if isinstance(sent.get("data"), str | bytes):
        sent["content"] = sent.pop("data")
    sent["headers"] = {**sent["headers"], "X-API-Key": service.keys[Clearance.RESTRICTED]}
    answer = service.client.request(**sent, follow_redirects=False)
    status, media = answer.status_code, answer.headers.get("content-type", "").partition(";")[0]
    told = f"{operation.label}: {answer.request.url} -> {status} {media} {answer.text[:200]}"
    if status >= _LEAST_FAULT:
        return told
    if status >= _LEAST_ERROR:
        return None if media == PROBLEM_JSON or operation.path.startswith(FOREIGN) else told
    return None if str(status) in operation.definition.raw["responses"] else told


def asked(service: Service, operation: Any, known: dict[str, str] | None) -> list[str]:
    """Ask some requests of one operation; what is wrong with the answers."""
    found: list[str] = []
    strategy = operation.as_strategy(path_parameters=known) if known else operation.as_strategy()

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def ask(case: Any) -> None:
        wrong = judged(service, operation, case)
        if wrong is not None:
            found.append(wrong)

    ask()
    return found


def operations(service: Service) -> list[APIOperation[Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(service.get("/api?f=3.1").json())
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.path not in ENDLESS]


def fillings(path: str) -> list[dict[str, str] | None]:
    """The known filling of a path, where there is one, and that of chance."""
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    if not names or not KNOWN.keys() >= set(names):
        return [None]
    return [None, {name: KNOWN[name] for name in names}]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_no_request_is_a_surprise(service: Service, method: str) -> None:
    mine = [one for one in operations(service) if one.method == method]
    assert mine
    wrong = [fault for one in mine for known in fillings(one.path) for fault in asked(service, one, known)]
    assert not wrong, "\n".join(wrong)


def test_an_answer_that_is_not_announced_is_noticed(service: Service) -> None:
    (one,) = [op for op in operations(service) if op.path == "/conformance"]
    assert not asked(service, one, None)
    del one.definition.raw["responses"]["200"]
    assert asked(service, one, None)
