"""Zones told apart by several readers: what only the whole source can tell is not decided by a part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from ingest.job import IngestReport, LoadOptions, plan
from ingest.load import load
from layers.errors import CrsRefused
from tests.support.loading import prepared, trial_catalog, trial_layer, write_rows

CATALOG = trial_catalog(trial_layer())
EACH = 60


def source(folder: Path, longitudes: list[float]) -> Path:
    """Points, `EACH` per longitude, in the 3-degree zone of each; all declared as zone 39."""
    rows = []
    for longitude in longitudes:
        zone = int((longitude + 1.5) // 3)
        way = pyproj.Transformer.from_crs(4490, 4513 + zone - 25, always_xy=True)
        for latitude in np.linspace(30, 31, EACH):
            point = shapely.Point(*way.transform(longitude, latitude))
            rows.append({"code": f"c{len(rows)}", "name": "x", "geometry": point})
    return write_rows(folder / "a.gpkg", rows, crs="EPSG:4527")


def read(database: Database, file: Path, parts: int) -> IngestReport:
    options = LoadOptions(parts=parts, dry_run=True)
    job = plan(CATALOG.layer("trial"), file, dict(CATALOG.codelists), options=options)
    return load(job, prepared(database, CATALOG))


def test_a_part_without_the_declared_zone_is_no_contradiction(database: Database, tmp_path: Path) -> None:
    file = source(tmp_path, [117.0, 120.0])
    one, two = (read(database, file, parts) for parts in (1, 2))
    assert one.inserted == two.inserted == 2 * EACH
    assert one.summary.facts["zones"] == two.summary.facts["zones"] == {"39": EACH, "40": EACH}
    assert "mixed-zones" in {f.rule for f in two.summary.findings}


@pytest.mark.parametrize("parts", [1, 2])
def test_a_source_without_the_declared_zone_is_one(database: Database, tmp_path: Path, parts: int) -> None:
    with pytest.raises(CrsRefused, match=r"carry the zone number 40.*EPSG:4528"):
        read(database, source(tmp_path, [120.0, 120.1]), parts)


def test_parts_of_one_zone_are_counted_together(database: Database, tmp_path: Path) -> None:
    report = read(database, source(tmp_path, [116.5, 117.5]), 2)
    assert report.summary.facts["zones"] == {"39": 2 * EACH}
