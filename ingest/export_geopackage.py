"""Rows with geometries as a GeoPackage of one table, for a map."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import shapely

TABLE = "quarantine"
_SHAPE, _NUMBER = "geom", "fid"
_NO_CRS = 'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1]]'
"""What GDAL writes as the undefined system of the GeoPackage standard; a guess would put the rows somewhere."""


@dataclass(frozen=True)
class Table:
    """What is written.

    Attributes:
        columns: Name and texts, one for each row; names may come twice.
        geometries: One for each row, or None.
        crs: `EPSG:n` or WKT; None when the source states none.
    """

    columns: Sequence[tuple[str, Sequence[str | None]]]
    geometries: Sequence[shapely.Geometry | None]
    crs: str | None


def write_geopackage(table: Table, handle: BinaryIO) -> None:
    """Write a GeoPackage; all columns are texts, so that codes keep their zeros."""
    arrays = [pa.array(values, pa.string()) for _, values in table.columns]
    shapes = shapely.to_wkb(np.array(table.geometries, dtype=object), output_dimension=4, flavor="iso")
    names = distinct([name for name, _ in table.columns])
    rows = pa.table([*arrays, pa.array(shapes, pa.binary())], names=[*names, _SHAPE])
    with tempfile.TemporaryDirectory(prefix="geoservice-export-") as folder:
        file = Path(folder, f"{TABLE}.gpkg")
        importlib.import_module("pyogrio").write_arrow(
            rows,
            file,
            layer=TABLE,
            driver="GPKG",
            geometry_name=_SHAPE,
            geometry_type="Unknown",
            crs=table.crs or _NO_CRS,
            layer_options={"FID": _NUMBER},
        )
        with file.open("rb") as made:
            shutil.copyfileobj(made, handle)


def distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart where they differ in case only: a table of SQLite takes them for one."""
    taken = {_SHAPE, _NUMBER}
    found = []
    for name in names:
        free, number = name, 1
        while free.casefold() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.casefold())
        found.append(free)
    return found
