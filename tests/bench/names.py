"""Searching a million names: the service as `geoservice serve` runs it, asked over HTTP, delays by kind of question.

Names are made from the characters of real ones, with cities of the open data between them. Run as
`python -m tests.bench.names --data <folder of the open data>`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.gazetteer.index import behind, renew
from geoservice.gazetteer.spelling import fold, sound, syllables
from geoservice.settings import Settings
from ingest.job import plan
from ingest.load import LoadTarget, load
from layers.catalog import Catalog, read_catalog
from tests.bench import servers

LAYER = "populated_place"
CHINA = (75.0, 20.0, 130.0, 50.0)
ENDINGS = ("村", "庄", "屯", "镇", "街道", "社区", "路", "桥", "山", "湾", "坪", "沟")


@dataclass(frozen=True)
class Place:
    """Where names are searched."""

    home: Path
    settings: Settings
    database: Database


def main() -> None:
    """Prepare what is not there yet, ask, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, default=Path("/var/cache/geoservice-bench-names"))
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--names", type=int, default=1_000_000)
    asked.add_argument("--requests", type=int, default=200)
    given = asked.parse_args()
    delays_of(given.home, given.data, given.names, given.requests)


def delays_of(home: Path, data: Path, number: int, requests: int) -> dict[str, list[float]]:
    """Seconds of each request by kind of question, told as they come."""
    place, catalog = prepared(home)
    found = {}
    try:
        _fill(place, catalog, data, number)
        with servers.geoservice(place) as port:
            for kind, paths in questions(place.home / "names.csv", requests).items():
                found[kind] = _delays(port, paths)
                print(f"{kind:<28}{report(found[kind])}", flush=True)
    finally:
        EmbeddedCluster(place.settings).stop()
    return found


def report(delays: Sequence[float]) -> str:
    """Median, 95th, 99th percentile and the largest, in milliseconds."""
    told = np.percentile(np.array(delays) * 1e3, [50, 95, 99, 100])
    return "  ".join(f"{name} {value:7.1f} ms" for name, value in zip(("p50", "p95", "p99", "max"), told, strict=True))


def questions(file: Path, number: int) -> dict[str, list[str]]:
    """Addresses by kind of question, made from names that are there."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    chance = np.random.default_rng(11)
    picked = [rows[int(n)] for n in chance.integers(0, len(rows), number)]
    han = [r["name_zh"] for r in picked if r["name_zh"]]
    latin = [r["name_en"] for r in picked if r["name_en"]]
    heard = [sound(fold(name)) for name in han]
    kinds: dict[str, list[dict[str, object]]] = {
        "whole Chinese name": [{"q": n} for n in han],
        "first Chinese character": [{"q": n[0]} for n in han],
        "first two characters": [{"q": n[:2]} for n in han],
        "end of a Chinese name": [{"q": n[1:]} for n in han],
        "pinyin": [{"q": n} for n in heard],
        "pinyin as one types": [{"q": n[: 1 + k % 7]} for k, n in enumerate(heard)],
        "initials": [{"q": "".join(s[0] for s in syllables(n))[:4]} for n in han],
        "English": [{"q": n} for n in latin],
        "English as one types": [{"q": n[: 1 + k % 6]} for k, n in enumerate(latin)],
        "misspelt pinyin": [{"q": n[:3] + n[4:]} for n in heard],
        "near a point": [
            {"q": n[: 1 + k % 3], "near": f"{r['lon']},{r['lat']}"}
            for k, (n, r) in enumerate(zip(han, [p for p in picked if p["name_zh"]], strict=True))
        ],
        "of one class": [{"q": n[:2], "class": "place"} for n in han],
    }
    return {kind: [f"/gazetteer/names?{urlencode(q)}" for q in some] for kind, some in kinds.items()}


def prepared(home: Path) -> tuple[Place, Catalog]:
    """A database of its own below a folder, with the tables of the catalogue."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "state", workers=2)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database, catalog = open_database(settings), read_catalog(None)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    return Place(home, settings, database), catalog


def _fill(place: Place, catalog: Catalog, data: Path, number: int) -> None:
    file = place.home / "sample_populated_place.gpkg"
    if not file.is_file():
        _write(file, data, number)
    target = LoadTarget(
        place.database.sync_engine(Role.WRITER), place.database.dsn(Role.WRITER), place.settings.home / "rasters"
    )
    load(plan(catalog.layer(LAYER), file, dict(catalog.codelists), "sample"), target)
    began = time.monotonic()
    for layer in behind(place.database, catalog):
        print(renew(place.database, layer), f"{time.monotonic() - began:.0f} s", flush=True)


def _write(file: Path, data: Path, number: int) -> None:
    chance = np.random.default_rng(5)
    cities = _cities(data)
    han = _chinese(data, number - len(cities), chance)
    west, south, east, north = CHINA
    spots = np.column_stack([chance.uniform(west, east, len(han)), chance.uniform(south, north, len(han))])
    lonlat = np.concatenate([spots, np.array([c[1:] for c in cities], dtype=np.float64)])
    columns = {
        "place_id": [f"n{n}" for n in range(len(lonlat))],
        "name_zh": [*han, *[None] * len(cities)],
        "name_en": [*[None] * len(han), *[c[0] for c in cities]],
        "rank": np.clip(10 - chance.exponential(1.2, len(lonlat)), 0, 10).astype(np.int32),
    }
    table = pa.table({**columns, "geom": pa.array(shapely.to_wkb(shapely.points(np.round(lonlat, 6))))})
    pyogrio.write_arrow(table, file, driver="GPKG", geometry_name="geom", geometry_type="Point", crs="EPSG:4490")
    some = chance.integers(0, len(lonlat), 5_000)
    with file.with_name("names.csv").open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("name_zh", "name_en", "lon", "lat"))
        writer.writerows((columns["name_zh"][n], columns["name_en"][n], *lonlat[n].tolist()) for n in some.tolist())


def _cities(data: Path) -> list[tuple[str, float, float]]:
    with zipfile.ZipFile(data / "places" / "rg_cities1000.csv.zip") as packed, packed.open(packed.namelist()[0]) as raw:
        rows = csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8"))
        return [(row["name"], float(row["lon"]), float(row["lat"])) for row in rows]


def _chinese(data: Path, number: int, chance: np.random.Generator) -> list[str]:
    """Names of two to four characters, each as frequent at its place as in real ones, and an ending."""
    with (data / "admin" / "china_streets.csv").open(encoding="utf-8", newline="") as opened:
        real = [row["name"] for row in csv.DictReader(opened)]
    first = np.array([name[0] for name in real])
    later = np.array([char for name in real for char in name[1:-1]])
    parts = [chance.choice(first, number), *(chance.choice(later, number) for _ in range(2))]
    lengths, endings = chance.integers(1, 3, number), chance.choice(ENDINGS, number)
    return ["".join(part[n] for part in parts[: 1 + lengths[n]]) + endings[n] for n in range(number)]


def _delays(port: int, paths: Sequence[str]) -> list[float]:
    """Seconds of each request on one kept connection, after a round that warms it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    for turn in range(2):
        for path in paths[: 20 if turn == 0 else None]:
            began = time.perf_counter()
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise RuntimeError(f"{path}: {response.status} {json.loads(body).get('detail')}")
            if turn:
                found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main()
