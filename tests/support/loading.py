"""Layers and sources made for tests, and the way to load them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import require_mode, sync
from ingest.job import IngestReport, plan
from ingest.load import LoadTarget, load
from layers.catalog import Catalog, parse_layer
from layers.codelist import Code, CodeList
from layers.model import Layer

LEVELS = CodeList(
    "clearance@1",
    {c: Code(c, c, c) for c in ("public", "internal", "restricted")},
)

BASE: dict[str, Any] = {
    "format": 1,
    "kind": "vector",
    "title": {"zh": "试验", "en": "Trial"},
    "authority": {"kind": "surveying"},
    "cycle": "P1Y",
    "licence": {"share": "unconditional", "basis": "test"},
    "clearance": "public",
    "geometry": "point",
    "style": {"circle": {"colour": "#336699"}},
    "key": ["code"],
    "attributes": {
        "code": {"type": "text", "required": True},
        "name": {"type": "text"},
        "amount": {"type": "number"},
        "level": {"type": "code", "list": "clearance@1"},
        "secret": {"type": "text", "clearance": "restricted"},
        "seen": {"type": "date"},
    },
    "time": "seen",
    "row_clearance": "level",
    "sources": {"gpkg": {"match": ["*.gpkg"]}},
}


def trial_layer(name: str = "trial", **changes: Any) -> Layer:
    """A small point layer with every kind of attribute; keyword arguments replace parts of its file (None removes)."""
    data = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    return parse_layer(data, theme="trial", name=name)


def trial_catalog(*layers: Layer) -> Catalog:
    """A catalogue of these layers only."""
    return Catalog().with_(layers, [LEVELS])


def prepared(database: Database, catalog: Catalog) -> LoadTarget:
    """Make the tables of a catalogue and say where its loads go."""
    with database.transaction(Role.OWNER) as connection:
        mode = require_mode(connection)
        sync(connection, catalog, database.settings.role_prefix, mode)
    return LoadTarget(database.sync_engine(Role.WRITER), database.dsn(Role.WRITER), database.settings.home / "rasters")


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]], crs: str = "EPSG:4490") -> Path:
    """Write rows with a `geometry` (shapely, lon/lat) as a GeoPackage."""
    frame = gpd.GeoDataFrame(list(rows), geometry="geometry", crs=crs)
    frame.to_file(file, driver="GPKG", engine="pyogrio")
    return file


def load_file(catalog: Catalog, target: LoadTarget, layer: str, file: Path, mapping: str | None = None) -> IngestReport:
    """Load a file as the command line would."""
    job = plan(catalog.layer(layer), file, dict(catalog.codelists), mapping, templates=catalog.templates)
    return load(job, target)


def count(database: Database, table: str, where: str = "true") -> int:
    """Rows of a table, as its owner counts them."""
    schema, name = table.split(".")
    counted = sa.select(sa.func.count()).select_from(sa.table(name, schema=schema)).where(sa.text(where))
    with database.transaction(Role.OWNER) as connection:
        return int(connection.execute(counted).scalar_one())
