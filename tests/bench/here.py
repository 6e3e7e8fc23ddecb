"""What is here, asked of thirty layers at once: the service over HTTP, with as many connections as a busy map has.

Ten layers of areas without gaps, ten of lines, ten of points, over the same country as the tiles of a nation. Run as
`python -m tests.bench.here`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.settings import Settings
from ingest.job import plan
from ingest.load import load
from layers.catalog import Catalog, read_catalog
from layers.system import layer_state
from tests.bench import servers
from tests.bench.client import run_pass
from tests.bench.names import Place, report
from tests.bench.nation.country import HEIGHT, SOUTH, WEST, WIDTH, Shapes, mesh, walks

CONNECTIONS = 4
EACH = 10
KINDS = {"area": "polygon", "way": "line", "spot": "point"}
ZOOM = 14
"""Of the map on which somebody points at a place: what lies within four of its pixels is found."""
DEFINITION = """
format: 1
kind: vector
title: {{zh: 测速图层, en: "{name}"}}
abstract: {{zh: 测速用的合成数据。, en: Made to measure speed by.}}
geometry: {geometry}
key: [code]
authority: {{kind: county-natural-resources, name: {{zh: 测速, en: Bench}}}}
cycle: P1Y
licence: {{share: unconditional, basis: 土地调查条例, terms: 合成数据，仅供测速}}
clearance: public
attributes:
  code: {{type: text, required: true, title: {{zh: 编号, en: Code}}}}
  name: {{type: text, title: {{zh: 名称, en: Name}}}}
  kind: {{type: text, title: {{zh: 类别, en: Kind}}}}
  size: {{type: number, title: {{zh: 大小, en: Size}}}}
style: {{{style}}}
portal: {{group: land, order: 90, visible: false}}
sources:
  bench: {{match: ["{name}*"], attribution: none}}
"""
STYLES = {
    "polygon": 'fill: "#aaaa66"',
    "line": 'line: {colour: "#666666", width: 1}',
    "point": 'circle: {colour: "#aa3333", radius: 3}',
}


def main() -> None:
    """Prepare what is not there yet, ask, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, default=Path("/var/cache/geoservice-bench-here"))
    asked.add_argument("--features", type=int, default=20_000, help="features of each layer")
    asked.add_argument("--requests", type=int, default=1_000)
    given = asked.parse_args()
    delays_of(given.home, given.features, given.requests)


def delays_of(home: Path, features: int, requests: int) -> dict[str, Sequence[float]]:
    """Seconds of each request by kind of question, told as they come."""
    place, catalog = prepared(home)
    found: dict[str, Sequence[float]] = {}
    try:
        _fill(place, catalog, features)
        with servers.geoservice(place) as port:
            for kind, paths in questions(requests).items():
                run_pass(port, paths[:100], CONNECTIONS, gzip=True)
                done = run_pass(port, paths, CONNECTIONS, gzip=True)
                found[kind] = done.waits
                print(f"{kind:<28}{report(done.waits)}  {done.rate:6.0f}/s  {done.size:,} bytes", flush=True)
    finally:
        EmbeddedCluster(place.settings).stop()
    return found


def names() -> list[str]:
    """Names of the layers."""
    return [f"{kind}_{number}" for kind in KINDS for number in range(EACH)]


def questions(number: int) -> dict[str, list[str]]:
    """Addresses by kind of question, about places in the inner part of the country."""
    chance = np.random.default_rng(11)
    shares = chance.uniform(0.05, 0.95, (number, 2))
    places = np.round((WEST, SOUTH) + shares * (WIDTH, HEIGHT), 6).tolist()
    kinds: dict[str, dict[str, Any]] = {
        "thirty layers, a point": {"collections": ",".join(names())},
        "thirty layers, a click": {"collections": ",".join(names()), "zoom": ZOOM},
        "all that may be seen": {"zoom": ZOOM},
    }
    return {
        kind: [f"/query/identify?{urlencode({'lon': lon, 'lat': lat, **more})}" for lon, lat in places]
        for kind, more in kinds.items()
    }


def prepared(home: Path) -> tuple[Place, Catalog]:
    """A database of its own below a folder, with the tables of the thirty layers beside the built-in ones."""
    folder = home / "layers" / "themes" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    for name in names():
        geometry = KINDS[name.partition("_")[0]]
        text = DEFINITION.format(name=name, geometry=geometry, style=STYLES[geometry])
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    settings = Settings(home=home / "state", layers_dir=home / "layers", workers=2)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database, catalog = open_database(settings), read_catalog(settings.layers_dir)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    return Place(home, settings, database), catalog


def _fill(place: Place, catalog: Catalog, number: int) -> None:
    """Load the layers; what is loaded already is not loaded again."""
    began = time.monotonic()
    with place.database.transaction(Role.WRITER) as connection:
        known = connection.execute(sa.select(layer_state.c.layer).where(layer_state.c.edition.is_not(None))).scalars()
        standing = set(known)
    for seed, name in enumerate(names()):
        if name in standing:
            continue
        file = place.home / f"{name}-{number}.gpkg"
        if not file.is_file():
            _write(file, name, _shapes(name.partition("_")[0], np.random.default_rng(seed), number))
        load(
            plan(catalog.layer(name), file, dict(catalog.codelists), "bench"), target_of(place.settings, place.database)
        )
    with place.database.psycopg(Role.ADMIN, autocommit=True) as admin:
        admin.execute("VACUUM (ANALYZE)")
    print(f"loaded in {time.monotonic() - began:.0f} s", flush=True)


def _shapes(kind: str, chance: np.random.Generator, number: int) -> Shapes:
    if kind == "area":
        side = round(number**0.5)
        return mesh(chance, (side, side), 6)
    if kind == "way":
        return walks(chance, number, (10, 60), 0.002, 0.25)
    return np.asarray(shapely.points(chance.uniform((WEST, SOUTH), (WEST + WIDTH, SOUTH + HEIGHT), (number, 2))))


def _write(file: Path, name: str, shapes: Shapes) -> None:
    codes: Sequence[str] = [f"{name}-{one}" for one in range(len(shapes))]
    sizes = [float(one % 100) for one in range(len(shapes))]
    columns = {"code": codes, "name": codes, "kind": [f"kind {one % 7}" for one in range(len(shapes))], "size": sizes}
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4490")
    frame.to_file(file, layer=name, driver="GPKG", engine="pyogrio")


if __name__ == "__main__":
    main()
