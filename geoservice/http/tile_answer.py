"""Answers that carry a kept tile: the encoding that the client takes, an entity tag for it, and 304 for a match."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from starlette.datastructures import Headers
from starlette.responses import Response

from geoservice.http.encoding import CREDENTIALS, NOT_MODIFIED, VARY, caching, matches
from geoservice.http.negotiation import MVT
from geoservice.tiles.entry import GZIP, IDENTITY, ZSTD, Entry
from tiles.image import MEDIA_TYPES

DROPPED = "Geoservice-Dropped"
"""Header that says how many features a tile leaves out to keep its size."""
Fields = list[tuple[bytes, bytes]]
_OK, _NO_CONTENT = 200, 204
_SUFFIX = {IDENTITY: "", GZIP: "-gz", ZSTD: "-zst"}
_CREDENTIALS = frozenset(name.encode() for name in CREDENTIALS)
_ANY = "*"
_VARY = (b"vary", VARY.encode())
_TYPES = {image: (b"content-type", media.encode()) for image, media in ((None, MVT), *MEDIA_TYPES.items())}


@dataclass(slots=True)
class Wish:
    """What a request says about the form of its answer."""

    accept: str = ""
    known: str = ""
    personal: bool = False


@dataclass(slots=True)
class Answer:
    """A response: status, header fields as they are sent, body."""

    status: int
    fields: Fields
    body: bytes


def wish_of(fields: Fields) -> Wish:
    """What the header fields of a request ask for."""
    wish = Wish()
    for name, value in fields:
        if name == b"accept-encoding":
            wish.accept = f"{wish.accept},{value.decode('latin-1')}" if wish.accept else value.decode("latin-1")
        elif name == b"if-none-match":
            wish.known = value.decode("latin-1")
        elif name in _CREDENTIALS:
            wish.personal = True
    return wish


@lru_cache(maxsize=512)
def preferred(accept: str) -> str:
    """The encoding in which a client is best served: the one it weighs highest, the tightest among equals.

    Args:
        accept: Value of Accept-Encoding (RFC 9110, 12.5.3); empty when there is none.
    """
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    other = weights.get(_ANY, 0.0)
    # A client that takes anything at all may still not know what came last.
    offered = {ZSTD: weights.get(ZSTD, 0.0), GZIP: weights.get(GZIP, other)}
    best = max(offered, key=lambda name: offered[name])
    plain = weights.get(IDENTITY, 0.0)
    return best if offered[best] > 0 and offered[best] >= plain else IDENTITY


def _weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def encoding_for(entry: Entry, wish: Wish) -> str:
    """In which encoding a tile is sent."""
    return preferred(wish.accept) if entry.packed else IDENTITY


def answer(entry: Entry, wish: Wish, *, private: bool) -> Answer:
    """The answer that carries a tile.

    Args:
        entry: The tile.
        wish: What the request asks for.
        private: Whether its layer is above the public.
    """
    encoding = encoding_for(entry, wish)
    control = _control(private=private, personal=wish.personal)
    if entry.empty:
        return Answer(_NO_CONTENT, [control, _VARY, *_dropped(entry)], b"")
    tag = f'"{entry.tag}{_SUFFIX[encoding]}"'
    fields = [control, _VARY, (b"etag", tag.encode()), *_dropped(entry)]
    if wish.known and matches(wish.known, tag):
        return Answer(NOT_MODIFIED, fields, b"")
    body = entry.body(encoding)
    fields += [_TYPES[entry.image], (b"content-length", str(len(body)).encode())]
    if encoding != IDENTITY:
        fields.append((b"content-encoding", encoding.encode()))
    return Answer(_OK, fields, body)


@cache
def _control(*, private: bool, personal: bool) -> tuple[bytes, bytes]:
    asked = "private, no-cache" if private else "no-cache"
    return b"cache-control", caching(asked, personal=personal).encode()


def _dropped(entry: Entry) -> Fields:
    return [(DROPPED.lower().encode(), str(entry.dropped).encode())] if entry.dropped else []


def as_response(found: Answer) -> Response:
    """The answer as a response of a route."""
    response = Response(found.body, found.status)
    response.raw_headers = found.fields
    return response


def wish_of_request(headers: Headers) -> Wish:
    """What a request of the framework asks for."""
    return wish_of(headers.raw)
