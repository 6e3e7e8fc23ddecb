"""What a building block is: a standard (or our own part of the API) with its routes, conformance and links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request

Maturity = Literal["stable", "draft", "experimental"]
SPEC = "http://www.opengis.net/spec"


@dataclass(frozen=True)
class Block:
    """One standard as one module.

    Attributes:
        name: Short name, also the tag in the OpenAPI document.
        spec: Address of the standard.
        maturity: How settled our implementation is.
        conformance: Conformance classes that tests prove.
        router: The routes.
        links: Links the landing page shows for this block.
    """

    name: str
    spec: str | None
    maturity: Maturity
    conformance: tuple[str, ...]
    router: APIRouter
    links: Callable[[Request], list[dict[str, Any]]]


def no_links(_: Request) -> list[dict[str, Any]]:
    """For blocks that the landing page does not link to."""
    return []
