"""Absolute addresses of our own resources, and link objects (RFC 8288 relations) for JSON bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request


def base_url(request: Request) -> str:
    """Address of the landing page without a trailing slash: the configured public one, or the request's own."""
    configured: str | None = request.app.state.house.settings.public_url
    return (configured or str(request.base_url)).rstrip("/")


def url(request: Request, path: str, **query: object) -> str:
    """Address of a path of ours with query parameters; parameters that are None are left out."""
    pairs = {k: v for k, v in query.items() if v is not None}
    return f"{base_url(request)}{path}" + (f"?{urlencode(pairs)}" if pairs else "")


def link(href: str, rel: str, media: str, title: str | None = None, **extra: Any) -> dict[str, Any]:
    """A link object."""
    made: dict[str, Any] = {"href": href, "rel": rel, "type": media}
    if title:
        made["title"] = title
    return {**made, **extra}


def self_links(
    request: Request, path: str, chosen: str, formats: Mapping[str, str], **query: object
) -> list[dict[str, Any]]:
    """`self` for the chosen format and `alternate` for the others."""
    # The address is written once: lists of features are offered in a dozen formats.
    address = url(request, path, **{name: value for name, value in query.items() if name != "f"})
    start = f"{address}{'&' if '?' in address else '?'}f="
    return [link(f"{start}{name}", "self" if name == chosen else "alternate", media) for name, media in formats.items()]


def link_header(links: list[dict[str, Any]], relations: tuple[str, ...]) -> dict[str, str]:
    """The links of some relations as a Link header (RFC 8288); none when there are none."""
    chosen = [f'<{one["href"]}>; rel="{one["rel"]}"; type="{one["type"]}"' for one in links if one["rel"] in relations]
    return {"Link": ", ".join(chosen)} if chosen else {}
