"""The checks that a layer file declares: rules with their limits, the ISO 19157 measure of each, and the gate.

A rule is a value. What it demands is examined by `ingest.checks`; nothing here reads data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Severity = Literal["error", "warning"]
_WRITTEN = re.compile(r"^\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(%|m2|ha|mu|km|m|cm)\s*$")
_FACTORS = {
    "share": {"%": 0.01},
    "area": {"m2": 1.0, "ha": 10_000.0, "mu": 10_000.0 / 15.0},
    "length": {"m": 1.0, "cm": 0.01, "km": 1000.0},
}


def _quantity(kind: str) -> BeforeValidator:
    """Read a number, or a number with a unit of this kind, as a number in the kind's base unit."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        found = _WRITTEN.match(value)
        factor = _FACTORS[kind].get(found.group(2)) if found else None
        if found is None or factor is None:
            raise ValueError(f"expected a number with one of the units {', '.join(_FACTORS[kind])}, not {value!r}")
        return float(found.group(1)) * factor

    return BeforeValidator(read)


Area = Annotated[float, _quantity("area"), Field(ge=0, allow_inf_nan=False)]
"""Square metres on the ellipsoid, written as a number or as `0.1 m2`, `2 ha`, `3 mu`."""
Length = Annotated[float, _quantity("length"), Field(ge=0, allow_inf_nan=False)]
"""Metres, written as a number or as `1 m`, `5 cm`, `2 km`."""
Share = Annotated[float, _quantity("share"), Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of one, written as a number up to 1 or as `0.5 %`."""
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Measure:
    """The ISO 19157 measure that a rule counts: number in annex D (None: a measure of our own) and quality element."""

    number: int | None
    element: str


_TOPOLOGY, _DOMAIN = "topological consistency", "domain consistency"
MEASURES: Mapping[str, Measure] = {
    "valid-geometry": Measure(26, _TOPOLOGY),
    "repaired": Measure(26, _TOPOLOGY),
    "geometry-type": Measure(19, "format consistency"),
    "geometry-size": Measure(None, "format consistency"),
    "sliver": Measure(25, _TOPOLOGY),
    "minimum-size": Measure(None, "conceptual consistency"),
    "duplicate-key": Measure(4, "completeness commission"),
    "duplicate-geometry": Measure(4, "completeness commission"),
    "coverage-overlap": Measure(11, _TOPOLOGY),
    "coverage-gap": Measure(None, _TOPOLOGY),
    "undershoot": Measure(23, _TOPOLOGY),
    "overshoot": Measure(24, _TOPOLOGY),
    "unconnected": Measure(21, _TOPOLOGY),
    "unreadable": Measure(19, "format consistency"),
    "type": Measure(19, "format consistency"),
    "domain": Measure(16, _DOMAIN),
    "pattern": Measure(16, _DOMAIN),
    "range": Measure(16, _DOMAIN),
    "required": Measure(7, "completeness omission"),
    "area-attribute": Measure(65, "quantitative attribute correctness"),
    "referential": Measure(16, _DOMAIN),
    "within": Measure(None, _TOPOLOGY),
    "nests": Measure(None, "conceptual consistency"),
}
"""Measure of each rule by its name in findings; rules that are not listed measure nothing."""


class _Rule(BaseModel):
    """What every declared rule says: how grave a breach is, and what happens to the rows concerned."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    geometries: ClassVar[frozenset[str] | None] = None
    severity: Severity = "error"
    action: Literal["quarantine", "report"] = "quarantine"

    @property
    def quarantines(self) -> bool:
        """Whether rows that break the rule are kept out of the layer."""
        return self.severity == "error" and self.action == "quarantine"

    def attributes(self) -> tuple[str, ...]:
        """Attributes of the layer that the rule names."""
        return ()


_SURFACES = frozenset({"polygon", "any"})
_LINES = frozenset({"line", "any"})
_SHAPES = frozenset({"point", "line", "polygon", "any"})


class ValidGeometry(_Rule):
    """Geometries are valid (simple feature access); with `repair: false` they are never mended but kept out."""

    rule: Literal["valid-geometry"]
    geometries = _SHAPES
    repair: bool = True


class Sliver(_Rule):
    """No surface is smaller than `minimum` (m2) or thinner than `thinness`, which is 4 pi A / P^2 (1 for a circle)."""

    rule: Literal["sliver"]
    geometries = _SURFACES
    minimum: Area | None = None
    thinness: Share | None = None

    @model_validator(mode="after")
    def _limited(self) -> Sliver:
        if self.minimum is None and self.thinness is None:
            raise ValueError("a sliver is told by its minimum area, its thinness or both")
        return self


class MinimumSize(_Rule):
    """Surfaces have at least an `area` (m2), lines at least a `length` (m)."""

    rule: Literal["minimum-size"]
    geometries = frozenset({"line", "polygon", "any"})
    area: Area | None = None
    length: Length | None = None

    @model_validator(mode="after")
    def _limited(self) -> MinimumSize:
        if self.area is None and self.length is None:
            raise ValueError("a minimum size is an area, a length or both")
        return self


class DuplicateGeometry(_Rule):
    """No two rows have the same geometry, whatever its ring starts, ring directions and order of parts."""

    rule: Literal["duplicate-geometry"]
    geometries = _SHAPES


class CoverageOverlap(_Rule):
    """No two surfaces overlap by more than `tolerance` (m2)."""

    rule: Literal["coverage-overlap"]
    geometries = frozenset({"polygon"})
    tolerance: Area = 0.01


class CoverageGap(_Rule):
    """Surfaces enclose no gap of `minimum` (m2) or more; gaps above `maximum` (m2) are meant to be there."""

    rule: Literal["coverage-gap"]
    geometries = frozenset({"polygon"})
    minimum: Area = 0.01
    maximum: Area | None = None


class Dangle(_Rule):
    """No line ends within `tolerance` (m) short of another line (undershoot) or beyond it (overshoot)."""

    rule: Literal["dangle"]
    geometries = _LINES
    tolerance: Length = Field(gt=0)


class Unconnected(_Rule):
    """Each line meets another one at one end at least; with `ends: all` at both."""

    rule: Literal["unconnected"]
    geometries = _LINES
    ends: Literal["any", "all"] = "any"


class Domain(_Rule):
    """An attribute has one of the `values`."""

    rule: Literal["domain"]
    attribute: str
    values: tuple[str, ...] = Field(min_length=1)

    def attributes(self) -> tuple[str, ...]:
        """The attribute judged."""
        return (self.attribute,)


class Range(_Rule):
    """A number lies between two bounds, both included; null is no bound."""

    rule: Literal["range"]
    attribute: str
    range: Bounds

    def attributes(self) -> tuple[str, ...]:
        """The attribute judged."""
        return (self.attribute,)


class Required(_Rule):
    """An attribute is filled."""

    rule: Literal["required"]
    attribute: str

    def attributes(self) -> tuple[str, ...]:
        """The attribute judged."""
        return (self.attribute,)


class AreaAttribute(_Rule):
    """An attribute equals the ellipsoidal area within `tolerance` (part of the area) plus `slack` (m2 of rounding)."""

    rule: Literal["area-attribute"]
    geometries = _SURFACES
    attribute: str
    tolerance: Share = 0.001
    slack: Area = 1.0

    def attributes(self) -> tuple[str, ...]:
        """The attribute judged."""
        return (self.attribute,)


class Referential(_Rule):
    """An attribute's value stands in attribute `by` of another layer, at the row's date `at` where it has one."""

    rule: Literal["referential"]
    attribute: str
    layer: str
    by: str
    at: str | None = None

    def attributes(self) -> tuple[str, ...]:
        """The attribute judged, and the one with the date."""
        return (self.attribute,) if self.at is None else (self.attribute, self.at)


class Within(_Rule):
    """A geometry lies in a surface of another layer and leaves it nowhere by more than `tolerance` (m).

    With `attribute` and `by` it is the surface whose `by` equals the row's attribute.
    """

    rule: Literal["within"]
    geometries = _SHAPES
    layer: str
    attribute: str | None = None
    by: str | None = None
    tolerance: Length = 1.0

    @model_validator(mode="after")
    def _paired(self) -> Within:
        if (self.attribute is None) != (self.by is None):
            raise ValueError("attribute and by go together: whose value names the surface, and where it stands")
        return self

    def attributes(self) -> tuple[str, ...]:
        """The attribute that names the surface."""
        return () if self.attribute is None else (self.attribute,)


class Nests(_Rule):
    """A surface lies in the row whose `key` equals its `parent`, but for a part of its area up to `tolerance`."""

    rule: Literal["nests"]
    geometries = frozenset({"polygon"})
    parent: str
    key: str
    tolerance: Share = 0.001

    def attributes(self) -> tuple[str, ...]:
        """The two attributes that tie rows together."""
        return self.parent, self.key


AttributeRule = Domain | Range | Required
SetRule = DuplicateGeometry | CoverageOverlap | CoverageGap | Dangle | Unconnected | Nests
"""Rules about rows together: they are judged when the last row has been read."""
Rule = Annotated[
    ValidGeometry
    | Sliver
    | MinimumSize
    | DuplicateGeometry
    | CoverageOverlap
    | CoverageGap
    | Dangle
    | Unconnected
    | Domain
    | Range
    | Required
    | AreaAttribute
    | Referential
    | Within
    | Nests,
    Field(discriminator="rule"),
]


class Equals(BaseModel):
    """What an attribute must equal; short for the rule `area-attribute` in `checks`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    equals: Literal["ellipsoidal_area"]
    tolerance: Share = 0.001
    slack: Area = 1.0
    severity: Severity = "error"

    def rule(self, attribute: str) -> AreaAttribute:
        """The rule that this is short for."""
        return AreaAttribute(
            rule="area-attribute",
            attribute=attribute,
            tolerance=self.tolerance,
            slack=self.slack,
            severity=self.severity,
        )


def _allowance(value: object) -> object:
    return f"{value} rows" if isinstance(value, int) and not isinstance(value, bool) else value


Allowance = Annotated[str, BeforeValidator(_allowance), Field(pattern=r"^\d+ rows$|^\d+(\.\d+)? %$")]
"""How many breaches are allowed: a whole number of rows, or a part of the rows judged such as `0.1 %`."""


class Gate(BaseModel):
    """When a load is refused as a whole: more rows kept out than `errors`, or more breaches of a rule than allowed.

    Attributes:
        errors: Most rows that may go to quarantine; None sets no limit.
        rules: Rule name as in findings -> most breaches, whatever their severity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    errors: Allowance | None = None
    rules: Mapping[str, Allowance] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Gate:
        strangers = sorted(set(self.rules) - set(MEASURES))
        if strangers:
            raise ValueError(f"gate names the unknown rule {strangers[0]!r}; known: {', '.join(sorted(MEASURES))}")
        return self


def allowed(allowance: str, judged: int) -> float:
    """Most breaches that an allowance permits among this many rows."""
    number, unit = allowance.split(" ")
    return float(number) * judged / 100 if unit == "%" else float(number)
