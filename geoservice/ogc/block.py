"""What a building block is: a standard (or our own part of the API) with its routes, conformance and links."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request

from geoservice.house import House
from layers.access import Principal

Maturity = Literal["stable", "draft", "experimental"]
SPEC = "http://www.opengis.net/spec"


API_VERSION = "1"
"""Version of the interface. It grows when something that clients rely on goes; additions leave it as it is."""


@dataclass(frozen=True)
class Deprecation:
    """That a block is on its way out.

    Attributes:
        since: From when on it should not be used for anything new.
        sunset: From when on it may be gone; not before `since`.
        guide: Address that says what to use instead.
    """

    since: dt.datetime
    sunset: dt.datetime | None = None
    guide: str | None = None

    def headers(self) -> dict[str, str]:
        """The header fields that tell clients: Deprecation (RFC 9745), Sunset (RFC 8594), and a link."""
        found = {"Deprecation": f"@{int(self.since.timestamp())}"}
        if self.sunset is not None:
            found["Sunset"] = email.utils.format_datetime(self.sunset.astimezone(dt.UTC), usegmt=True)
        if self.guide is not None:
            found["Link"] = f'<{self.guide}>; rel="deprecation"; type="text/html"'
        return found


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
        deprecated: That it is on its way out, if it is; each answer then says so.
        collections: Collections besides those of layers that somebody may see, for the list of them.
    """

    name: str
    spec: str | None
    maturity: Maturity
    conformance: tuple[str, ...]
    router: APIRouter
    links: Callable[[Request], list[dict[str, Any]]]
    deprecated: Deprecation | None = None
    collections: Callable[[Request, House, Principal, str], Awaitable[list[dict[str, Any]]]] | None = None


def no_links(_: Request) -> list[dict[str, Any]]:
    """For blocks that the landing page does not link to."""
    return []
