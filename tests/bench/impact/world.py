"""The country of `tests.bench.nation` as exposure layers: parcels, roads, counties and more, in a database of its own.

Parcels, roads and counties are those of the nation. The others are made here, deterministic, and only weigh something.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import sqlalchemy as sa
from rasterio.transform import from_origin

from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.settings import Settings
from ingest.job import plan
from ingest.load import load
from ingest.raster import load_raster
from layers.catalog import Catalog, read_catalog
from layers.model import RasterLayer
from layers.system import layer_state
from tests.bench.nation import country

LAYERS_DIR = Path(__file__).parent
SEED = 20260103
POINTS = {
    "populated_place": 50_000,
    "hospital": 20_000,
    "school": 60_000,
    "dam": 2_000,
    "power_plant": 3_000,
    "airport": 300,
}
KEYS = {"populated_place": "place_id", "power_plant": "plant_id", "protected_area": "area_id"}
AREAS = {"building": (150_000, 0.0002), "protected_area": (400, 0.02)}
RAILWAYS = 4_000
LAYERS = ("division", "parcels", "roads", "railway", "population", *POINTS, *AREAS)
CELL = 1 / 120


@dataclass(frozen=True)
class Place:
    """A prepared database."""

    home: Path
    settings: Settings
    database: Database
    catalog: Catalog


def prepare(home: Path) -> Place:
    """Start the cluster and load what is not loaded."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "impact", layers_dir=LAYERS_DIR, workers=2)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database, catalog = open_database(settings), read_catalog(LAYERS_DIR)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    place = Place(home, settings, database, catalog)
    _fill(place)
    return place


def _fill(place: Place) -> None:
    with place.database.transaction(Role.WRITER) as connection:
        known = connection.execute(sa.select(layer_state.c.layer).where(layer_state.c.edition.is_not(None))).scalars()
        standing = set(known)
    missing = [name for name in LAYERS if name not in standing]
    folder = _written(place.home) if missing else place.home
    for name in missing:
        layer = place.catalog.layer(name)
        mapping = "bench" if name in ("parcels", "roads") else "sample"
        file = next(folder.glob(f"{'' if mapping == 'bench' else 'sample_'}{name}.*"))
        job = plan(layer, file, dict(place.catalog.codelists), mapping)
        (load_raster if isinstance(layer, RasterLayer) else load)(job, target_of(place.settings, place.database))
    if missing:
        with place.database.psycopg(Role.ADMIN, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")


def _written(home: Path) -> Path:
    """Folder of the sources; the nation's are taken from the folder beside it, or made."""
    nation, folder = home / "country", home / "exposure-sources"
    if not nation.is_dir():
        nation.mkdir()
        country.write(nation)
    folder.mkdir(exist_ok=True)
    for name in ("parcels", "roads"):
        link = folder / f"{name}.gpkg"
        if not link.exists():
            link.hardlink_to(nation / f"{name}.gpkg")
    _divisions(nation, folder)
    random = np.random.default_rng(SEED)
    for name, number in POINTS.items():
        _save(folder, name, shapely.points(_spots(random, number)), random)
    for name, (number, side) in AREAS.items():
        corner = _spots(random, number)
        _save(folder, name, shapely.box(*corner.T, *(corner + side).T), random)
    _save(folder, "railway", country.walks(random, RAILWAYS, (20, 60), 0.004, 0.1), random)
    _population(folder, random)
    return folder


def _divisions(nation: Path, folder: Path) -> None:
    frame = gpd.read_file(nation / "counties.gpkg", engine="pyogrio").rename(columns={"admin_code": "adcode"})
    frame["level"], frame["name_zh"] = "county", frame["name"]
    frame[["adcode", "level", "name_zh", "geometry"]].to_file(folder / "sample_division.gpkg", engine="pyogrio")


def _spots(random: np.random.Generator, number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    low = (country.WEST, country.SOUTH)
    high = (country.WEST + country.WIDTH - 0.03, country.SOUTH + country.HEIGHT - 0.03)
    return random.uniform(low, high, (number, 2))


def _save(folder: Path, name: str, shapes: Any, random: np.random.Generator) -> None:
    key = KEYS.get(name, f"{name}_id")
    columns: dict[str, Any] = {key: [f"{name}-{n}" for n in range(len(shapes))]}
    more = {
        "populated_place": {"population": random.integers(10, 5000, len(shapes))},
        "hospital": {"beds": random.integers(10, 900, len(shapes))},
        "school": {"pupils": random.integers(20, 2000, len(shapes))},
        "building": {"use": random.choice(["residential", "public", "industrial"], len(shapes))},
    }
    frame = gpd.GeoDataFrame({**columns, **more.get(name, {})}, geometry=list(shapes), crs="EPSG:4490")
    frame.to_file(folder / f"sample_{name}.gpkg", engine="pyogrio")


def _population(folder: Path, random: np.random.Generator) -> None:
    rows, columns = round(country.HEIGHT / CELL), round(country.WIDTH / CELL)
    people = random.gamma(0.6, 80.0, (rows, columns)).astype(np.float32)
    where = from_origin(country.WEST, country.SOUTH + country.HEIGHT, CELL, CELL)
    shape = {"height": rows, "width": columns, "count": 1, "dtype": "float32", "nodata": -1}
    with rasterio.open(
        folder / "sample_population.tif", "w", driver="GTiff", crs="EPSG:4490", transform=where, **shape
    ) as target:
        target.write(people, 1)
