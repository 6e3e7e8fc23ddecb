"""What a red line overlaps, and the verdict by each rule: the values of a compliance answer."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from layers.answer import EditionRef
from layers.exposure import ComplianceRole
from layers.model import Text

Verdict = Literal["clear", "attention", "conflict", "no-data"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Area(_Value):
    """An area in m2, hectares and mu; hectares and mu of parts add up to those of the whole."""

    m2: float
    ha: float
    mu: float


class OverlapRow(Area):
    """What a red line shares with one value; `code` is null for what the layer does not cover."""

    code: str | None
    label: Text


class OverlapSection(_Value):
    """What a red line shares with a layer. Without data (`no-data`) there are no rows, and that is no zero.

    `divides` says that the rows, with what is not covered, add up to the red line.
    """

    role: ComplianceRole
    layer: str
    title: Text
    status: Literal["ok", "no-data"]
    edition: EditionRef | None = None
    divides: bool = False
    rows: tuple[OverlapRow, ...] = ()


class RuleVerdict(_Value):
    """The verdict by one rule, in words that can be printed.

    `area` is what the rule found, or, without a verdict for want of data for a part, the area of that part.
    """

    id: str
    title: Text
    verdict: Verdict
    text: Text
    area: Area | None = None
    layers: tuple[str, ...]
    source: str


class RedLineTold(_Value):
    """The red line: where it came from, how many parcels, its area and box; the SHA-256 of its file."""

    origin: str
    parcels: int
    area: Area
    bbox: tuple[float, float, float, float]
    digest: str | None = None


class ComplianceAnswer(_Value):
    """Overlaps of a red line and what follows from them."""

    as_of: dt.datetime | None = None
    red_line: RedLineTold
    verdict: Verdict
    summary: Text
    rules: tuple[RuleVerdict, ...]
    sections: tuple[OverlapSection, ...]
    method: dict[str, Any]
