"""Where the features of a file lie, by other tools: GDAL with GeoPandas for vector files, pandas for tables."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from layers.model import SourceMapping

Bounds = tuple[float, float, float, float]


def bounds(file: Path, mapping: SourceMapping) -> Bounds:
    """West, south, east, north in degrees of everything in a file of one layer, in the CRS that the mapping knows."""
    frame = _points(file, mapping) if mapping.point else _features(file, mapping)
    west, south, east, north = (float(edge) for edge in frame.to_crs("EPSG:4326").total_bounds)
    # What reaches beyond 180 degrees lies on both sides of it.
    return (-180.0, south, 180.0, north) if west < -180 or east > 180 else (west, south, east, north)


def _features(file: Path, mapping: SourceMapping) -> gpd.GeoDataFrame:
    with warnings.catch_warnings():
        # GDAL says that measures are not read.
        warnings.simplefilter("ignore", UserWarning)
        frame = pyogrio.read_dataframe(file)
    given = mapping.override_crs or (mapping.crs if frame.crs is None else None)
    return frame if given is None else frame.set_crs(given, allow_override=True)


def _points(file: Path, mapping: SourceMapping) -> gpd.GeoDataFrame:
    assert mapping.point is not None
    table = pd.read_csv(file, sep=mapping.delimiter, low_memory=False)
    places = gpd.points_from_xy(table[mapping.point.x], table[mapping.point.y])
    return gpd.GeoDataFrame(geometry=places, crs=mapping.crs)
