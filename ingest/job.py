"""The values of an ingest job: the plan that goes in, the summary of the reader, the report that comes out."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ingest.profile import AttributeProfile
from ingest.side_files import lone_part
from layers.boundary import BoundaryTemplate
from layers.codelist import CodeList
from layers.errors import BadParameter, SourceMismatch
from layers.gauss import GEOGRAPHIC, Datum
from layers.model import Layer, codelists_of
from layers.sources import SourceMapping
from layers.transformation import Grid, Transformation

_CODE = re.compile(r"EPSG:\d{1,9}", re.ASCII)
CRS_DOUBT = "crs_doubt"
"""Fact of a part whose rows, seen alone, contradict what the source declares."""


@dataclass(frozen=True)
class ReadLimits:
    """What the confined reader may use: seconds, bytes of memory, bytes unpacked, vertices per geometry."""

    seconds: float = 3600.0
    memory: int = 2 << 30
    unpacked: int = 8 << 30
    entries: int = 4000
    vertices: int = 2_000_000
    batch_rows: int = 8_000


@dataclass(frozen=True)
class LoadOptions:
    """How one load is done, apart from what the layer file says.

    Attributes:
        repair: Whether invalid geometries are repaired; otherwise they go to quarantine.
        dry_run: Whether everything is done but nothing is written.
        owner: Who delivered the source, for the lineage.
        job: Number of the job that does the load, when one does.
        attempt: Which attempt at that job it is.
        last: Whether the job is done with this load; a replay takes a load for each version of a source.
        parts: How many readers share a source; by its size and the number of processors when absent.
        scheduler: Address of a Dask scheduler whose workers read the parts; threads of this process when absent.
        crs: The CRS of a source that states none, as `EPSG:n`, when whoever loads it says so; it counts for more than
            `crs` and `datum` of the mapping.
        datum: The same of the datum of its Gauss-Krueger coordinates or degrees; one of both.
    """

    repair: bool = True
    dry_run: bool = False
    owner: str | None = None
    job: int | None = None
    attempt: int = 0
    last: bool = True
    parts: int | None = None
    scheduler: str | None = None
    crs: str | None = None
    datum: Datum | None = None

    def __post_init__(self) -> None:
        """Check what is said of coordinates.

        Raises:
            BadParameter: When CRS or datum are not written as they should be, or both are given.
        """
        if self.crs is not None and not _CODE.fullmatch(self.crs):
            raise BadParameter(f"crs is a code such as EPSG:4527; {self.crs[:40]!r} is none.", parameter="crs")
        if self.datum is not None and self.datum not in GEOGRAPHIC:
            known = ", ".join(GEOGRAPHIC)
            raise BadParameter(f"datum is one of {known}; {str(self.datum)[:40]!r} is not.", parameter="datum")
        if self.crs is not None and self.datum is not None:
            raise BadParameter("Say either crs or datum of a source; a CRS has its datum.", parameter="datum")

    @property
    def says_crs(self) -> bool:
        """Whether whoever loads says on what the source stands."""
        return self.crs is not None or self.datum is not None


@dataclass(frozen=True)
class Part:
    """One of several readers that share a source: its number, from 0, and how many there are."""

    number: int
    of: int


class Finding(BaseModel):
    """Something the reader or a check noticed.

    Attributes:
        rule: Short name of the rule.
        severity: `info`, `warning` or `error`.
        message: A sentence, the same for every row concerned.
        count: How often.
        rows: Numbers of the first rows concerned, from 1 (`ingest.numbering`).
        measure: Number of the ISO 19157 measure that the count is, when the rule is one.
        element: ISO 19157 data quality element, such as `topological consistency`.
        places: Longitude and latitude (degrees, EPSG:4490) of the first rows concerned.
        samples: The first values concerned, as text.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    severity: str
    message: str
    count: int
    rows: tuple[int, ...] = ()
    measure: int | None = None
    element: str | None = None
    places: tuple[tuple[float, float], ...] = ()
    samples: tuple[str, ...] = ()


