"""Relations between magnitude, distance and macroseismic intensity along both axes of an ellipse, as data.

I = c + m M - k lg(R + r0), with R in kilometres from the epicentre and M the surface-wave magnitude, once for the long
and once for the short axis. An agency adds its own rows in `attenuation.csv` of its folder of layers; a row with the
name of one of ours takes its place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from layers.errors import DefinitionError
from layers.model import Text

FILE = "attenuation.csv"
_COLUMNS = ("c", "m", "k", "r0")
Positive = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class Axis(BaseModel):
    """Coefficients of one axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    c: float = Field(ge=-100, le=100, allow_inf_nan=False)
    m: Positive
    k: Positive
    r0: Positive

    def radius(self, magnitude: float, intensity: float) -> float:
        """Kilometres from the epicentre to where the intensity is reached; not above 0 where it is nowhere."""
        exponent = (self.c + self.m * magnitude - intensity) / self.k
        return float(10.0**exponent - self.r0)


class Relation(BaseModel):
    """Both axes of a relation, and the magnitudes that it was found from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    title: Text
    long: Axis
    short: Axis
    least: float = 5.0
    greatest: float = 7.9
    source: str = Field(min_length=1, max_length=500)

    def radii(self, magnitude: float, intensity: float) -> tuple[float, float] | None:
        """Long and short radius in kilometres of an intensity; None where it is nowhere reached.

        Both axes give one intensity at the epicentre. Far from strong earthquakes the fits cross: the short radius is
        never larger than the long one.
        """
        long, short = self.long.radius(magnitude, intensity), self.short.radius(magnitude, intensity)
        short = min(long, short)
        return (long, short) if short > 0 else None


def relations(folder: Path | None = None) -> Mapping[str, Relation]:
    """Relations by name: those of the product, and those of an agency's folder of layers.

    Raises:
        DefinitionError: When a row of the agency's file is none.
    """
    own = folder / FILE if folder is not None else None
    return {**_shipped(), **(_rows(own.read_text("utf-8")) if own is not None and own.is_file() else {})}


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Relation]:
    return _rows(files("geoservice.hazards").joinpath(FILE).read_text(encoding="utf-8"))


def _rows(text: str) -> dict[str, Relation]:
    return {row.name: row for row in _read(text)}


def _read(text: str) -> Iterator[Relation]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        axes: dict[str, Any] = {axis: {c: row.get(f"{axis}_{c}") for c in _COLUMNS} for axis in ("long", "short")}
        rest = {name: row.get(name) for name in ("name", "least", "greatest", "source")}
        try:
            yield Relation.model_validate({**rest, **axes, "title": {"zh": row.get("zh"), "en": row.get("en")}})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DefinitionError(f"{FILE}, line {number}: {where}: {first['msg']}.", file=FILE) from None
