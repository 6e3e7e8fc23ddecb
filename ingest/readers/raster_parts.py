"""The rasters of one source: a file is one, an archive holds many, and so does a NetCDF variable with times or levels.

Each becomes an asset of its own, named after what it is.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.raster_drivers import SOURCE_DRIVERS
from ingest.raster_family import raster_siblings
from ingest.readers.archive import unpack_all
from ingest.readers.raster_kinds import EXTENSIONS, NAMES, raster_kind
from ingest.readers.source import Request
from layers.errors import GeoError, SourceMismatch, SourceUnreadable

_PICTURES = frozenset({"png", "jpeg"})
_SHOWN = 20
_EPOCH = re.compile(
    r"(second|minute|hour|day)s? since (\d{1,4})-(\d{1,2})-(\d{1,2})(?:[t ](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?"
)
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_CALENDARS = frozenset({"standard", "gregorian", "proleptic_gregorian"})
_BRACED = re.compile(r"[^{},]+")


@dataclass(frozen=True)
class Part:
    """One raster of a source.

    Attributes:
        name: Name of the asset that it becomes.
        file: The file that holds it.
        kind: Kind by content.
        variable: Variable of a NetCDF file; None where the file has no choice.
        bands: Bands to take in place of those of the mapping; empty to leave that to the mapping.
        fault: Why it cannot be opened at all.
    """

    name: str
    file: Path
    kind: str
    variable: str | None = None
    bands: tuple[int, ...] = ()
    fault: GeoError | None = None

    def plan(self, whole: IngestPlan) -> IngestPlan:
        """The plan of this part alone."""
        mapping = whole.mapping.model_copy(update={"bands": self.bands}) if self.bands else whole.mapping
        return replace(whole, source=Path(self.name), mapping=mapping)

    def open(self) -> DatasetReader:
        """Open it with the one driver of its kind.

        Raises:
            SourceUnreadable: When that driver cannot.
        """
        if self.fault is not None:
            raise self.fault
        address = str(self.file) if self.variable is None else f'NETCDF:"{self.file}":{self.variable}'
        try:
            with warnings.catch_warnings():
                # Whether it has a place is asked later, and answered with a sentence.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(address, driver=SOURCE_DRIVERS[self.kind])
        except (RasterioError, CPLE_BaseError, UnicodeDecodeError) as error:
            raise SourceUnreadable(
                f"{self.name} cannot be opened as {NAMES[self.kind]}; it is damaged, or something else in disguise.",
                source=self.name,
            ) from error


def find_parts(plan: IngestPlan, file: Path, notes: Notes) -> tuple[Part, ...]:
    """The rasters of a source, in the order of their names.

    Raises:
        SourceUnreadable: When the source is no raster, or an archive without one.
        SourceMismatch: When the mapping does not fit what is inside.
    """
    kind = raster_kind(file, plan.source.name)
    if kind == "zip":
        return _members(plan, file, notes)
    return _slices(Part(plan.source.name, file, kind), plan)


def _members(plan: IngestPlan, file: Path, notes: Notes) -> tuple[Part, ...]:
    request = Request(file, plan, file.parent, notes)
    target = unpack_all(request, lambda entries: _wanted(request, entries))
    paths = [p for p in sorted(target.rglob("*")) if p.suffix.lower() in EXTENSIONS]
    rasters = _without_previews([p for p in paths if p.is_file()], notes)
    named = plan.mapping.sublayer
    if named is not None and any(p.stem == named for p in rasters):
        rasters = [p for p in rasters if p.stem == named]
    alone = Counter(p.name for p in rasters)
    parts: list[Part] = []
    for path in rasters:
        name = path.name if alone[path.name] == 1 else path.relative_to(target).as_posix()
        parts += _parts_of(path, name, plan)
    return tuple(parts)


def _parts_of(path: Path, name: str, plan: IngestPlan) -> tuple[Part, ...]:
    """The rasters of one member; what is wrong with it is told when its turn comes."""
    try:
        return _slices(Part(name, path, raster_kind(path, name)), plan)
    except GeoError as error:
        return (Part(name, path, EXTENSIONS[path.suffix.lower()], fault=error),)


def _wanted(request: Request, entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    suffixes = {PurePosixPath(e.filename).suffix.lower() for e in entries}
    if not suffixes & (EXTENSIONS.keys() - {".zip"}):
        known = ", ".join(sorted(s for s in EXTENSIONS if s != ".zip"))
        raise SourceUnreadable(
            f"The archive {request.name} contains no raster that can be read (readable are {known}).",
            source=request.name,
        )
    return entries


def _without_previews(paths: list[Path], notes: Notes) -> list[Path]:
    """Pictures without a place of their own beside rasters are previews."""
    real = [p for p in paths if EXTENSIONS[p.suffix.lower()] not in _PICTURES or raster_siblings(p)]
    if real and len(real) < len(paths):
        message = "Pictures without a world file lie beside the rasters of the archive; they are taken for previews."
        notes.add("previews", "info", message, count=len(paths) - len(real))
    return real or paths


def _slices(part: Part, plan: IngestPlan) -> tuple[Part, ...]:
    """A NetCDF file as the variable and the slices that the mapping wants."""
    if part.kind != "netcdf":
        return (part,)
    chosen = replace(part, variable=_variable(part, plan))
    wanted = plan.mapping.slices
    with chosen.open() as dataset:
        if wanted is None:
            _refuse_unchosen(dataset, plan)
            return (chosen,)
        axes = _axes(dataset)
        if wanted == "each":
            names = [f"{part.name}#{label}" for label in _labels(dataset, axes)]
            return tuple(replace(chosen, name=name, bands=(i,)) for i, name in enumerate(names, 1))
        return (replace(chosen, bands=_band_of(axes, wanted, plan)),)


def _variable(part: Part, plan: IngestPlan) -> str | None:
    with part.open() as dataset:
        found = [address.rpartition(":")[2] for address in dataset.subdatasets]
        # A file with one variable is opened by itself.
        single = not found
        if single:
            found = sorted({dataset.tags(i).get("NETCDF_VARNAME", "") for i in dataset.indexes})
    wanted = plan.mapping.sublayer
    if wanted is None and len(found) == 1:
        return None if single else found[0]
    if wanted is None or wanted not in found:
        said = f"; the mapping names {wanted!r}" if wanted else ""
        raise SourceMismatch(
            f"{part.name} holds the variables {', '.join(found[:_SHOWN])}{said}. "
            "The mapping must name one of them as sublayer.",
            variables=found,
        )
    return None if single else wanted


def _axes(dataset: DatasetReader) -> dict[str, tuple[str, ...]]:
    """The dimensions besides the two of the grid, slowest first, and the values along them."""
    tags = dataset.tags()
    names = _BRACED.findall(tags.get("NETCDF_DIM_EXTRA", ""))
    axes = {n: tuple(v.strip() for v in _BRACED.findall(tags.get(f"NETCDF_DIM_{n}_VALUES", ""))) for n in names}
    sizes = {n: int(_BRACED.findall(tags.get(f"NETCDF_DIM_{n}_DEF", "{1}"))[0]) for n in names}
    # GDAL tells no values where a dimension has no variable: count there.
    return {n: v if len(v) == sizes[n] else tuple(map(str, range(sizes[n]))) for n, v in axes.items()}


def _refuse_unchosen(dataset: DatasetReader, plan: IngestPlan) -> None:
    axes, layer = _axes(dataset), plan.layer
    if plan.mapping.bands or dataset.count == len(getattr(layer, "bands", ())):
        return
    told = "; ".join(f"{n}: {len(v)} ({v[0]} to {v[-1]})" for n, v in axes.items() if v)
    raise SourceMismatch(
        f"{plan.source.name} holds {dataset.count} slices ({told}), layer {layer.id} has another number of bands. "
        "The mapping must say which to take: slices: each, or slices: {dimension: index}.",
        slices=dataset.count,
    )


def _band_of(axes: dict[str, tuple[str, ...]], chosen: Mapping[str, int], plan: IngestPlan) -> tuple[int, ...]:
    strangers = sorted(set(chosen) - set(axes))
    missing = sorted(n for n, values in axes.items() if n not in chosen and len(values) > 1)
    if strangers or missing:
        raise SourceMismatch(
            f"{plan.source.name} has the dimensions {', '.join(axes) or 'of its grid alone'}; the mapping must name "
            f"an index for each of them ({', '.join(strangers or missing)} does not fit)."
        )
    place: list[int] = []
    for name, values in axes.items():
        index = chosen.get(name, 0)
        if not -len(values) <= index < len(values):
            raise SourceMismatch(f"{plan.source.name} has {len(values)} slices along {name}; there is no {index}.")
        place.append(index % len(values))
    return (int(np.ravel_multi_index(place, [len(v) for v in axes.values()])) + 1,) if axes else (1,)


def _labels(dataset: DatasetReader, axes: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Names of the slices in the order of their bands, such as `2026-01-01T06:00:00Z,level=850`."""
    tags = dataset.tags()
    shape = [len(v) for v in axes.values()]
    for index in np.ndindex(*shape):
        told = []
        for (name, values), i in zip(axes.items(), index, strict=True):
            moment = _moment(values[i], tags.get(f"{name}#units", ""), tags.get(f"{name}#calendar", "standard"))
            told.append(moment or f"{name}={values[i]}")
        yield ",".join(told) or "1"


def _moment(value: str, units: str, calendar: str) -> str | None:
    """A CF time (`hours since 1900-01-01`) as ISO 8601 in UTC; None for other units and for calendars of models."""
    match = _EPOCH.match(units.strip().lower())
    if match is None or calendar.lower() not in _CALENDARS:
        return None
    unit, *digits = match.groups()
    year, month, day, hour, minute, second = (int(d or 0) for d in digits)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC) + timedelta(
            seconds=float(value) * _SECONDS[unit]
        )
    except (ValueError, OverflowError):
        return None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
