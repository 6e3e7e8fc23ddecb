"""What is signed of a report: the question, the inputs with their editions, and digests of the answer and all files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from layers.access import Clearance
from layers.answer import EditionRef

Json = dict[str, Any]
Kind = Literal["impact", "compliance"]
_HEX = r"^[0-9a-f]{64}$"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileDigest(_Value):
    """A file of a report: SHA-256 and length in bytes of what it is before the seal is put into it."""

    sha256: str = Field(pattern=_HEX)
    length: int = Field(ge=0)

    @classmethod
    def of(cls, content: bytes) -> FileDigest:
        """The digest of a content."""
        return cls(sha256=hashlib.sha256(content).hexdigest(), length=len(content))


class Input(_Value):
    """An edition that figures rest on."""

    layer: str
    edition: EditionRef


class Manifest(_Value):
    """What is signed.

    Attributes:
        format: Name and version of this form.
        id: Id of the report, in hexadecimal digits.
        kind: What was asked.
        title: Heading of the report.
        note: What its author adds.
        language: `zh` or `en`.
        created: When it was made (UTC).
        moment: Instant of system time before the data were read: as-of this instant the question has the same answer.
        clearance: Up to which level data went in.
        product: Name and version of the program.
        question: The body of the question as it was asked, by kind.
        inputs: Editions of all layers that the answer names.
        answer: SHA-256 of the answer as canonical JSON.
        files: The files that were made of it, by name.
    """

    format: Literal["geoservice-report/1"] = "geoservice-report/1"
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    kind: Kind
    title: str
    note: str = ""
    language: Literal["zh", "en"]
    created: dt.datetime
    moment: dt.datetime
    clearance: str
    product: str
    question: Json
    inputs: tuple[Input, ...]
    answer: str = Field(pattern=_HEX)
    files: dict[str, FileDigest] = {}

    @property
    def level(self) -> Clearance:
        """The clearance as a level."""
        return Clearance.parse(self.clearance)

    def canonical(self) -> bytes:
        """The bytes that are signed."""
        return canonical(self.model_dump(mode="json"))


def canonical(value: Any) -> bytes:
    """JSON in one spelling: members in the order of their names, no white space, UTF-8, no numbers that are none."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in its one spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()


def inputs_of(answer: Mapping[str, Any]) -> tuple[Input, ...]:
    """The editions that an answer (JSON) names, by layer; a road network counts by its number alone."""
    found = {(name, body["number"]): body for name, body in _editions(answer)}
    return tuple(Input(layer=name, edition=EditionRef.model_validate(found[name, n])) for name, n in sorted(found))


def _editions(answer: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    for section in answer.get("sections", ()):
        if section.get("edition"):
            yield section["layer"], section["edition"]
    zone = answer.get("zone") or {}
    for one in zone.get("inputs", ()):
        if one.get("edition"):
            yield one["name"], one["edition"]
