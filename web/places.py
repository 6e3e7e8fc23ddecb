"""Where a page stands among the pages of the service: the way back to the landing page, and links that stay pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from web.texts import TEXTS, text

_ANY = "*"
_PAGES = """
conformance api queryables functions
collections collections/* collections/*/items collections/*/items/* collections/*/schema collections/*/queryables
collections/*/sortables collections/*/loads collections/*/editions collections/*/quarantine collections/*/styles
collections/*/styles/* collections/*/tiles collections/*/tiles/* collections/*/map/tiles
collections/*/map/tiles/*
collections/*/contours collections/*/maps
indices indices/* exceedances exceedances/now
situation situation/exercises situation/exercises/* alerts alerts/*
tiles tiles/* tileMatrixSets tileMatrixSets/* styles styles/* styles/*/metadata archives
processes processes/* jobs jobs/* exports exports/* loads/*
gazetteer/divisions gazetteer/divisions/at gazetteer/divisions/* gazetteer/divisions/*/children
gazetteer/divisions/*/chain gazetteer/divisions/*/history gazetteer/convert gazetteer/names gazetteer/geocode
gazetteer/reverse gazetteer/postcodes gazetteer/postcodes/* gazetteer/sheets gazetteer/sheets/* gazetteer/coordinates
"""
_NEEDY = frozenset(
    {"gazetteer/names", "gazetteer/geocode", "gazetteer/reverse", "gazetteer/sheets", "gazetteer/convert"}
)
"""Pages that answer a question only; without one they are no place to go back to."""
_PLAIN = frozenset({"alerts/feed.atom", "alerts/certificate.pem", "alerts/drafts"})
"""What is no page although its path looks like that of one."""


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("/".join("[^/]+" if part == _ANY else re.escape(part) for part in path.split("/")))


_PATHS = tuple(_PAGES.split())
_KNOWN = tuple(_pattern(path) for path in _PATHS)


@dataclass(frozen=True)
class Crumb:
    """A page above this one."""

    title: str
    href: str


def is_page(path: str) -> bool:
    """Whether a path below the service's root, without a leading slash, has a page for people."""
    return not path or kind_of(path) is not None


def kind_of(path: str) -> str | None:
    """The kind of page at a path, with `*` for what differs between pages of the kind; None where there is no page."""
    if path in _PLAIN:
        return None
    return next((kind for kind, each in zip(_PATHS, _KNOWN, strict=True) if each.fullmatch(path)), None)


def own_path(href: str, root: str) -> str | None:
    """The path below the root of a service, without slashes around it; None when it is an address elsewhere.

    Args:
        href: An absolute address, or one from the root of the host.
        root: Path of the service, without a trailing slash.
    """
    path = urlsplit(href).path
    return path[len(root) :].strip("/") if path == root or path.startswith(f"{root}/") else None


def as_page(href: str, root: str, language: str) -> str:
    """An address in its form for people, where it has one, in the language of the reader.

    The address is root-relative afterwards: a page works under every name by which its service is reached.
    """
    path = own_path(href, root)
    if path is None or "{" in href:
        return href
    parts = urlsplit(href)
    query = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in ("f", "lang")
    ]
    if not is_page(path):
        return parts._replace(scheme="", netloc="").geturl()
    return f"{parts.path or '/'}?{urlencode([*query, ('f', 'html'), ('lang', language)])}"


def crumbs(href: str | None, root: str, language: str, names: dict[str, str]) -> list[Crumb]:
    """The pages above one, the landing page first.

    Args:
        href: Address of the page itself; None where it is not known.
        root: Path of the service, without a trailing slash.
        language: `zh` or `en`.
        names: Titles of resources by the part of the path that names them, such as a collection's.
    """
    way = [Crumb(text("home", language), f"{root}/?f=html&lang={language}")]
    path = own_path(href, root) if href else None
    parts = path.split("/") if path else []
    for place, part in enumerate(parts[:-1], start=1):
        above = "/".join(parts[:place])
        if is_page(above) and above not in _NEEDY:
            title = names.get(unquote(part)) or word(above, language) or unquote(part)
            way.append(Crumb(title, f"{root}/{above}?f=html&lang={language}"))
    return way


def word(path: str, language: str) -> str | None:
    """The word for the kind of page at a path; None for one that is named by what it shows, or has no word."""
    kind, key = kind_of(path), path.rsplit("/", 1)[-1].lower()
    return text(key, language) if kind is not None and not kind.endswith(_ANY) and key in TEXTS else None
