"""What whoever loads a source says of its coordinates: by command and over HTTP, kept in the lineage, replayed.

Expected places come from PROJ on the registered codes; the codes of zones from the EPSG registry.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs.perform import options_of
from geoservice.loads.describe import describe
from geoservice.loads.record import LoadRecord
from geoservice.loads.view import View
from ingest.delivery import Delivery, deliver
from ingest.job import IngestReport, LoadOptions
from ingest.load import LoadTarget
from ingest.replay import replay
from ingest.set_aside import Wanted, mend, rows
from layers.errors import BadParameter, CrsRefused, SourceMismatch
from layers.system import load_report
from tests.support.loading import count, prepared, trial_catalog, trial_layer

PLACES = [(116.3, 39.9), (116.4, 39.8)]
CATALOG = trial_catalog(
    trial_layer(
        time=None,
        row_clearance=None,
        attributes={"code": {"type": "text", "required": True}, "amount": {"type": "number"}},
        sources={
            "shp": {"match": ["*.shp"]},
            "old": {"match": ["none"], "datum": "xian1980"},
            "sure": {"match": ["none"], "override_crs": "EPSG:4527"},
        },
    )
)


@pytest.fixture
def target(database: Database) -> LoadTarget:
    return prepared(database, CATALOG)


def shapefile(folder: Path, code: int = 4527, *, prj: bool = False, amount: str = "1") -> Path:
    """Points whose eastings carry their zone number, without a .prj unless wanted."""
    east = pyproj.Transformer.from_crs(4490, code, always_xy=True)
    shapes = [shapely.Point(east.transform(*place)) for place in PLACES]
    data = {"code": [f"c{i}" for i in range(len(shapes))], "amount": ["1", amount]}
    file = folder / "rows.shp"
    gpd.GeoDataFrame(data, geometry=shapes, crs=f"EPSG:{code}").to_file(file, engine="pyogrio")
    if not prj:
        file.with_suffix(".prj").unlink()
    return file


def load(target: LoadTarget, file: Path, mapping: str | None = None, **options: Any) -> IngestReport:
    return deliver(CATALOG, target, Delivery("trial", file, mapping, LoadOptions(**options)), principal="officer")


def stored(database: Database) -> list[tuple[float, float]]:
    with database.transaction(Role.OWNER) as connection:
        found = connection.execute(sa.text("SELECT ST_X(geom) AS x, ST_Y(geom) AS y FROM geo.trial ORDER BY key"))
        return [(row.x, row.y) for row in found]


def lineage(database: Database, view: View = View.FULL) -> Any:
    """The lineage of the latest load as the service tells it."""
    with database.transaction(Role.WRITER) as connection:
        row = connection.execute(sa.select(load_report).order_by(load_report.c.id.desc()).limit(1)).mappings().one()
    record = LoadRecord(
        number=row["id"], **{name: value for name, value in row.items() if name not in ("id", "clearance")}
    )
    return describe(record, CATALOG.layer("trial"), view, {}).source.reference


@pytest.mark.parametrize(
    ("said", "how"), [({"datum": "cgcs2000"}, "zone-number"), ({"crs": "EPSG:4527"}, "assumed")]
)  # fmt: skip
def test_a_file_without_prj_comes_in_by_what_a_person_says(
    database: Database, target: LoadTarget, tmp_path: Path, said: dict[str, str], how: str
) -> None:
    file = shapefile(tmp_path)
    with pytest.raises(CrsRefused, match=r"states no coordinate reference system.*--crs.*--datum cgcs2000"):
        load(target, file)
    assert load(target, file, **said).inserted == 2
    assert stored(database) == [pytest.approx(place, abs=1e-8) for place in PLACES]
    told = lineage(database)
    assert (told.how, told.by, told.datum) == (how, "person", "cgcs2000")
    assert [(z.number, z.width, z.meridian, z.crs, z.rows) for z in told.zones] == [(39, 3, 117, "EPSG:4527", 2)]
    assert lineage(database, View.OUTCOME).zones == (), "numbers of rows are not for those who may see no counts"
    assert lineage(database, View.OUTCOME).by == "person"


def test_the_lineage_tells_a_prj_from_a_mapping_and_a_person(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    load(target, shapefile(tmp_path, 4548, prj=True))
    told = lineage(database)
    assert (told.crs, told.how, told.by, told.datum) == ("EPSG:4548", "stated", "source", "cgcs2000")
    assert [(z.number, z.crs, z.rows) for z in told.zones] == [(39, "EPSG:4548", 2)]
    load(target, shapefile(tmp_path, 4527), "sure")
    assert (lineage(database).how, lineage(database).by) == ("override", "mapping")


def test_what_a_person_says_counts_for_more_than_the_mapping_assumes(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    file = shapefile(tmp_path)
    with pytest.raises(CrsRefused, match="Xian 1980"):
        load(target, file, "old")
    assert load(target, file, "old", datum="cgcs2000").inserted == 2
    assert lineage(database).by == "person"


def test_a_person_does_not_contradict_the_source(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    file = shapefile(tmp_path, prj=True)
    for said in ({"datum": "xian1980"}, {"crs": "EPSG:4528"}, {"crs": "EPSG:4490"}):
        with pytest.raises(CrsRefused, match=r"states EPSG:4527, but .* was named for it"):
            load(target, file, **said)
    with pytest.raises(SourceMismatch, match="override_crs"):
        load(target, file, "sure", datum="cgcs2000")
    for agreed in ({"datum": "cgcs2000"}, {"crs": "EPSG:4527"}):
        load(target, file, **agreed)
        assert lineage(database).by == "source"
    assert count(database, "geo.trial") == 2


def test_rows_in_quarantine_keep_what_was_said(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    assert load(target, shapefile(tmp_path, amount="many"), datum="cgcs2000").quarantined == 1
    with database.transaction(Role.WRITER) as connection:
        (bad,) = rows(connection, Wanted())
        mend(connection, bad.id, {"amount": "2"})
    (report,) = replay(CATALOG, target, Wanted(), principal="officer").reports
    assert (report.inserted, lineage(database).by) == (1, "person")
    assert stored(database)[1] == pytest.approx(PLACES[1], abs=1e-8)


@pytest.mark.parametrize(
    "options",
    [{"crs": "4527"}, {"crs": "EPSG:4527; DROP"}, {"crs": "file:///etc/x"}, {"datum": "wgs84"}, {"datum": 4490},
     {"crs": "EPSG:4527", "datum": "cgcs2000"}],
)  # fmt: skip
def test_what_is_said_is_checked_before_anything_is_read(options: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        options_of(options)
    assert options_of({"datum": "cgcs2000"}).says_crs
    assert not options_of({"owner": "county"}).says_crs


def test_the_command_line_says_it_and_shows_how_it_was_decided(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    file = dltb(tmp_path)
    assert run(["ingest", "load", "landuse_patch", str(file)]) != 0
    assert "--datum cgcs2000" in capsys.readouterr().err
    assert run(["ingest", "--datum", "cgcs2000", "load", "landuse_patch", str(file)]) == 0
    said = capsys.readouterr().out
    assert "datum named by whoever loaded it (CGCS2000), confidence 0.95" in said
    assert "zone 39 (EPSG:4527 · 3° wide · central meridian 117°E), rows: 1" in said
    assert run(["ingest", "report", "2", "--lang", "zh"]) == 0
    assert "39 带（EPSG:4527 · 3° 带 · 中央经线 117°E）：1 行" in capsys.readouterr().out
    assert run(["ingest", "report", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"]["reference"]["by"] == "person"
    for wrong in (["--datum", "mars"], ["--crs", "x"], ["--crs", "EPSG:4527", "--datum", "cgcs2000"]):
        assert run(["ingest", *wrong, "load", "landuse_patch", str(file)]) == 2


def dltb(folder: Path) -> Path:
    """A patch as the yearly change survey delivers it: zone-prefixed, GBK, and no .prj."""
    east = pyproj.Transformer.from_crs(4490, 4527, always_xy=True)
    x, y = east.transform(*PLACES[0])
    fields = {
        "TBBH": "1101010000000000000" + "00000001",
        "DLBM": "0101",
        "QSXZ": "30",
        "PDJB": 1,
        "TBMJ": 10_000.0,
        "DCRQ": "20251231",
    }
    frame = gpd.GeoDataFrame([fields], geometry=[shapely.box(x, y, x + 100, y + 100)], crs="EPSG:4527")
    file = folder / "DLTB_110101.shp"
    frame.to_file(file, engine="pyogrio", encoding="GB18030")
    file.with_suffix(".prj").unlink()
    return file
