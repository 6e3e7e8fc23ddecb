"""The sample county in its smallest form, written once for all processes of a run (in ten seconds), and loaded."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from geoservice.db.engine import Database
from geoservice.settings import Settings
from ingest.job import plan
from ingest.load import load
from ingest.raster import load_raster
from ingest.sample.manifest import SampleManifest
from ingest.sample.write import write_sample
from layers.catalog import Catalog, read_catalog
from layers.model import RasterLayer
from tests.support.loading import prepared
from tests.support.service import Service, running

PARCELS = 500
_TRUTH = "truth.json"


@dataclass(frozen=True)
class WrittenCounty:
    """The files of the county, for reading alone, and what its makers know of it."""

    folder: Path
    truth: SampleManifest

    def lay_out(self, settings: Settings) -> None:
        """Put a copy where the service looks for the sample before it writes one."""
        home = settings.home / "sample" / str(PARCELS)
        if not home.exists():
            shutil.copytree(self.folder, home)
            (home / "complete").touch()


def written_county(shared: Path) -> WrittenCounty:
    """The county in a folder that the processes of a run share; whoever comes first writes it, the others wait."""
    folder, truth = shared / "county", shared / _TRUTH
    with (shared / "county.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not truth.exists():
            shutil.rmtree(folder, ignore_errors=True)
            truth.write_text(write_sample(folder, PARCELS).model_dump_json(), encoding="utf-8")
    return WrittenCounty(folder, SampleManifest.model_validate_json(truth.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class LoadedCounty:
    """The loaded county: its files, its truth, and the service over some of its layers."""

    folder: Path
    truth: SampleManifest
    service: Service

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        """The rows of a layer as another library reads them from its file."""
        return gpd.read_file(self.folder / f"sample_{layer}.gpkg", engine="pyogrio")

    def townships(self) -> gpd.GeoDataFrame:
        """The townships, by code."""
        frame = self.frame("division")
        return frame[frame.level == "township"].sort_values("adcode").reset_index(drop=True)


def county_catalog(names: Sequence[str]) -> Catalog:
    """Some layers of the product, and no others."""
    everything = read_catalog()
    return Catalog({name: everything.layer(name) for name in names}, everything.codelists)


@contextmanager
def serving_county(database: Database, written: WrittenCounty, catalog: Catalog) -> Iterator[Service]:
    """The county loaded into a database, as far as a catalogue has its layers, and served."""
    target = prepared(database, catalog)
    for layer in catalog:
        file = next(written.folder.glob(f"sample_{layer.name}.*"))
        chosen = plan(layer, file, dict(catalog.codelists), "sample")
        (load_raster if isinstance(chosen.layer, RasterLayer) else load)(chosen, target)
    with running(database, catalog) as service:
        yield service
