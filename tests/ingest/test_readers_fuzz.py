"""Damaged files of every vector and table format: cut, changed, emptied, misnamed. Each is read or refused in words.

The files are read without the confined child around them, so that a death of the library would be seen here: in
production it ends the child and is reported as a damaged file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely

from ingest.family import members
from ingest.job import ReadLimits
from tests.ingest.here import Reader
from tests.ingest.reading import plan_for, vector

CUTS, MUTANTS = 25, 25
FRAME = gpd.GeoDataFrame(
    {"name": [f"名{i}" for i in range(40)], "n": np.arange(40, dtype=np.int32)},
    geometry=[shapely.Point(100 + i / 10, 30) for i in range(40)],
    crs="EPSG:4326",
)
LAYER = vector("point", {"name": "text", "n": "integer"}, geometry_required=False)


def driver(name: str, **options: str) -> Callable[[Path], None]:
    return lambda file: pyogrio.write_dataframe(FRAME, file, driver=name, **options)


def gpx(file: Path) -> None:
    pyogrio.write_dataframe(FRAME[["name", "geometry"]], file, driver="GPX")


def workbook(file: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    rows: list[list[Any]] = [["name", "n", "lon", "lat"], *[[f"名{i}", i, 100 + i / 10, 30] for i in range(40)]]
    for row in rows:
        book.active.append(row)
    book.save(file)


def text(file: Path) -> None:
    file.write_bytes(
        "".join(["name,n,lon,lat\n", *[f"名{i},{i},{100 + i / 10},30\n" for i in range(40)]]).encode("gbk")
    )


def drawing(file: Path) -> None:
    pyogrio.write_dataframe(FRAME[["geometry"]], file, driver="DXF")


MAKERS: dict[str, Callable[[Path], None]] = {
    "a.gpkg": driver("GPKG"),
    "a.shp": driver("ESRI Shapefile", ENCODING="GB18030"),
    "a.gdb": driver("OpenFileGDB"),
    "a.geojson": driver("GeoJSON"),
    "a.ndjson": driver("GeoJSONSeq"),
    "a.gml": driver("GML"),
    "a.kml": driver("LIBKML"),
    "a.gpx": gpx,
    "a.dxf": drawing,
    "a.tab": driver("MapInfo File", ENCODING="CP936"),
    "a.mif": driver("MapInfo File", FORMAT="MIF", ENCODING="CP936"),
    "a.fgb": driver("FlatGeobuf"),
    "a.parquet": FRAME.to_parquet,
    "a.xlsx": workbook,
    "a.csv": text,
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    started = Reader(tmp_path_factory.mktemp("reader"))
    yield started
    started.close()


def outcome(reader: Reader, file: Path, **more: Any) -> dict[str, Any]:
    """What comes of a source: a summary that adds up, or an error with a sentence."""
    table = file.suffix in (".csv", ".xlsx")
    place: dict[str, Any] = {"point": {"x": "lon", "y": "lat"}} if table else {}
    plan = plan_for(file, LAYER, ReadLimits(seconds=30, unpacked=64 << 20), crs="EPSG:4326", **place, **more)
    files = (file,) if file.is_dir() else (file, *[p for p in members(file) if p != file])
    found = reader.read(plan, files)
    assert "escaped" not in found, found["escaped"]
    if "summary" in found:
        said = found["summary"]
        assert said["read"] == said["good"] + said["bad"] + said["not_selected"]
    else:
        assert found["error"] in {"SourceUnreadable", "SourceMismatch", "CrsRefused"}
        assert found["detail"].endswith(".")
        assert "Traceback" not in found["detail"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MAKERS))
def test_damaged_in_any_part(tmp_path: Path, reader: Reader, name: str) -> None:
    file = tmp_path / name
    MAKERS[name](file)
    whole = outcome(reader, file)["summary"]
    assert (whole["read"], whole["bad"]) == (40, 0)
    chance = random.Random(name)  # noqa: S311 - reproducible damage, no secret
    parts = {part: part.read_bytes() for part in members(file)}
    rows = set()
    for number in range(CUTS + MUTANTS):
        part = chance.choice([p for p, data in parts.items() if data])
        data = bytearray(parts[part])
        if number < CUTS:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(max(1, int(len(data) * chance.choice([0.001, 0.005, 0.02])))):
                data[chance.randrange(len(data))] = chance.randrange(256)
        part.write_bytes(data)
        rows.add(outcome(reader, file).get("summary", {}).get("read", -1))
        part.write_bytes(parts[part])
    assert rows != {40}, "the damage was felt"


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "a.gdb"])
def test_empty_and_misnamed(tmp_path: Path, reader: Reader, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert outcome(reader, tmp_path / name)["error"] == "SourceUnreadable"
    wrong = tmp_path / ("b.gpkg" if name != "a.gpkg" else "b.shp")
    MAKERS[name](tmp_path / name)
    wrong.write_bytes((tmp_path / name).read_bytes())
    refused = outcome(reader, wrong)
    assert "by its extension, but it is" in refused["detail"]
