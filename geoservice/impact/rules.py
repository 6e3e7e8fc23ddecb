"""The rules by which a red line is judged, and judging by them. The rules are data: `rules.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from layers.area import SQUARE_METRES_PER_HECTARE
from layers.compliance import Verdict
from layers.exposure import ComplianceRole
from layers.model import Text
from layers.strict_yaml import UniqueKeyLoader

WORST: tuple[Verdict, ...] = ("conflict", "no-data", "attention", "clear")
"""From the worst on: what cannot be judged is worse than what wants attention, because a conflict may hide in it."""
TOUCH = 1.0
"""Square metres up to which an overlap is a touch of borders."""
CLEAR = Text(zh="未发现重叠或缺漏。", en="Nothing was found.")
UNKNOWN = Text(zh="没有可用的数据，不能判定。", en="There is no data; this cannot be judged.")
PARTLY_UNKNOWN = Text(
    zh="部分用地没有数据，不能判定。", en="For a part of the red line there is no data; this cannot be judged."
)


class Rule(BaseModel):
    """One rule of the file; see its head for what the members mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    role: ComplianceRole
    codes: tuple[str, ...] = ()
    when: Literal["overlap", "outside", "size"]
    above_ha: float = Field(default=0.0, ge=0)
    verdict: Literal["attention", "conflict"]
    title: Text
    met: Text
    source: str


class Overlap(BaseModel):
    """What a red line shares with the layers of a role, in m2.

    Attributes:
        by_code: By code, with the codes above it.
        covered: Covered by any of the values.
        unknown: Where nothing says what is there, so that anything may be.
    """

    model_config = ConfigDict(frozen=True)

    by_code: Mapping[str, float]
    covered: float
    unknown: float = 0.0


class Judged(BaseModel):
    """A rule, the area (m2) that it is about, and the verdict; without data for a part, the area of that part."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    area: float | None
    verdict: Verdict

    @property
    def words(self) -> Text:
        """What was found."""
        if self.verdict == "no-data":
            return UNKNOWN if self.area is None else PARTLY_UNKNOWN
        return CLEAR if self.verdict == "clear" else self.rule.met


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """The rules of the file, in its order."""
    text = Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8")
    # Safe YAML: the loader only adds that no key may stand twice.
    return tuple(Rule.model_validate(one) for one in yaml.load(text, Loader=UniqueKeyLoader))  # noqa: S506


def judged(rule: Rule, area: float, overlap: Overlap | None) -> Judged:
    """Judge a red line by a rule.

    Args:
        rule: The rule.
        area: Area of the red line in m2.
        overlap: What it shares with the layers of the rule's role; None where none has data here.
    """
    if overlap is None and rule.when != "size":
        return Judged(rule=rule, area=None, verdict="no-data")
    concerned = area if overlap is None or rule.when == "size" else _concerned(rule, area, overlap)
    limit = max(TOUCH, rule.above_ha * SQUARE_METRES_PER_HECTARE)
    if concerned > limit:
        return Judged(rule=rule, area=concerned, verdict=rule.verdict)
    # What is unknown may be all of what the rule is about: where that would meet it there is no clearance.
    unknown = overlap.unknown if overlap is not None and rule.when == "overlap" else 0.0
    if unknown > TOUCH and concerned + unknown > limit:
        return Judged(rule=rule, area=unknown, verdict="no-data")
    return Judged(rule=rule, area=concerned, verdict="clear")


def _concerned(rule: Rule, area: float, overlap: Overlap) -> float:
    shared = overlap.covered if not rule.codes else sum(overlap.by_code.get(code, 0.0) for code in rule.codes)
    return max(area - shared, 0.0) if rule.when == "outside" else shared


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of some verdicts."""
    return next((one for one in WORST if one in verdicts), "clear")
