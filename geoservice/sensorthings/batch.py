"""Several requests as one body (18-088, 11; OData 4.0, part 1, 11.7): multipart, or JSON as OData 4.01 has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from layers.errors import BadBody

MOST_REQUESTS = 500
"""Requests of one batch."""
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
_NAME = re.compile(r"[\w.:,;-]{1,100}")
_PLACE = re.compile(r"^(?:https?://[^/]+)?/(?:.*?/)?v1\.1/")
_LINE = re.compile(r"(?P<method>[A-Z]+) (?P<url>\S+)(?: HTTP/1\.[01])?")
_SHOWN = 60


@dataclass(frozen=True)
class Item:
    """A request of a batch.

    Attributes:
        method: GET, POST, PATCH, PUT or DELETE.
        url: Below the service root: path and options, as they were written; names of new entities begin with `$`.
        body: The parsed JSON, if there is one.
        name: By which later requests of its group call what it makes, and by which its answer is told.
        group: The change set that it belongs to: all of it is done, or nothing.
    """

    method: str
    url: str
    body: Any = None
    name: str | None = None
    group: str | None = None

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.url.partition("?")[0])


@dataclass(frozen=True)
class Reply:
    """The answer to a request of a batch."""

    status: int
    body: Any = None
    location: str | None = None
    name: str | None = None
    group: str | None = None


def grouped(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Requests in their order: change sets as a whole, others by themselves."""
    open_group: list[Item] = []
    for item in items:
        if open_group and (item.group is None or item.group != open_group[0].group):
            yield open_group
            open_group = []
        if item.group is None:
            yield [item]
        else:
            open_group.append(item)
    if open_group:
        yield open_group


def _item(method: str, url: str, body: Any, name: str | None, group: str | None) -> Item:
    if method not in _METHODS or (group is not None and method == "GET"):
        raise BadBody(f"Requests of a batch are {', '.join(_METHODS)}, and change sets have no GET.")
    if name is not None and not _NAME.fullmatch(name):
        raise BadBody("The id of a request has letters, digits and . : , ; - _ only.")
    return Item(method, _PLACE.sub("", url).lstrip("/"), body, name, group)


def _few(items: list[Item]) -> list[Item]:
    if not 0 < len(items) <= MOST_REQUESTS:
        raise BadBody(f"A batch has from one to {MOST_REQUESTS} requests.")
    return items


# ---------------------------------------------------------------- JSON


def read_json_batch(document: Any) -> list[Item]:
    """The requests of a JSON batch.

    Raises:
        BadBody: When it is none.
    """
    requests = document.get("requests") if isinstance(document, dict) else None
    if not isinstance(requests, list):
        raise BadBody("A batch in JSON is an object with an array of requests.")
    found, names = [], set()
    for one in requests:
        texts = isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("id", "method", "url"))
        group = one.get("atomicityGroup") if texts else None
        if not texts or not (group is None or isinstance(group, str)) or one["id"] in names:
            raise BadBody("A request of a batch has an id of its own, a method and a url, each a text.")
        names.add(one["id"])
        found.append(_item(one["method"].upper(), one["url"], one.get("body"), one["id"], group))
    return _few(found)


def json_replies(replies: Sequence[Reply]) -> dict[str, Any]:
    """The answers as JSON."""
    found = []
    for one in replies:
        told: dict[str, Any] = {"id": one.name, "status": one.status}
        if one.group is not None:
            told["atomicityGroup"] = one.group
        if one.location is not None:
            told["location"] = one.location
        if one.body is not None:
            told["body"] = one.body
        found.append(told)
    return {"responses": found}


# ---------------------------------------------------------------- multipart


def read_multipart_batch(content_type: str, body: bytes) -> list[Item]:
    """The requests of a multipart batch; parts that are multipart themselves are change sets.

    Raises:
        BadBody: When it is none.
    """
    if not content_type.isascii() or "\n" in content_type or "\r" in content_type:
        raise BadBody("The header Content-Type is one line of ASCII.")
    whole = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    found: list[Item] = []
    for number, part in enumerate(_parts(whole)):
        if part.get_content_maintype() == "multipart":
            found += [_request(one, f"changeset-{number}") for one in _parts(part)]
        else:
            found.append(_request(part, None))
        if len(found) > MOST_REQUESTS:
            break
    return _few(found)


def _parts(message: Message) -> list[Message]:
    parts = message.get_payload() if message.is_multipart() else None
    if not isinstance(parts, list) or not parts:
        raise BadBody("A batch is multipart/mixed with a boundary, and has at least one part.")
    return [part for part in parts if isinstance(part, Message)]


def _request(part: Message, group: str | None) -> Item:
    payload = part.get_payload(decode=True) if part.get_content_type() == "application/http" else None
    if not isinstance(payload, bytes):
        raise BadBody("A part of a batch is application/http: a request line, headers, an empty line, a body.")
    head, _, rest = payload.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n")
    line = _LINE.fullmatch(head.decode("utf-8", "replace").strip())
    if line is None:
        shown = head[:_SHOWN].decode("utf-8", "replace")
        raise BadBody(f"A part of a batch begins with a request line such as POST Things HTTP/1.1, not {shown!r}.")
    _, _, content = (b"\n" + rest).partition(b"\n\n")
    name = part.get("Content-ID")
    body = _parsed(content) if content.strip() else None
    return _item(line["method"], line["url"], body, str(name).strip("<> ") if name else None, group)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadBody("The body of a request of a batch is a JSON document in UTF-8.") from None


def _refuse(name: str) -> None:
    raise ValueError(name)


@dataclass
class MultipartWriter:
    """Answers as multipart: those of a change set together."""

    boundary: str = "batch-response"
    _lines: list[bytes] = field(default_factory=list)

    def write(self, replies: Sequence[Reply]) -> bytes:
        """The whole body.

        Args:
            replies: In the order of the requests. A change set that failed has one.
        """
        for group in _groups(replies):
            self._delimit(self.boundary)
            if group[0].group is None:
                self._reply(group[0])
                continue
            inner = f"{self.boundary}-{group[0].group}"
            self._lines += [f"Content-Type: multipart/mixed; boundary={inner}".encode(), b""]
            for one in group:
                self._delimit(inner)
                self._reply(one)
            self._lines.append(f"--{inner}--".encode())
        self._lines += [f"--{self.boundary}--".encode(), b""]
        return b"\r\n".join(self._lines)

    def _delimit(self, boundary: str) -> None:
        self._lines.append(f"--{boundary}".encode())

    def _reply(self, one: Reply) -> None:
        self._lines.append(b"Content-Type: application/http")
        if one.name is not None:
            self._lines.append(f"Content-ID: {one.name}".encode())
        self._lines += [b"", f"HTTP/1.1 {one.status} {HTTPStatus(one.status).phrase}".encode()]
        if one.location is not None:
            self._lines.append(f"Location: {one.location}".encode())
        if one.body is not None:
            self._lines.append(b"Content-Type: application/json")
        text = b"" if one.body is None else json.dumps(one.body).encode()
        self._lines += [b"", text]


def _groups(replies: Sequence[Reply]) -> Iterator[list[Reply]]:
    found: list[Reply] = []
    for one in replies:
        if found and (one.group is None or one.group != found[0].group):
            yield found
            found = []
        found.append(one)
        if one.group is None:
            yield found
            found = []
    if found:
        yield found
