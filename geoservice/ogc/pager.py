"""From a request to its place in a crawl, and from a page to the links before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from geoservice.features.places import Place, Seal
from geoservice.features.read import Page
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import FEATURES, JSON


@dataclass(frozen=True)
class Pager:
    """Reads and writes the page tokens of one request.

    Attributes:
        request: The request.
        path: Path of the list of features.
        seal: What signs tokens.
        bound: What its tokens are bound to.
        formats: Formats of the list: name -> media type.
    """

    request: Request
    path: str
    seal: Seal
    bound: bytes
    formats: Mapping[str, str] = field(default_factory=lambda: FEATURES)

    def place(self, cursor: str | None) -> Place | None:
        """Where the page begins; None without a token.

        Raises:
            BadParameter: When the token does not belong to this request.
        """
        return None if cursor is None else Place.unpacked(self.seal.opened(cursor, self.bound))

    def links(self, page: Page, chosen: str, title: str) -> list[dict[str, Any]]:
        """`self` and `alternate`, `next` and `prev` where there are such pages, `collection`."""
        asked = dict(self.request.query_params)
        links = self_links(self.request, self.path, chosen, self.formats, **asked)
        for rel, fid, backward in (("next", page.after, False), ("prev", page.before, True)):
            if fid is not None:
                cursor = self.seal.closed(Place(fid, page.edition or 0, backward).packed(), self.bound)
                address = url(self.request, self.path, **{**asked, "cursor": cursor, "f": chosen})
                links.append(link(address, rel, self.formats[chosen], f"{rel.capitalize()} page"))
        collection = self.path.removesuffix("/items")
        return [*links, link(url(self.request, collection), "collection", JSON, title)]
