"""The words that shapes of answers are written in: JSON Schema as OpenAPI 3.1 has it."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]


def named(name: str) -> Shape:
    """A shape of the document, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: tuple[str, ...], **properties: Shape) -> Shape:
    """An object; members that are not listed may be there as well."""
    # Version 3.0 takes no empty list of what is required.
    return {"type": "object", **({"required": list(required)} if required else {}), "properties": properties}


def several(of: Shape) -> Shape:
    """An array."""
    return {"type": "array", "items": of}


def optional(kind: str) -> Shape:
    """A value that may be null."""
    return {"type": [kind, "null"]}


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
ANY, TRUTH = {"type": "object"}, {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}
BOX = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 6}
POSITION = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 3}
LINKS = several(named("Link"))
