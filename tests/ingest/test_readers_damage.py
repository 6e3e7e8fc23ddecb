"""Damaged files of every family: each is read or refused with a typed error, and the parent lives on."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import osmium
import pytest
import shapely
from osmium.osm import mutable

from ingest.job import ReadLimits
from layers.errors import GeoError
from tests.ingest.reading import read, vector

MUTANTS = 3
_FRAME = gpd.GeoDataFrame(
    {"name": [f"n{i}" for i in range(200)]},
    geometry=[shapely.box(i / 10, 0, i / 10 + 0.1, 1) for i in range(200)],
    crs="EPSG:4326",
)
_CAP = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>A</identifier><sender>s</sender>'
    "<sent>2026-07-01T08:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
    "<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>"
    "<certainty>Likely</certainty><area><areaDesc>a</areaDesc><polygon>0,0 0,1 1,1 0,0</polygon></area></info></alert>"
)


def _gdal(driver: str) -> Callable[[Path], None]:
    return lambda file: _FRAME.to_file(file, driver=driver)


def _topology(file: Path) -> None:
    shapes = ",".join(f'{{"type":"Polygon","arcs":[[{i}]],"properties":{{"name":"n"}}}}' for i in range(50))
    arcs = ",".join("[[0,0],[1,0],[0,1],[-1,-1]]" for _ in range(50))
    objects = f'{{"a":{{"type":"GeometryCollection","geometries":[{shapes}]}}}}'
    file.write_text(f'{{"type":"Topology","objects":{objects},"arcs":[{arcs}]}}')


def _osm(file: Path) -> None:
    writer = osmium.SimpleWriter(str(file))
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    for number in range(400):
        writer.add_node(mutable.Node(id=number + 1, location=corners[number % 4]))
    for number in range(100):
        nodes = [4 * number + k for k in (1, 2, 3, 4, 1)]
        writer.add_way(mutable.Way(id=number + 1, nodes=nodes, tags={"name": "x"}))
    writer.close()


MAKERS: dict[str, Callable[[Path], Any]] = {
    "a.gpkg": _gdal("GPKG"),
    "a.geojson": _gdal("GeoJSON"),
    "a.gml": _gdal("GML"),
    "a.kml": _gdal("LIBKML"),
    "a.topojson": _topology,
    "a.osm.pbf": _osm,
    "a.cap": lambda file: file.write_text(_CAP),
    "a.csv": lambda file: file.write_text("name,g\n" + 'x,"POLYGON((0 0,1 0,1 1,0 0))"\n' * 100),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MAKERS))
def test_mutants_are_read_or_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    MAKERS[name](file)
    layer = vector("polygon", {"name": "text"}, geometry_required=False)
    mapping: dict[str, Any] = {"crs": "EPSG:4326", **({"wkt": "g"} if name.endswith("csv") else {})}
    limits = ReadLimits(seconds=60)
    whole = read(file, layer, limits, **mapping)
    assert whole.summary.good == whole.summary.read > 0
    data, chance = file.read_bytes(), random.Random(name)  # noqa: S311 - reproducible damage, no secret
    for _ in range(MUTANTS):
        mutant = bytearray(data)
        for _ in range(chance.randint(1, 5)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        file.write_bytes(mutant)
        with contextlib.suppress(GeoError):
            found = read(file, layer, limits, **mapping).summary
            assert found.read == found.good + found.bad + found.not_selected
