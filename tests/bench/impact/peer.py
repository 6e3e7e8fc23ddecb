"""The overlay in an engine of its own environment: `python peer.py duckdb|sedonadb FOLDER` tells seconds and area.

The folder holds GeoParquet files of parcels, counties and zones; reading them is part of what is measured, starting the
interpreter is not. It runs by its path, so that it needs nothing of this repository.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

_CUT = (
    "SELECT z.number, c.adcode, ST_Intersection(z.geometry, c.geometry) AS geometry "
    "FROM zone AS z JOIN county AS c ON ST_Intersects(z.geometry, c.geometry)"
)
_MEASURE = {
    "duckdb": "ST_Area(ST_Transform({}, 'EPSG:4326', 'EPSG:6933', true))",
    "sedonadb": "ST_Area(ST_Transform(ST_SetSRID({}, 4326), 'EPSG:6933'))",
}
_SUMS = (
    "SELECT q.number, q.adcode, p.class_code, sum(CASE WHEN ST_CoveredBy(p.geometry, q.geometry) THEN {whole} "
    "ELSE {cut} END) AS m2 FROM piece AS q JOIN parcel AS p ON ST_Intersects(p.geometry, q.geometry) GROUP BY 1, 2, 3"
)
_FILES = {"parcel": "parcels", "county": "sample_division", "zone": "zones"}


def main() -> None:
    """Measure."""
    engine, folder = sys.argv[1], Path(sys.argv[2])
    library = importlib.import_module(engine)
    work = {"duckdb": _duckdb, "sedonadb": _sedonadb}[engine]
    begun = time.perf_counter()
    total = work(library, folder)
    print(json.dumps({"seconds": time.perf_counter() - begun, "m2": total}))


def _duckdb(library: Any, folder: Path) -> float:
    extension = next(Path(sys.prefix).rglob("spatial.duckdb_extension"))
    connection = library.connect()
    connection.load_extension(str(extension))
    for name, file in _FILES.items():
        connection.read_parquet(str(folder / f"{file}.parquet")).create_view(name)
    connection.sql(_CUT).create("piece")
    return float(sum(row[3] for row in connection.sql(_sums("duckdb")).fetchall()))


def _sedonadb(library: Any, folder: Path) -> float:
    session = library.connect()
    for name, file in _FILES.items():
        session.read_parquet(str(folder / f"{file}.parquet")).to_view(name)
    session.sql(_CUT).to_memtable().to_view("piece")
    found = importlib.import_module("pyarrow").table(session.sql(_sums("sedonadb")))
    return float(sum(found.column("m2").to_pylist()))


def _sums(engine: str) -> str:
    measure = _MEASURE[engine]
    cut = measure.format("ST_Intersection(p.geometry, q.geometry)")
    return _SUMS.format(whole=measure.format("p.geometry"), cut=cut)


if __name__ == "__main__":
    main()
