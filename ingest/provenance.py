"""Which tools had a hand in an edition: their versions, for its lineage."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import metadata

import pyproj
import shapely

from ingest.gdal_probe import gdal_version
from layers.sources import SourceMapping


@lru_cache(maxsize=1)
def tool_versions() -> dict[str, str]:
    """Versions of this product and of the libraries that read, projected and repaired the rows."""
    return {
        "geoservice": metadata.version("geoservice"),
        "gdal": gdal_version("pyogrio"),
        "pyogrio": metadata.version("pyogrio"),
        "proj": str(pyproj.proj_version_str),
        "pyproj": str(pyproj.__version__),
        "geos": ".".join(map(str, shapely.geos_version)),
        "shapely": str(shapely.__version__),
    }


def mapping_digest(mapping: SourceMapping) -> str:
    """Digest (16 hexadecimal digits) of a source mapping as it was when it served."""
    text = json.dumps(mapping.model_dump(mode="json", by_alias=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
