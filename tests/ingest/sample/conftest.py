"""The sample region, written once for all tests of it, and how its files are read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyogrio
import pytest
import rasterio
import shapely

from ingest.sample.manifest import SampleManifest
from ingest.sample.write import write_sample

PARCELS = 900


@dataclass(frozen=True)
class Written:
    """A written sample: its folder, what it claims to be true, and readers that know nothing of how it was made."""

    folder: Path
    manifest: SampleManifest

    def table(self, layer: str) -> pa.Table:
        """All columns of a vector layer; the geometry as WKB in `geom`."""
        return pyogrio.read_arrow(self.folder / f"sample_{layer}.gpkg")[1]

    def shapes(self, layer: str) -> npt.NDArray[np.object_]:
        """The geometries of a vector layer."""
        return np.asarray(shapely.from_wkb(self.table(layer)["geom"].to_pylist()))

    def column(self, layer: str, name: str) -> list[object]:
        """The values of one attribute."""
        return list(self.table(layer)[name].to_pylist())

    def raster(self, layer: str) -> rasterio.DatasetReader:
        """An open raster; the caller closes it."""
        return rasterio.open(self.folder / f"sample_{layer}.tif")

    def sampled(self, layer: str, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """First band of a raster at points (n, 2), by the file's own transform."""
        with self.raster(layer) as file:
            return np.array([v[0] for v in file.sample(points)], dtype=np.float64)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The default county with few patches."""
    folder = tmp_path_factory.mktemp("sample")
    return Written(folder, write_sample(folder, PARCELS))
