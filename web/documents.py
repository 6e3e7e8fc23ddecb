"""Readable pages of the service's JSON documents."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from web.compliance import compliance_context
from web.loads import load_context, load_title, page_context, place_features, standalone_page
from web.maps import LANGUAGE_TAGS, findings_map, small_map
from web.page import Page, with_nonce
from web.places import Crumb, as_page, crumbs, own_path, word
from web.reading import Reader, minute, number
from web.texts import TEXTS, text

Json = dict[str, Any]
TEMPLATES = frozenset(
    {
        "landing", "conformance", "collections", "collection", "items", "item", "schema", "api", "problem",
        "functions", "load", "loads", "editions", "processes", "process", "situation", "alerts", "alert", "exceedances",
        "consent", "compliance",
    }
)  # fmt: skip
"""Kinds with a page of their own; any other document is shown as it is built."""
ABOUT_LOADS = frozenset({"load", "loads", "editions"})
_MOST_DRAWN = 1000
_LISTS = 3
"""Parts of the path of a resource among others; lists that belong to it are further below."""
_NO_LEADS = frozenset({"self", "alternate", "item", "collection", "describedby", "service", "tile", "items"})
"""Relations of links that a page shows in another place, or that lead to no page."""
_PERIOD = re.compile(r"P(T?)(\d+)([YMWDH])")
_PERIODS = {
    "Y": ("cat_yearly", "cat_years"),
    "M": ("cat_monthly", "cat_months"),
    "W": ("cat_weekly", "cat_weeks"),
    "D": ("cat_daily", "cat_days"),
    "H": ("cat_hourly", "cat_hours"),
}
"""Words for one of a period, and for several."""
_MINUTES = ("cat_each_minute", "cat_minutes")
_FORMATS = {
    "json": "JSON", "geojson": "GeoJSON", "csv": "CSV", "ndjson": "NDJSON", "geojsonseq": "GeoJSON-Seq",
    "jsonfg": "JSON-FG", "flatgeobuf": "FlatGeobuf", "parquet": "GeoParquet", "gpkg": "GeoPackage",
    "shapefile": "Shapefile", "xlsx": "XLSX", "dxf": "DXF", "boundary": "TXT", "csv-xy": "CSV (x, y)",
    "mapbox": "MapLibre", "sld10": "SLD 1.0", "sld11": "SLD 1.1",
    "tilejson": "TileJSON", "gml": "GML", "cap": "CAP",
}  # fmt: skip
"""Names of formats by the value of `f`."""


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
        if self.kind in ("problem", "api", "compliance"):
            return None
        for one in self.body.get("links") or ():
            if one["rel"] == "alternate" and "json" in one.get("type", ""):
                return str(one["href"])
        return "?f=json"

    @cached_property
    def address(self) -> str | None:
        """Address of the document itself, where it says so."""
        return self.links.get("self") or self.body.get("$id")

    @cached_property
    def path(self) -> list[str]:
        """Parts of the path below the root of the service; empty when the document does not name its address."""
        path = own_path(self.address, self.root) if self.address else None
        return path.split("/") if path else []

    @cached_property
    def title(self) -> str:
        """Heading of the page."""
        if self.kind in ABOUT_LOADS:
            return load_title(self.kind, self.body, self.language)
        if self.kind == "item":
            return str(self.body.get("id", text("item", self.language)))
        own = self._own_title
        if self.kind in ("divisions", "history", "schema", "names"):
            return self._placed_title(own)
        if own and self.kind not in ("landing", "conformance", "problem", "api", "collections"):
            return own
        key = {"api": "apidoc"}.get(self.kind, self.kind)
        return text(key, self.language) if key in TEXTS else own or self.kind

    def _placed_title(self, own: str) -> str:
        """Heading of a page that is named by where it stands."""
        # The page of the children of a division, for example, is named by the end of its address.
        what = word("/".join(self.path), self.language)
        if self.kind in ("divisions", "history"):
            return (
                f"{self.body.get('code') or self._above} · {what}" if len(self.path) > _LISTS and what else what or own
            )
        if self.kind == "schema" and own and "queryables" not in self.path[-1:]:
            return f"{own} · {what or text('schema', self.language)}"
        if self.kind == "names":
            return f"{text('names', self.language)} · {self.body.get('q', '')}".strip(" ·")
        return own or what or text(self.kind, self.language)

    @cached_property
    def _above(self) -> str:
        """What a list below a resource belongs to."""
        return unquote(self.path[-2])

    @cached_property
    def _own_title(self) -> str:
        """What the document calls itself, in the language of the page where it knows both."""
        titles = self.body.get("titles") or {}
        return str(titles.get(self.language) or titles.get("en") or self.body.get("title") or "")

    @cached_property
    def crumbs(self) -> list[Crumb]:
        """The pages above this one."""
        names = {}
        if self.kind in ("items", "item", *ABOUT_LOADS) and len(self.path) > 1 and self.path[0] == "collections":
            names[unquote(self.path[1])] = self._own_title
        return crumbs(self.address, self.root, self.language, names)

    @cached_property
    def formats(self) -> list[Json]:
        """Other forms of the same: address and name of the format."""
        found = []
        for one in self.body.get("links") or ():
            asked = dict(parse_qsl(urlsplit(one["href"]).query)).get("f", "")
            if one["rel"] == "alternate" and asked not in ("json", "html") and one["href"] != self.machine:
                found.append({"href": one["href"], "title": _FORMATS.get(asked) or one.get("title") or one.get("type")})
        return found

    @cached_property
    def related(self) -> list[Json]:
        """Where one can go from here: address, relation, title."""
        if self.kind in ("landing", "collection", "api", "problem", *ABOUT_LOADS):
            return []
        return [
            {"href": as_page(one["href"], self.root, self.language), "rel": one["rel"], "title": self.named(one)}
            for one in self.body.get("links") or ()
            if one["rel"] not in _NO_LEADS and not one.get("templated") and one["href"] != self.machine
        ]

    def named(self, link: Json) -> str:
        """What a link leads to, in the language of the page as far as it has a word for it."""
        path = own_path(link["href"], self.root)
        last = path.rsplit("/", 1)[-1] if path else ""
        if link["rel"] in ("next", "prev"):
            return text({"next": "next", "prev": "previous"}[link["rel"]], self.language)
        if (known := word(path, self.language) if path else None) is not None:
            return known
        if (key := f"link_{'_'.join(str(link.get('title')).lower().split())}") in TEXTS:
            return text(key, self.language)
        return str(link.get("title") or last or link["rel"])

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
    elif document.kind == "alert":
        more = {"portal_hash": _portal_hash(document.body)}
    elif document.kind == "compliance":
        more = compliance_context(document.body, document.language)
    elif document.kind not in TEMPLATES:
        shown = {name: value for name, value in document.body.items() if name not in ("title", "description")}
        lead = document.body.get("description")
        if document.kind in ("jobs", "exports") and not document.body[document.kind]:
            lead, shown = text("your_jobs_none", document.language), {}
        reader = Reader(document.language, document.root)
        more = {"reading": reader.section(shown), "lead": lead if isinstance(lead, str) else ""}
    return {
        "minute": minute,
        **more,
        "kind": document.kind,
        "standalone": False,
        "body": document.body,
        "language": document.language,
        "root": document.root,
        "title": document.title,
        "links": document.links,
        "machine": document.machine,
        "formats": document.formats,
        "related": document.related,
        "crumbs": document.crumbs,
        "named": document.named,
        "number": number,
        "as_page": lambda href: as_page(href, document.root, document.language),
        "columns": document.columns,
        "drawn": bool(document.drawn),
        "t": lambda key: text(key, document.language),
        "quote": lambda value: quote(str(value), safe=""),
        "count": _count,
        "cycle": lambda period: _cycle(period, document.language),
        "day": _day,
    }


def _portal_hash(alert: Json) -> str:
    """Where the portal shows the zone of an alert; what is no warning in earnest in the mode of exercises."""
    recipe = quote(json.dumps({"way": "alert", "id": alert["id"]}, separators=(",", ":")), safe="")
    played = "&exercise=all" if alert["status"] == "Exercise" else ""
    return f"#zone={recipe}&step=zone{played}"


def _cycle(period: str, language: str) -> str:
    """An update cycle such as `P1Y` in words, where it has one part."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return period
    one, several = _MINUTES if found[1] and found[3] == "M" else _PERIODS[found[3]]
    count = int(found[2])
    return text(one if count == 1 else several, language).replace("{n}", str(count))


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _day(moment: str) -> str:
    return dt.datetime.fromisoformat(moment).date().isoformat()
