"""The report of a load as a document: a stable shape for programs, from which the page is made too."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from layers.gauss import Datum
from layers.model import Text

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(_Value):
    """A link (RFC 8288 relation)."""

    href: str
    rel: str
    type: str
    title: str | None = None


class ZoneFacts(_Value):
    """A Gauss-Krueger zone in which rows were read."""

    number: int = Field(description="13 to 23: 6 degrees wide; 25 to 45: 3 degrees wide.")
    width: int = Field(description="Degrees of longitude.")
    meridian: int = Field(description="Central meridian, degrees east.")
    crs: str | None = Field(None, description="The zone on the datum of the source, as EPSG:n.")
    rows: int = Field(ge=0)


class ReferenceFacts(_Value):
    """On which coordinate reference system a source was read, and how that was decided."""

    crs: str = Field(max_length=400, description="EPSG:n, a name, or that rows have zones of their own.")
    how: Literal["override", "stated", "assumed", "degrees", "zone-number", "local"] = Field(
        description="override: the mapping overrules the source; stated: by the source (such as its .prj); assumed: "
        "named for a source that states none; zone-number, degrees: read from the coordinates, on a named datum; "
        "local: the local system of registered parameters."
    )
    by: Literal["source", "mapping", "person"] = Field(
        "mapping", description="Who named the CRS or datum: the source, the source mapping, or whoever loaded it."
    )
    confidence: float = Field(ge=0, le=1, description="How far this way of deciding is to be believed.")
    datum: Datum | None = Field(None, description="One of the four national datums, when it is one.")
    zones: tuple[ZoneFacts, ...] = Field((), description="Where rows lie by zone; not in the view `outcome`.")


class SourceFacts(_Value):
    """The source: what it is called, how it was read, where it comes from."""

    name: str
    size: int | None = Field(None, description="Bytes.")
    sha256: str | None = None
    mapping: str | None = Field(None, description="Source mapping of the layer file.")
    driver: str | None = None
    crs: str | None = None
    reference: ReferenceFacts | None = Field(None, description="How the CRS was decided; None without coordinates.")
    encoding: str | None = None
    owner: str | None = Field(None, description="Who delivered it.")
    received: dt.datetime | None = None
    unmapped_fields: tuple[str, ...] = Field((), description="Fields of the source that go nowhere; full view only.")
    facts: dict[str, Any] = Field({}, description="What else the reader noted; full view only.")


class CountsOfRows(_Value):
    """Rows. read = inserted + updated + unchanged + quarantined + not_selected; deleted rows are counted apart."""

    read: int
    inserted: int
    updated: int
    unchanged: int
    quarantined: int
    not_selected: int
    deleted: int
    repaired: int = Field(description="Geometries that were mended; among the rows above.")
    balanced: bool = Field(description="Whether the parts add up to what was read.")


class Measure(_Value):
    """What a finding measures in terms of ISO 19157: number of the measure in annex D, quality element."""

    number: int | None = None
    name: Text | None = None
    element: str | None = None
    element_name: Text | None = None


class FindingEntry(_Value):
    """One finding. Sentence, rows, places and values are for the full view only."""

    rule: str
    title: Text
    severity: Literal["info", "warning", "error"]
    count: int
    rate: float | None = Field(None, description="count divided by rows read.")
    measure: Measure | None = None
    message: str | None = None
    rows: tuple[int, ...] = Field((), description="Numbers of the first rows concerned; the first row of data is 1.")
    places: tuple[tuple[float, float], ...] = Field((), description="Longitude, latitude of the first rows concerned.")
    samples: tuple[str, ...] = Field((), description="First values concerned.")


class ValueCount(_Value):
    """How often a value occurs; `title` is its name in the code list."""

    value: str
    count: int
    title: Text | None = None


class Histogram(_Value):
    """Counts of equal classes; one edge more than counts. Values on an edge belong to the class above."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Timeline(_Value):
    """Counts per period (UTC)."""

    unit: Literal["day", "month", "year", "decade"]
    labels: tuple[str, ...]
    counts: tuple[int, ...]


class ProfileEntry(_Value):
    """What the values of an attribute (or band) look like, over the rows that every reader of the layer may see."""

    attribute: str
    title: Text | None = None
    type: str
    unit: str | None = None
    list: str | None = None
    rows: int
    nulls: int
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    distinct: int | None = Field(None, description="Different values; None for numbers and times, and when too many.")
    values: tuple[ValueCount, ...] = Field((), description="The most frequent values, most frequent first.")
    others: int = Field(0, description="Rows with a value that is not among `values`.")
    histogram: Histogram | None = None
    timeline: Timeline | None = None


