"""The OpenAPI document: 3.1 as the framework writes it, 3.0 for clients and test suites of that version."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.question_shapes import QUESTION_ANSWERS, QUESTION_SHAPES
from geoservice.api.shapes import ANSWERS, SHAPES
from geoservice.http.documents import document
from geoservice.http.links import base_url
from geoservice.http.negotiation import HTML, OPENAPI_30, OPENAPI_31, negotiate
from geoservice.http.problems import PROBLEM_JSON
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Language
from geoservice.ogc.item_parameters import with_item_parameters

router = APIRouter(tags=["api"])
_PROBLEM = {
    "type": "object",
    "title": "Problem details (RFC 9457)",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
ALL_ANSWERS = {("get", path): answer for path, answer in ANSWERS.items()} | QUESTION_ANSWERS
"""Method and path of a resource -> the shape of its answer, and its media type."""
_FORMATS = {"3.0": OPENAPI_30, "3.1": OPENAPI_31, "html": HTML}


@router.get("/api", summary="OpenAPI document")
async def api(
    request: Request,
    f: Annotated[str | None, Query(description="3.0, 3.1 or html.")] = None,
    lang: Language = None,
) -> Response:
    """The description of this API."""
    chosen = negotiate(request, f, _FORMATS)
    made = with_item_parameters(told(request.app.openapi()), request.app.state.house.settings)
    body = {**made, "servers": [{"url": base_url(request)}]}
    if chosen == "3.0":
        body = as_openapi_30(body)
    return document(request, "api", body, chosen, lang, media=_FORMATS[chosen])


def told(body: dict[str, Any]) -> dict[str, Any]:
    """The framework's document with what it does not know: shapes of answers, problems, and who may ask."""
    made = with_answers(with_problems(body))
    components = made["components"]
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    # The empty choice is the anonymous public.
    made["security"] = [{}, {"key": []}, {"bearer": []}]
    return made


def with_answers(body: dict[str, Any]) -> dict[str, Any]:
    """The document with the shapes of answers in the place of the framework's "anything"."""
    body["components"]["schemas"] |= copy.deepcopy(SHAPES | QUESTION_SHAPES)
    for (method, path), (shape, media) in ALL_ANSWERS.items():
        answer = body["paths"][path][method]["responses"]["200"]
        page = {HTML: {"schema": {"type": "string"}}}
        answer["content"] = {media: {"schema": {"$ref": f"#/components/schemas/{shape}"}}, **page}
    return body


def with_problems(body: dict[str, Any]) -> dict[str, Any]:
    """The document with problem details (RFC 9457) as the answer to everything that goes wrong.

    The framework announces validation errors of its own form, which this service never sends.
    """
    made = copy.deepcopy(body)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    schemas["Problem"] = _PROBLEM
    answer = {
        "description": "A problem",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operation in (one for path in made["paths"].values() for one in path.values()):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = answer
    return made


def as_openapi_30(body: dict[str, Any]) -> dict[str, Any]:
    """Rewrite an OpenAPI 3.1 document in terms of 3.0.3: nullable, boolean exclusive bounds, single examples."""
    made: dict[str, Any] = _lowered(body)
    made["openapi"] = "3.0.3"
    made.get("info", {}).pop("summary", None)
    licence = made.get("info", {}).get("license", {})
    licence.pop("identifier", None)
    made.pop("webhooks", None)
    return made


def _lowered(node: Any) -> Any:
    if isinstance(node, list):
        return [_lowered(n) for n in node]
    if not isinstance(node, dict):
        return node
    made = {k: _lowered(v) for k, v in node.items()}
    _lower_null(made)
    _lower_bounds(made)
    if "const" in made and not isinstance(made["const"], dict):
        made["enum"] = [made.pop("const")]
    if isinstance(made.get("examples"), list):
        examples = made.pop("examples")
        if examples:
            made["example"] = examples[0]
    if "prefixItems" in made:
        # A tuple: 3.0 knows only one schema for all places.
        made["items"] = {"anyOf": made.pop("prefixItems")}
    return made


def _lower_null(schema: dict[str, Any]) -> None:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        # 3.0 knows one type and whether it may be null.
        others = [kind for kind in kinds if kind != "null"]
        schema["type"] = others[0]
        schema["nullable"] = "null" in kinds
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return
    rest = [c for c in choices if c != {"type": "null"}]
    schema.pop("anyOf")
    if len(rest) == 1 and "$ref" not in rest[0]:
        schema.update({k: v for k, v in rest[0].items() if k not in schema})
    else:
        schema["anyOf"] = rest
    schema["nullable"] = True


def _lower_bounds(schema: dict[str, Any]) -> None:
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), int | float) and not isinstance(schema[exclusive], bool):
            schema[plain] = schema[exclusive]
            schema[exclusive] = True


BLOCK = Block("api", "https://spec.openapis.org/oas/v3.0.3", "stable", (), router, no_links)
