"""Every file of the real data pack: it is loaded with the expected counts, or refused with the expected reason.

The figures of the table `pack.csv` come from the inventory of the pack and from other tools (pandas, GDAL, osmium).
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import IngestReport, plan
from ingest.load import LoadTarget, load
from ingest.raster import load_raster
from layers.catalog import Catalog, read_catalog
from layers.errors import CrsRefused, SourceError, SourceMismatch, SourceUnreadable
from layers.model import Layer, RasterLayer, VectorLayer
from layers.system import quarantine, raster_asset
from layers.table import current_table
from tests.realdata.oracle import bounds
from tests.realdata.pack import Expectation, agency_catalog, expectations, listed, stated
from tests.support.loading import prepared

pytestmark = pytest.mark.realdata
CATALOG = agency_catalog()
OURS = {layer.id for layer in CATALOG} - {layer.id for layer in read_catalog()}
"""Layers of the agency, whose places are compared with those that other tools find."""
TABLE = expectations()
LOADED = [e for e in TABLE if not e.refused]
REFUSED = [e for e in TABLE if e.refused]
ROUNDED = {"places/rg_cities1000.csv.zip": 144_563}
"""Counts that the inventory rounds, by pandas."""
NEAR = 1e-3
"""Degrees; ways from NAD27 and from feet differ by metres between tools and editions of their grids."""


@pytest.fixture(scope="module")
def target(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> LoadTarget:
    where = prepared(module_database, CATALOG)
    return dataclasses.replace(where, rasters=tmp_path_factory.mktemp("rasters"))


def layer_of(expected: Expectation) -> Layer:
    return CATALOG.layer(expected.layer.partition("/")[2])


def receive(catalog: Catalog, layer: Layer, file: Path, mapping: str, target: LoadTarget) -> IngestReport:
    """Load a file as the command line would."""
    job = plan(layer, file, dict(catalog.codelists), mapping, templates=catalog.templates)
    return (load_raster if isinstance(layer, RasterLayer) else load)(job, target)


def stored(database: Database, layer: Layer) -> int:
    """Current rows (or assets) of a layer, counted by the database itself."""
    if isinstance(layer, RasterLayer):
        current = (raster_asset.c.layer == layer.name) & raster_asset.c.valid_to.is_(None)
        statement = sa.select(sa.func.count()).select_from(raster_asset).where(current)
    else:
        statement = sa.select(sa.func.count()).select_from(current_table(layer))
    with database.transaction(Role.OWNER) as connection:
        return int(connection.execute(statement).scalar_one())


def set_aside(database: Database, sha256: str, layer: Layer) -> int:
    """Rows of a source in quarantine, counted by the database itself."""
    these = (quarantine.c.sha256 == sha256) & (quarantine.c.layer == layer.name)
    with database.transaction(Role.OWNER) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(quarantine).where(these)).scalar_one())


def reach(database: Database, layer: VectorLayer, report: IngestReport) -> tuple[float, ...]:
    """West, south, east, north of the rows that a load brought, by the database itself."""
    table = current_table(layer)
    box = sa.func.ST_Extent(table.c.geom).cast(sa.Text)
    with database.transaction(Role.OWNER) as connection:
        text = str(connection.execute(sa.select(box).where(table.c["_edition"] == report.edition)).scalar_one())
    return tuple(float(number) for number in re.findall(r"-?[0-9.]+(?:e-?[0-9]+)?", text))


def test_every_file_has_an_expectation(real_data: Path) -> None:
    manifest = listed(real_data)
    # GDAL writes a schema (.gfs) beside GML that another test reads, where it may write.
    files = (f for f in real_data.glob("*/**/*") if f.is_file() and f.suffix != ".gfs")
    found = {str(f.relative_to(real_data)) for f in files}
    assert {e.file for e in TABLE} == set(manifest) == found


@pytest.mark.parametrize("expected", LOADED, ids=str)
def test_file_is_loaded_and_its_counts_add_up(
    expected: Expectation, module_database: Database, target: LoadTarget, real_data: Path
) -> None:
    layer, file = layer_of(expected), real_data / expected.file
    before = stored(module_database, layer)
    report = receive(CATALOG, layer, file, expected.mapping, target)
    loaded = report.inserted + report.updated + report.unchanged
    assert (report.read, loaded, report.quarantined, report.not_selected) == expected.counts
    assert report.read == loaded + report.quarantined + report.not_selected
    assert stored(module_database, layer) == before + report.inserted - report.deleted
    assert set_aside(module_database, report.sha256, layer) == report.quarantined
    assert "reader-warning" not in {finding.rule for finding in report.summary.findings}
    if not isinstance(layer, RasterLayer):
        assert ROUNDED.get(expected.file, stated(real_data, file)) in (None, report.summary.facts["source_rows"])
    if isinstance(layer, VectorLayer) and layer.id in OURS:
        assert reach(module_database, layer, report) == pytest.approx(
            bounds(file, layer.sources[expected.mapping]), abs=NEAR
        )


@pytest.mark.parametrize("expected", REFUSED, ids=str)
def test_what_is_no_data_is_refused(
    expected: Expectation, module_database: Database, target: LoadTarget, real_data: Path
) -> None:
    layer = CATALOG.layer("cover_patch")
    before = stored(module_database, layer)
    with pytest.raises(SourceUnreadable, match=expected.refused):
        receive(CATALOG, layer, real_data / expected.file, "zofingen", target)
    assert stored(module_database, layer) == before


WITHOUT_A_WORD: list[tuple[str, str, str, type[SourceError | CrsRefused], str]] = [
    ("storm_line", "noaa", "disasters/storms_xyzm.zip", CrsRefused, "states no coordinate reference system"),
    ("lake", "alaska_gml", "hydrography/alaska_lakes.gml", CrsRefused, "states no coordinate reference system"),
    (
        "census_tract",
        "ibge",
        "population/olinda_census_tracts.zip",
        CrsRefused,
        "no transformation with known accuracy",
    ),
    ("spot_height", "alaska", "elevation/alaska_elevp.csv", CrsRefused, "states no coordinate reference system"),
    ("country", "qgis_world", "admin/world_map.gpkg", SourceMismatch, "must name one as sublayer"),
    ("country", "world_atlas", "admin/countries-50m.json", SourceMismatch, "must name one as sublayer"),
]
"""Files that do not say what they must: layer, mapping, file, error and words when the mapping is silent, too."""


@pytest.mark.parametrize(
    ("name", "mapping", "file", "error", "words"), WITHOUT_A_WORD, ids=[w[2] for w in WITHOUT_A_WORD]
)
def test_without_the_word_of_the_mapping_it_is_refused(
    name: str, mapping: str, file: str, error: type[Exception], words: str, target: LoadTarget, real_data: Path
) -> None:
    layer = CATALOG.layer(name)
    silent = {"crs": None, "override_crs": None, "sublayer": None}
    job = plan(layer, real_data / file, dict(CATALOG.codelists), mapping)
    with pytest.raises(error, match=words):
        load(dataclasses.replace(job, mapping=job.mapping.model_copy(update=silent)), target)