class QuarantinedRow(_Value):
    """A row that could not be loaded: why, and what it said."""

    id: int = Field(description="Its number in quarantine.")
    row: int = Field(description="Its number in the source; the first row of data is 1.")
    reason: str = Field(description="Why the latest load or replay left it out.")
    first_reason: str | None = Field(None, description="Why it came into quarantine, when that was another reason.")
    state: str
    raw: str


class RepairEntry(_Value):
    """A geometry that was made valid, as WKT (lon lat) before and after; the change of its area in m2."""

    row: int = Field(description="Number of the row in the source; the first row of data is 1.")
    rule: str
    before: str
    after: str
    area_change: float | None = None


class ReasonCount(_Value):
    """How many rows are in quarantine for a reason, and the first of them."""

    reason: str
    count: int
    first: QuarantinedRow


class Samples(_Value):
    """The first rows in quarantine and the first repairs, and how many there are in all."""

    reasons: tuple[ReasonCount, ...] = Field((), description="The most frequent reasons.")
    quarantine: tuple[QuarantinedRow, ...] = Field((), description="The first rows, open ones before others.")
    quarantine_total: int = 0
    quarantine_open: int = Field(0, description="Rows that nobody has mended, given up or replaced since.")
    repairs: tuple[RepairEntry, ...] = ()
    repairs_total: int = 0


class Problem(_Value):
    """What ended a load; the sentence is for the full view only."""

    title: str
    kind: str
    detail: str | None = None


class EditionFacts(_Value):
    """The edition that a load made."""

    number: int
    committed: dt.datetime
    kind: str = "load"
    undoes: int | None = None
    undone_by: int | None = Field(None, description="Edition that withdrew this one.")


class FormerLoad(_Value):
    """The load that made the edition before, for comparison."""

    number: int
    edition: int
    finished: dt.datetime
    counts: CountsOfRows | None = None


class LoadSummary(_Value):
    """A load in a list."""

    number: int
    outcome: Literal["loaded", "unchanged", "refused", "failed", "dry-run"]
    finished: dt.datetime
    source: str
    edition: EditionFacts | None = None
    view: Literal["outcome", "counts", "full"] = Field(description="How much the reader may know.")
    counts: CountsOfRows | None = Field(None, description="None in the view `outcome`, and of refused loads.")
    errors: int | None = Field(None, description="Findings of severity error, counted by rows.")
    warnings: int | None = None
    links: tuple[Link, ...] = ()


class EditionEntry(_Value):
    """An edition in a list; `load` is the load that made it (None for a withdrawal)."""

    number: int
    load: int | None = None
    committed: dt.datetime
    kind: str
    source: str
    mapping: str
    owner: str | None = Field(None, description="Who delivered the source.")
    undoes: int | None = None
    undone_by: int | None = None
    reason: str | None = Field(None, description="Why it was withdrawn; for those who may load the layer.")
    inserted: int | None = Field(None, description="None where rows may lie above the reader; so are the other counts.")
    updated: int | None = None
    deleted: int | None = None


class LoadReport(_Value):
    """Everything a reader may know of one load."""

    number: int
    collection: str
    titles: Text
    outcome: Literal["loaded", "unchanged", "refused", "failed", "dry-run"]
    view: Literal["outcome", "counts", "full"] = Field(description="How much the reader may know.")
    started: dt.datetime
    finished: dt.datetime
    seconds: float
    edition: EditionFacts | None = None
    job: int | None = Field(None, description="Job that did the load; full view only.")
    loaded_by: str | None = Field(None, description="Principal; full view only.")
    source: SourceFacts
    tools: dict[str, str] = Field({}, description="Versions of the software that did it.")
    counts: CountsOfRows | None = None
    problem: Problem | None = None
    findings: tuple[FindingEntry, ...] = ()
    profile: tuple[ProfileEntry, ...] = ()
    extent: tuple[float, float, float, float] | None = Field(
        None, description="west, south, east, north of what the reader sees of the layer now."
    )
    samples: Samples | None = Field(None, description="Quarantined and repaired rows; full view only.")
    former: FormerLoad | None = None
    links: tuple[Link, ...] = ()


def report_schema(address: str) -> dict[str, Any]:
    """JSON Schema of `LoadReport`, with its address as `$id`."""
    made = LoadReport.model_json_schema(mode="serialization")
    return {"$schema": SCHEMA_DIALECT, "$id": address, **made}
