"""Layers with a past for tests of times and comparisons: units and airports in two editions, known beforehand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from geoservice.cli.ingest import load_source
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.catalog import Catalog, read_catalog
from layers.system import edition
from tests.browser.conftest import Portal, Site

LAYER = "geological_unit"
WEST, SOUTH, SIDE, ACROSS, UP = 104.98, 38.57, 0.01, 12, 10
"""The south-western corner (degrees) of a sheet of square units, their side, and how many there are each way."""
AGES = ("Cambrian", "Permian", "Neogene", "Jurassic")
GONE, CHANGED = {"unit-5-4", "unit-6-4"}, {"unit-6-5", "unit-7-5", "unit-7-6"}
NEW = "unit-new"
AIRPORT = "airport"
FIELDS: tuple[dict[str, tuple[str, str, float, float]], ...] = (
    {"a1": ("旧机场", "Old Field", 105.03, 38.62), "a2": ("北坪机场", "North Strip", 105.06, 38.63)},
    {
        "a1": ("大机场", "Grand Airport", 105.03, 38.62),
        "a3": ("南岗机场", "South Port", 105.05, 38.61),
        "a4": ("中坝机场", "Middle Dam Airport", 105.04, 38.615),
    },
)
"""Airports by edition: names, longitude, latitude. They count in an analysis of a zone, and have names."""


def sheet() -> gpd.GeoDataFrame:
    """The first edition."""
    rows = [
        {
            "unit_id": f"unit-{x}-{y}",
            "name_zh": f"单元 {x}-{y}",
            "name_en": f"Unit {x}-{y}",
            "age": AGES[(x + 2 * y) % len(AGES)],
            "geometry": shapely.box(WEST + x * SIDE, SOUTH + y * SIDE, WEST + (x + 1) * SIDE, SOUTH + (y + 1) * SIDE),
        }
        for x in range(ACROSS)
        for y in range(UP)
    ]
    return gpd.GeoDataFrame(rows, crs="EPSG:4490")


def later(rows: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The second edition: units are gone or of another age, and a new one stands where one is gone."""
    found = rows[~rows.unit_id.isin(GONE)].copy()
    found.loc[found.unit_id.isin(CHANGED), "age"] = "Triassic"
    hole = rows.set_index("unit_id").geometry["unit-6-4"].buffer(-SIDE / 4)
    new = {"unit_id": NEW, "name_zh": "新单元", "name_en": "New unit", "age": AGES[0], "geometry": hole}
    return pd.concat([found, gpd.GeoDataFrame([new], crs=rows.crs)], ignore_index=True)


def fields(which: int) -> gpd.GeoDataFrame:
    """The airports of an edition."""
    rows = [
        {"airport_id": key, "name_zh": zh, "name_en": en, "geometry": shapely.Point(x, y)}
        for key, (zh, en, x, y) in FIELDS[which].items()
    ]
    return gpd.GeoDataFrame(rows, crs="EPSG:4490")


@dataclass(frozen=True)
class Past:
    """Two editions: their numbers and instants, and their rows."""

    numbers: tuple[int, int]
    instants: tuple[str, str]
    rows: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]

    @property
    def place(self) -> str:
        """The part of the address that shows the sheet, close enough for questions about time."""
        return f"#map=13.50/38.62500/105.04500&layers=country,division,{LAYER}"

    def around(self, which: int, box: tuple[float, float, float, float]) -> set[str]:
        """Ids of the units of an edition that meet a box."""
        rows = self.rows[which]
        return set(rows[rows.intersects(shapely.box(*box))].unit_id)


def catalog() -> Catalog:
    """The product's layers, with sources of units and airports that are complete: what they lack is gone."""
    found = read_catalog()
    changed = []
    for layer in (found.layer(LAYER), found.layer(AIRPORT)):
        source = layer.sources["sample"].model_copy(update={"complete": True})
        changed.append(layer.model_copy(update={"sources": {"sample": source}}))
    return found.with_(changed)


_LOADED: dict[str, Past] = {}
"""By the address of the service: modules of one run share it, and a third edition would be another past."""


@pytest.fixture(scope="module")
def past(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Past:
    """The units, loaded twice."""
    if site.url not in _LOADED:
        _LOADED[site.url] = _loaded(site, tmp_path_factory.mktemp("past"))
    return _LOADED[site.url]


def _loaded(site: Site, folder: Path) -> Past:
    editions = (sheet(), later(sheet()))
    database, known = Database.from_settings(site.settings), catalog()
    for number, units in enumerate(editions):
        # The instants are those of the units: whoever asks about one finds the airports of the same edition.
        for layer, rows in ((AIRPORT, fields(number)), (LAYER, units)):
            file = folder / f"sample_{layer}.{number}.gpkg"
            rows.to_file(file, driver="GPKG", engine="pyogrio")
            load_source(known, database, layer, file, "sample", quiet=True)
    with database.transaction(Role.OWNER) as connection:
        query = sa.select(edition.c.id, edition.c.committed).where(edition.c.layer == LAYER).order_by(edition.c.id)
        early, late = connection.execute(query).all()[-2:]
    return Past((early.id, late.id), (_written(early.committed), _written(late.committed)), editions)


def _written(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def drawn_ids(portal: Portal, gl: str = "geoserviceMap.gl.getMaplibreMap()") -> set[str]:
    """Ids of the units that a map draws on the screen."""
    script = f"""() => {{
        const gl = {gl};
        return gl.queryRenderedFeatures({{layers: ["{LAYER}-fill"]}}).map((one) => one.properties.key);
    }}"""
    return set(portal.page.evaluate(script))


def seen_box(portal: Portal, grown: float) -> tuple[float, float, float, float]:
    """The box of the map on the screen in degrees, its sides moved outwards by a share of its size."""
    west, south, east, north = portal.page.evaluate(
        """() => {
            const box = geoserviceMap.gl.getMaplibreMap().getBounds();
            return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
        }"""
    )
    x, y = grown * (east - west), grown * (north - south)
    return west - x, south - y, east + x, north + y


def shows(portal: Portal, past: Past, which: int, gl: str = "geoserviceMap.gl.getMaplibreMap()") -> None:
    """Make sure that a map draws the units of one edition and no others."""
    found = drawn_ids(portal, gl)
    assert past.around(which, seen_box(portal, -0.05)) <= found
    assert found <= past.around(which, seen_box(portal, 0.05))