class Origin(BaseModel):
    """Where the snapshot of a remote source came from.

    Attributes:
        address: The remote address, without credentials.
        kind: `ogc-features`, `wfs` or `postgis`.
        fetched: When the fetching began, UTC.
        pages: How many pages it took.
        features: How many features they held.
        sha256: SHA-256 of the snapshot, hexadecimal.
        findings: What did not fit together; such a snapshot may be incomplete.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    kind: Literal["ogc-features", "wfs", "postgis"]
    fetched: dt.datetime
    pages: int
    features: int
    sha256: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Replay:
    """Rows of quarantine that are loaded again: name, size in bytes and SHA-256 of the source they came from."""

    source: str
    size: int
    sha256: str


@dataclass(frozen=True)
class IngestPlan:
    """One source for one layer: what is read, through which mapping, with which code lists and limits.

    Attributes:
        layer: Where to.
        source: The file.
        mapping_name: Name of the mapping in the layer file.
        mapping: The mapping.
        codelists: Code lists that layer and mapping name.
        limits: What the reader may use.
        options: How the load is done.
        templates: Templates of boundary-point files, by name.
        transformations: Registered transformation parameters, by name; their grids are among the companions.
        companions: Further files that the reader finds beside the source; they are ours, not the sender's.
        origin: Where the source came from, when it is a snapshot of a remote one.
        replay: When the source is a file of quarantined rows that `ingest.replay` wrote: where they came from.
        part: Which share of the rows is read; all when absent.
    """

    layer: Layer
    source: Path
    mapping_name: str
    mapping: SourceMapping
    codelists: dict[str, CodeList] = field(default_factory=dict)
    limits: ReadLimits = ReadLimits()
    options: LoadOptions = LoadOptions()
    templates: dict[str, BoundaryTemplate] = field(default_factory=dict)
    companions: tuple[Path, ...] = ()
    transformations: dict[str, Transformation] = field(default_factory=dict)
    origin: Origin | None = None
    replay: Replay | None = None
    part: Part | None = None


class ReadSummary(BaseModel):
    """What the confined reader says when it is done.

    read = rows delivered as good + rows delivered as bad + not_selected. `profile` describes the good rows, by
    attribute; those of several parts are joined by `ingest.profile.merged`.
    """

    model_config = ConfigDict(frozen=True)

    driver: str
    read: int
    good: int
    bad: int
    not_selected: int
    crs: str | None = None
    encoding: str | None = None
    unmapped_fields: tuple[str, ...] = ()
    repaired: int = 0
    late: int = 0
    findings: tuple[Finding, ...] = ()
    profile: tuple[AttributeProfile, ...] = ()
    facts: dict[str, Any] = {}


class IngestReport(BaseModel):
    """The outcome of a load. read = inserted + updated + unchanged + quarantined + not_selected; deleted apart.

    Rows of the source that repeat a key with the same content count as unchanged; `edition` is None when
    nothing changed. `seconds` is the wall clock of the whole job. `load` is the number of the kept report.
    """

    model_config = ConfigDict(frozen=True)

    layer: str
    source: str
    mapping: str
    sha256: str
    size: int
    edition: int | None
    read: int
    inserted: int
    updated: int
    unchanged: int
    quarantined: int
    not_selected: int
    deleted: int
    seconds: float
    summary: ReadSummary
    load: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether the counts add up to what was read."""
        parts = self.inserted + self.updated + self.unchanged + self.quarantined + self.not_selected
        return parts == self.read


@dataclass(frozen=True)
class Fetched:
    """A source that is a snapshot of a remote one: its file, and where it came from."""

    file: Path
    origin: Origin


def plan(
    layer: Layer,
    source: Path | Fetched,
    codelists: dict[str, CodeList],
    mapping: str | None = None,
    limits: ReadLimits | None = None,
    options: LoadOptions | None = None,
    templates: Mapping[str, BoundaryTemplate] | None = None,
) -> IngestPlan:
    """Choose the mapping for a source by name, or by its file name or remote address.

    Args:
        layer: Where to.
        source: The file, or a snapshot.
        codelists: All code lists that there are.
        mapping: Name of the mapping; by file name when absent.
        limits: What the reader may use.
        options: How the load is done.
        templates: Templates of boundary-point files, by name.

    Raises:
        SourceMismatch: When the layer has no mapping of that name, none (or several) fit the source, a snapshot that
            may lack features would be taken for the whole layer, or the options say a CRS where the mapping overrides
            it.
    """
    origin = source.origin if isinstance(source, Fetched) else None
    file = source.file if isinstance(source, Fetched) else source
    name = mapping or _match(layer, origin.address if origin is not None else file.name)
    if name not in layer.sources:
        known = ", ".join(layer.sources) or "none"
        raise SourceMismatch(f"Layer {layer.id} has no source mapping {name!r}; known: {known}.", layer=layer.id)
    lists = {i: codelists[i] for i in codelists_of(layer)}
    chosen = _as_said(layer, name, options or LoadOptions())
    if origin is not None and origin.findings and chosen.complete:
        raise SourceMismatch(
            f"{origin.address} changed while it was fetched ({origin.findings[0].message}) Since the mapping {name!r} "
            "takes it for the whole layer, what is missing would be deleted; fetch it again.",
            layer=layer.id,
        )
    return IngestPlan(
        layer,
        file,
        name,
        chosen,
        lists,
        limits or ReadLimits(),
        options or LoadOptions(),
        templates=dict(templates or {}),
        origin=origin,
    )


def _as_said(layer: Layer, name: str, options: LoadOptions) -> SourceMapping:
    """A mapping of a layer, with what whoever loads says of the coordinates in place of its own assumption."""
    mapping = layer.sources[name]
    if not options.says_crs:
        return mapping
    if mapping.override_crs is not None:
        raise SourceMismatch(
            f"The source mapping {name!r} of layer {layer.id} reads every source as {mapping.override_crs}; to load "
            "one on another system, take `override_crs` out of it.",
            layer=layer.id,
        )
    return mapping.model_copy(update={"crs": options.crs, "datum": options.datum})


def with_transformations(job: IngestPlan, registered: Mapping[str, Transformation]) -> IngestPlan:
    """The plan with the registered parameters that its mapping may use, and the files of their grids."""
    wanted = job.mapping.transformation
    usable = {name: t for name, t in registered.items() if wanted in (None, name)}
    grids = tuple(t.path for t in usable.values() if isinstance(t, Grid) and t.path is not None)
    return replace(job, transformations=usable, companions=(*job.companions, *grids))


def _match(layer: Layer, source: str) -> str:
    text = source.lower()
    fits = [n for n, m in layer.sources.items() if any(fnmatch.fnmatchcase(text, g.lower()) for g in m.match)]
    if len(fits) == 1:
        return fits[0]
    if not fits and (part := lone_part(source)) is not None:
        raise SourceMismatch(part, layer=layer.id)
    known = "; ".join(f"{n}: {', '.join(m.match)}" for n, m in layer.sources.items()) or "none"
    found = "no mapping fits" if not fits else f"several mappings fit ({', '.join(fits)})"
    raise SourceMismatch(
        f"For {source} {found} in layer {layer.id}; choose the mapping by its name. There are: {known}.",
        layer=layer.id,
    )
