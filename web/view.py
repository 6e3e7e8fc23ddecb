"""What a page may show: visible layers, their editions, and where the service answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from layers.codelist import CodeList
from layers.model import Layer

Language = Literal["zh", "en"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class EditionInfo:
    """The current edition of a layer, as far as its reader may know it.

    Attributes:
        number: Edition number.
        committed: When it was committed (aware datetime).
        source: Name of the source it came from.
        features: How many rows the layer holds, or None when that is not known.
        bbox: West, south, east, north of its data in degrees, or None.
        interval: First and last value of the layer's time attribute, or None.
        load: Number of the load that made it, or None.
    """

    number: int
    committed: dt.datetime
    source: str
    features: int | None = None
    bbox: Box | None = None
    interval: tuple[dt.datetime, dt.datetime] | None = None
    load: int | None = None


@dataclass(frozen=True, slots=True)
class VisibleLayer:
    """A layer this reader may see, the attributes they may see, and its edition (None = nothing loaded)."""

    layer: Layer
    attributes: tuple[str, ...]
    edition: EditionInfo | None = None


@dataclass(frozen=True, slots=True)
class UrlPatterns:
    """Addresses of the service, root-relative or absolute. `{id}` stands for a collection, `{key}` for a feature."""

    root: str = "/"
    static: str = "/static"
    collections: str = "/collections"
    collection: str = "/collections/{id}"
    items: str = "/collections/{id}/items"
    item: str = "/collections/{id}/items/{key}"
    vector_tiles: str = "/collections/{id}/tiles/WebMercatorQuad/{z}/{y}/{x}"
    raster_tiles: str = "/collections/{id}/map/tiles/WebMercatorQuad/{z}/{y}/{x}"
    analysis: str = "/analysis/zone"
    compliance: str = "/compliance"
    measure: str = "/query/measure"
    names: str = "/gazetteer/names"
    geocode: str = "/gazetteer/geocode"
    coordinates: str = "/gazetteer/coordinates"
    sheets: str = "/gazetteer/sheets"
    sheet: str = "/gazetteer/sheets/{number}"
    search: str = "/search"
    load: str = "/loads/{number}"
    jobs: str = "/jobs"
    job: str = "/jobs/{id}"
    uploads: str = "/uploads"
    health: str = "/health/live"
    session: str = "/session"
    alerts: str = "/alerts"
    hazards: str = "/hazards"
    impact: str = "/impact"
    routing: str = "/routing"
    reports: str = "/reports"
    situation: str = "/situation"
    exercises: str = "/situation/exercises"
    news: str = "/situation/stream"
    subscriptions: str = "/subscriptions"
    alert_news: str = "/events?collections=cap_alert"
    stations: str = "/stations"
    station: str = "/stations/{id}"
    frames: str = "/station-frames"
    exceedances: str = "/exceedances"
    locations: str = "/collections/observations/locations/{id}"
    interpolation: str = "/interpolation"
    print: str = "/maps/sheet"
    picture: str = "/maps/static"
    embed: str = "/embed"
    openapi: str = "/openapi.json"
    api: str = "/"

    def tiles(self, layer: Layer) -> str:
        """Tile address of a layer, with `{z}`, `{x}`, `{y}` left open."""
        pattern = self.raster_tiles if layer.kind == "raster" else self.vector_tiles
        return pattern.replace("{id}", layer.name)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the page: id of their key, their clearance by name, what else they may do, what to call them."""

    label: str | None = None
    clearance: str = "public"
    rights: tuple[str, ...] = ()
    name: str | None = None

    @property
    def anonymous(self) -> bool:
        """True when nobody signed in."""
        return self.label is None


@dataclass(frozen=True)
class PortalView:
    """Everything the portal page shows.

    Attributes:
        language: Language at first; the page carries both.
        layers: Visible layers in catalogue order.
        codelists: Code lists by id; those that no visible layer uses are left out of the page.
        reader: Who looks.
        urls: Where the service answers.
        sample: Extent of the fictional sample region, when it is loaded.
        loadable: Names of the layers that the reader may load; without any there is no panel of jobs.
        offers: Names of the parts of the service that answer here, such as `situation` and `reports`.
        now: Time against which freshness is judged.
    """

    language: Language
    layers: tuple[VisibleLayer, ...]
    codelists: Mapping[str, CodeList]
    reader: Reader = Reader()
    most_rows: tuple[int, int] = (10_000, 1_000_000)
    urls: UrlPatterns = UrlPatterns()
    sample: Box | None = None
    loadable: frozenset[str] = frozenset()
    offers: frozenset[str] = frozenset()
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


def mercator_box(box: Box | None) -> Box | None:
    """A box that MapLibre can use: none when it crosses 180 degrees, latitudes inside the Mercator square."""
    limit = 85.051129
    if box is None or box[0] > box[2]:
        return None
    return box[0], max(box[1], -limit), box[2], min(box[3], limit)
