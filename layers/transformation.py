"""Registered local transformation parameters: what an agency knows about the way from an old datum to CGCS2000.

The parameters of Beijing 1954, Xian 1980 and local city systems are controlled data: none come with the product. An
agency puts each set into a file, `transformations/<name>.yaml`, beside its layers. Parameters never appear in a report,
finding, error or log; a digest says which set was used. Formulas: EPSG Guidance Note 7-2 (position vector,
coordinate frame, similarity), NTv2 for grids.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pyproj
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from layers.access import Clearance
from layers.crs import is_null_linked, parse_crs
from layers.errors import CrsRefused, DefinitionError
from layers.extent import is_box
from layers.strict_yaml import UniqueKeyLoader

LOCAL = "local"
"""Stands for a plane system of a city or site that no registry knows."""
NAME_PATTERN = r"^[a-z][a-z0-9-]{0,47}$"
_NAME = re.compile(NAME_PATTERN)
_DIGEST_LENGTH = 16
_BLOCK = 1 << 20
_RING = 3

Rotation = Literal["arc-second", "radian", "microradian"]
Scale = Literal["ppm", "factor"]
Position = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]
Secret = Field(repr=False, allow_inf_nan=False)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Seven(_Strict):
    """Parameters of `bursa-wolf-7`: shifts in metres, rotations and scale in their units."""

    dx: float = Secret
    dy: float = Secret
    dz: float = Secret
    rx: float = Secret
    ry: float = Secret
    rz: float = Secret
    scale: float = Secret


class Four(_Strict):
    """Parameters of `helmert-2d-4`: shifts in metres along the first and the second axis, rotation and scale."""

    dx: float = Secret
    dy: float = Secret
    rotation: float = Secret
    scale: float = Secret


class Units(_Strict):
    """Units of rotations and of the scale: a difference from 1 in `ppm`, or the `factor` itself."""

    rotation: Rotation
    scale: Scale


class Region(_Strict):
    """Where the parameters hold, in longitude and latitude (degrees): a box or one ring of positions."""

    bbox: tuple[float, float, float, float] | None = None
    polygon: tuple[Position, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Region:
        if (self.bbox is None) == (self.polygon is None):
            raise ValueError("a region has either a bbox or a polygon")
        if self.bbox is not None and not is_box(self.bbox):
            raise ValueError("bbox is west, south, east, north in degrees")
        if self.polygon is not None and len(self.polygon) < _RING:
            raise ValueError("a polygon has at least three positions")
        return self

    def shown(self) -> str:
        """The region in a few words: its box in degrees."""
        if self.bbox is not None:
            return " ".join(f"{v:g}" for v in self.bbox)
        longitudes, latitudes = zip(*(self.polygon or ()), strict=True)
        box = (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
        return f"polygon in {' '.join(f'{v:g}' for v in box)}"


class Residual(_Strict):
    """How well the parameters fit: root mean square in metres at so many check points."""

    rmse: float = Field(ge=0, allow_inf_nan=False)
    points: int = Field(ge=0)


class Valid(_Strict):
    """Days on which the parameters may be used, both included; open where nothing stands."""

    from_: dt.date | None = Field(default=None, alias="from")
    to: dt.date | None = None


class _Registered(_Strict):
    """What every set states.

    Attributes:
        name: From the file's name.
        source, target: CRS that the parameters lead from and to, as `EPSG:n` (or `local`); one of them is linked to
            storage.
        inverse: Whether the parameters may also be used from target to source.
        region: Where they hold.
        residual: How well they fit.
        owner: Who answers for them.
        secrecy: Clearance of the parameters.
        valid: When they may be used.
        folder: Where the file lies; never leaves this machine's main process.
    """

    format: Literal[1]
    name: str = Field(pattern=NAME_PATTERN)
    source: str = Field(pattern=r"^(EPSG:\d+|local)$")
    target: str = Field(pattern=r"^EPSG:\d+$")
    inverse: bool = False
    region: Region
    residual: Residual
    owner: str = Field(min_length=1, max_length=200)
    secrecy: Clearance
    valid: Valid = Valid()
    folder: Path | None = Field(default=None, exclude=True, repr=False)

    @field_validator("secrecy", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return Clearance.parse(value) if isinstance(value, str) else value

    @property
    def begins(self) -> pyproj.CRS | None:
        """The CRS that the parameters lead from; None for a local system."""
        return None if self.source == LOCAL else parse_crs(self.source)

    @property
    def ends(self) -> pyproj.CRS:
        """The CRS that the parameters lead to."""
        return parse_crs(self.target)

    @property
    def backwards(self) -> bool:
        """Whether the way into storage runs against the direction of the parameters."""
        return not is_null_linked(self.ends)

    def on(self, day: dt.date) -> bool:
        """Whether the parameters may be used on a day."""
        after = self.valid.from_ is None or day >= self.valid.from_
        return after and (self.valid.to is None or day <= self.valid.to)

    def digest(self) -> str:
        """What shows that two uses had the same parameters: the first digits of a SHA-256 over the whole set."""
        text = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]

    def _leads_to_storage(self) -> None:
        begins = self.begins
        from_linked = begins is not None and is_null_linked(begins)
        if from_linked == is_null_linked(self.ends):
            raise ValueError("one of source and target stands on CGCS2000 or WGS 84, the other on another datum")
        if from_linked and not self.inverse:
            raise ValueError("parameters that lead away from CGCS2000 are of use only with inverse: true")


class BursaWolf(_Registered):
    """Seven parameters between geocentric coordinates; source and target are geographic."""

    method: Literal["bursa-wolf-7"]
    convention: Literal["position-vector", "coordinate-frame"]
    units: Units
    parameters: Seven

    @model_validator(mode="after")
    def _coherent(self) -> BursaWolf:
        _both(self, "geographic")
        self._leads_to_storage()
        return self


class Helmert(_Registered):
    """Four parameters in the plane; source (or `local`) and target are projected.

    `axes` is the order in which dx and dy, and the sense of the rotation, are meant: from the first axis to the second.
    """

    method: Literal["helmert-2d-4"]
    axes: Literal["east-north", "north-east"]
    units: Units
    parameters: Four

    @model_validator(mode="after")
    def _coherent(self) -> Helmert:
        _both(self, "projected")
        self._leads_to_storage()
        return self


class Grid(_Registered):
    """A grid of shifts (NTv2) beside the file, with its SHA-256; source and target are geographic."""

    method: Literal["grid"]
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.gsb$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _coherent(self) -> Grid:
        _both(self, "geographic")
        self._leads_to_storage()
        return self

    @property
    def path(self) -> Path | None:
        """The grid file beside the definition."""
        return None if self.folder is None else self.folder / self.file

    def verify(self, path: Path) -> None:
        """Compare a file with the digest that the set states.

        Raises:
            DefinitionError: When it is missing or another file.
        """
        digest = hashlib.sha256()
        try:
            with path.open("rb") as handle:
                while block := handle.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise DefinitionError(f"The grid {self.file} of transformation {self.name} cannot be read.") from error
        if digest.hexdigest() != self.sha256:
            raise DefinitionError(f"The grid {self.file} of transformation {self.name} is not the registered file.")


Transformation = Annotated[BursaWolf | Helmert | Grid, Field(discriminator="method")]
TRANSFORMATION: TypeAdapter[Transformation] = TypeAdapter(Transformation)


def read_transformation(path: Path) -> BursaWolf | Helmert | Grid:
    """Read one set of parameters; its name is the file's stem.

    Raises:
        DefinitionError: With the place in the file and what was expected there, never with a value.
    """
    place = f"transformations/{path.name}"
    if not _NAME.match(path.stem):
        raise DefinitionError(f"{place}: names are lower-case words with hyphens", file=place)
    data = _load(path, place)
    if not isinstance(data, dict):
        raise DefinitionError(f"{place}: a set of parameters is a mapping", file=place)
    try:
        return TRANSFORMATION.validate_python({**data, "name": path.stem, "folder": path.parent.resolve()})
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc'][1:])) or 'file'}: {e['msg']}" for e in error.errors()[:5])
        raise DefinitionError(f"{place}: {where}", file=place) from None
    except CrsRefused as error:
        raise DefinitionError(f"{place}: {error.detail}", file=place) from None


def _load(path: Path, place: str) -> Any:
    try:
        # The loader derives from SafeLoader: it builds plain values only.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        # The message of the library quotes the line, and with it parameters.
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise DefinitionError(f"{place}: not valid YAML in line {line}", file=place) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise DefinitionError(f"{place}: not valid YAML in UTF-8", file=place) from None


def _both(registered: _Registered, kind: Literal["geographic", "projected"]) -> None:
    for crs in (registered.begins, registered.ends):
        if crs is None and kind == "projected":
            continue
        if crs is None or not (crs.is_geographic if kind == "geographic" else crs.is_projected):
            raise ValueError(f"source and target of this method are {kind} systems")
