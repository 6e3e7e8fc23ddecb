"""Readable pages of the service's JSON documents."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from web.loads import load_context, load_title, page_context, place_features, standalone_page
from web.maps import LANGUAGE_TAGS, findings_map, small_map
from web.page import Page, with_nonce
from web.texts import TEXTS, text

Json = dict[str, Any]
TEMPLATES = frozenset(
    {
        "landing", "conformance", "collections", "collection", "items", "item", "schema", "api", "problem",
        "functions", "load", "loads", "editions",
    }
)  # fmt: skip
"""Kinds with a page of their own; any other document is shown as it is built."""
ABOUT_LOADS = frozenset({"load", "loads", "editions"})
_MOST_DRAWN = 1000


def environment() -> Environment:
    """Templates of this package: everything is escaped, and a name that is not given is an error."""
    return Environment(
        loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@dataclass
class Document:
    """One document on its way to a page."""

    kind: str
    body: Json
    language: str
    root: str
    """Path of the service, without a trailing slash; empty at the root of its host."""

    @cached_property
    def links(self) -> dict[str, str]:
        """Address by relation; the first of each relation."""
        found: dict[str, str] = {}
        for one in self.body.get("links") or ():
            found.setdefault(one["rel"], one["href"])
        return found

    @cached_property
    def machine(self) -> str | None:
        """Address of the JSON form."""
        if self.kind in ("problem", "api"):
            return None
        for one in self.body.get("links") or ():
            if one["rel"] == "alternate" and "json" in one.get("type", ""):
                return str(one["href"])
        return "?f=json"

    @cached_property
    def title(self) -> str:
        """Heading of the page."""
        if self.kind in ABOUT_LOADS:
            return load_title(self.kind, self.body, self.language)
        own = (self.body.get("titles") or {}).get(self.language) or self.body.get("title")
        if self.kind == "item":
            return str(self.body.get("id", text("item", self.language)))
        if self.kind in ("collection", "items", "tileset", "tilematrixset", "schema") and own:
            return str(own)
        names = {"api": "apidoc"}
        key = names.get(self.kind, self.kind)
        return text(key, self.language) if key in TEXTS else str(own or self.kind)

    @cached_property
    def drawn(self) -> list[Json]:
        """The features that a small map shows."""
        features = self.body.get("features", []) if self.kind == "items" else [self.body] if self.kind == "item" else []
        return [
            {"type": "Feature", "id": one.get("id"), "properties": {}, "geometry": one["geometry"]}
            for one in features[:_MOST_DRAWN]
            if one.get("geometry")
        ]

    @cached_property
    def columns(self) -> list[str]:
        """Names of all properties of the features, in the order of their first appearance."""
        names: dict[str, None] = {}
        for one in self.body.get("features", []):
            names.update(dict.fromkeys(one.get("properties") or {}))
        return list(names)


def document_page(kind: str, body: Json, *, language: str, root: str) -> Page:
    """Make the readable page of a JSON document.

    Args:
        kind: What the document is: landing, conformance, collections, collection, items, item, schema, tilesets,
            tileset, tilematrixsets, tilematrixset, api, problem. Unknown kinds are shown as nested lists.
        body: The JSON document itself.
        language: `zh` or `en`.
        root: Address of the service without a trailing slash.

    Returns:
        The page and its content-security policy. The page holds a nonce: do not share it between requests.
    """
    # Root-relative addresses work under every name the service is reached by, and under the page's own policy.
    document = Document(kind, body, "zh" if language == "zh" else "en", urlsplit(root).path.rstrip("/"))
    return with_nonce(_render(document))


def load_file(body: Json, *, language: str) -> str:
    """The page of a load report as one file that needs no network and no service."""
    document = Document("load", body, "zh" if language == "zh" else "en", "")
    shared = _shared(document) | {"standalone": True, "map": ""}
    inner = environment().get_template("doc_load.html").render(shared)
    return standalone_page(inner, document.title, LANGUAGE_TAGS[document.language]).html


def _map(document: Document) -> tuple[str, str, str]:
    """Markup of the page's map: for the head, the place, the end; empty when the page has none."""
    if document.drawn:
        items = f"{document.root}/collections/{document.body['collection']}/items/{{key}}"
        return small_map(document.drawn, items, document.root, document.language)
    if document.kind == "load" and any(one["places"] for one in document.body["findings"]):
        features = place_features(document.body["findings"], document.language)
        return findings_map(features, document.body, document.root, document.language)
    return "", "", ""


def _render(document: Document) -> str:
    templates = environment()
    shared = _shared(document)
    top, placed, script = _map(document)
    head = Markup(templates.get_template("doc_head.html").render(shared))  # noqa: S704 (a template's own output)
    head += Markup(top)  # noqa: S704 (written by our own Folium elements)
    shared["map"] = Markup(placed + script)  # noqa: S704
    name = f"doc_{document.kind if document.kind in TEMPLATES else 'any'}.html"
    content = Markup(templates.get_template(name).render(shared))  # noqa: S704
    page = {"tag": LANGUAGE_TAGS[document.language], "title": document.title, "head": head, "content": content}
    return templates.get_template("doc_page.html").render(page)


def _shared(document: Document) -> Json:
    more: Json = {}
    if document.kind in ABOUT_LOADS:
        more = load_context(document.body, document.language) if document.kind == "load" else page_context()
    return {
        **more,
        "kind": document.kind,
        "standalone": False,
        "body": document.body,
        "language": document.language,
        "root": document.root,
        "title": document.title,
        "links": document.links,
        "machine": document.machine,
        "columns": document.columns,
        "drawn": bool(document.drawn),
        "t": lambda key: text(key, document.language),
        "quote": lambda value: quote(str(value), safe=""),
        "count": _count,
        "day": _day,
    }


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _day(moment: str) -> str:
    return dt.datetime.fromisoformat(moment).date().isoformat()
