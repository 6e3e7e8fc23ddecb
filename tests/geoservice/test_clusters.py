"""Clusters of points: counted as a reader may see them, after any edits as built anew, drawn where they lie."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from geoservice import ladder
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import protect
from geoservice.settings import Settings
from geoservice.tiles.drawing import TileRequest, draw
from layers.access import Clearance, Principal, decide
from layers.errors import DefinitionError
from layers.ladder import CLUSTER_CELLS, WORLD, cluster_by
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, plain_bytes, running
from tests.support.zones import prepare
from tiles.ladder.tables import cluster_table

GRID = morecantile.tms.get("WebMercatorQuad")
MERCATOR = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
READERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
KINDS = ("shop", "school", "mill", None)
LEVELS = (None, None, "internal", "restricted")
EXTENT, BELOW = 4096, 9
Rows = list[dict[str, Any]]


def points(**more: Any) -> VectorLayer:
    own: dict[str, Any] = {
        "style": {"circle": {"colour": {"by": "kind", "colours": {"shop": "#aa2222", "school": "#22aa22"}}}},
        "attributes": {
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
            "secret": {"type": "text", "clearance": "restricted"},
        },
        "time": None,
        "sources": {"all": {"match": ["*.gpkg"], "complete": True}},
        "tiles": {"from": 3, "to": 12, "cluster": {"below": BELOW}},
    }
    made = trial_layer("site", **{**own, **more})
    assert isinstance(made, VectorLayer)
    return made


def sites(number: int, seed: int) -> Rows:
    """Points in heaps of every density; some above the public, some at the ends of the world, some of two points."""
    random = np.random.default_rng(seed)
    found: Rows = []
    for i in range(number):
        heap = random.integers(4)
        place = np.array([104.0, 36.0]) + heap * 1.7 + random.normal(0, 0.02 * 6**heap / 36, 2)
        shape: shapely.Geometry = shapely.Point(*place)
        if i % 17 == 0:
            shape = shapely.MultiPoint([place, place + 0.01])
        found.append(
            {
                "code": f"c{i}", "kind": KINDS[random.integers(4)], "level": LEVELS[random.integers(4)],
                "secret": f"CANARY{i}", "geometry": shape,
            }
        )  # fmt: skip
    ends = [(180.0, 10.0), (-180.0, -10.0), (0.0, 89.0), (0.0, -90.0), (179.999, 85.0), (0.0, 0.0)]
    return found + [
        {"code": f"end{i}", "kind": "mill", "level": None, "secret": None, "geometry": shapely.Point(*at)}
        for i, at in enumerate(ends)
    ]


def contents(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables of the ladder."""
    found = {}
    with database.transaction(Role.OWNER) as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection, schema="ladder")
        for table in metadata.sorted_tables:
            rows = sa.select(*(sa.cast(column, sa.Text()) for column in table.columns))
            found[table.name] = sorted(map(tuple, connection.execute(rows)), key=repr)
    return found


class Base:
    """A database with one layer of points and its clusters."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder, self.layer = database, folder, points()
        self.catalog = trial_catalog(self.layer)
        self.target = prepared(database, self.catalog)
        self.number = 0

    def load(self, rows: Rows) -> ladder.Renewal:
        self.number += 1
        load_file(self.catalog, self.target, "site", write_rows(self.folder / f"site{self.number}.gpkg", rows))
        done = ladder.renew(self.database, self.layer)
        assert done is not None
        return done


@pytest.fixture
def base(database: Database, tmp_path: Path) -> Base:
    return Base(database, tmp_path)


def edited(rows: Rows, edits: list[tuple[str, int, float]]) -> Rows:
    rows = [dict(row) for row in rows]
    for what, at, how in edits:
        row = rows[at % len(rows)]
        if what == "gone" and len(rows) > 1:
            rows.remove(row)
        elif what == "new":
            rows.append({**row, "code": f"n{at}-{len(rows)}-{how}"})
        elif what == "moved":
            row["geometry"] = shapely.Point(104 + how * 3, 36 + how)
        elif what == "near":
            row["geometry"] = shapely.transform(row["geometry"], lambda c, h=how: c * (1 - 1e-6 * h))
        elif what == "kind":
            row["kind"] = KINDS[at % 4]
        elif what == "level":
            row["level"] = LEVELS[at % 4]
    return rows


EDIT = st.tuples(
    st.sampled_from(("gone", "new", "moved", "near", "kind", "level")), st.integers(0, 10_000), st.floats(0, 1)
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(EDIT, min_size=1, max_size=5), min_size=1, max_size=3))
def test_refreshing_after_any_edits_is_building_anew(base: Base, turns: list[list[tuple[str, int, float]]]) -> None:
    rows = sites(60, 1)
    rows[0]["kind"] = f"turn {base.number}"
    base.load(rows)
    for edits in turns:
        rows = edited(rows, edits)
        rows[0]["secret"] = f"edition {base.number}"
        assert not base.load(rows).built
    refreshed = contents(base.database)
    assert refreshed.keys() == {"site_cell", "site_cluster"}
    ladder.renew(base.database, base.layer, anew=True)
    assert refreshed == contents(base.database)


def test_a_large_change_is_built_anew(base: Base) -> None:
    base.load(sites(200, 2))
    assert base.load(sites(200, 3)).built
    assert contents(base.database)["site_cluster"]


def test_clusters_are_hidden_before_a_long_build(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.load(sites(200, 2))

    class Halfway(Exception):
        pass

    def stop(*_: object) -> None:
        raise Halfway

    monkeypatch.setattr(ladder, "_build", stop)
    with pytest.raises(Halfway):
        base.load([{**row, "level": "restricted"} for row in sites(200, 2)])
    with base.database.transaction(Role.OWNER) as connection:
        clusters = cluster_table(base.layer)
        assert connection.execute(sa.select(sa.func.min(clusters.c["_clearance"]))).scalar_one() == 2


ROWS = sites(400, 5)


@pytest.fixture(scope="module")
def served(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog = trial_catalog(points())
    folder = tmp_path_factory.mktemp("sites")
    with copied_database(cluster_settings) as database:
        load_file(catalog, prepared(database, catalog), "site", write_rows(folder / "site.gpkg", ROWS))
        assert ladder.renew(database, points()) is not None
        with running(database, catalog) as found:
            yield found


def features(served: Service, tile: morecantile.Tile, reader: Clearance | None) -> list[dict[str, Any]]:
    response = served.get(f"/collections/site/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}", reader)
    if response.status_code in (204, 404):
        return []
    body = plain_bytes(response)
    assert b"CANARY" not in body or reader is Clearance.RESTRICTED
    decoded = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})
    return list(decoded["site"]["features"])


def visible(reader: Clearance | None) -> Rows:
    most = Clearance.PUBLIC if reader is None else reader
    return [row for row in ROWS if row["level"] is None or Clearance[row["level"].upper()] <= most]


def expected(zoom: int, reader: Clearance | None) -> dict[tuple[int, int], list[tuple[float, float, dict[str, Any]]]]:
    """Visible rows by cell, with their places in cells, worked out with PROJ."""
    found = defaultdict(list)
    side = WORLD / CLUSTER_CELLS / 2**zoom
    for row in visible(reader):
        middle = row["geometry"].centroid
        if abs(middle.y) > 85.0511:
            continue
        east, north = MERCATOR.transform(middle.x, middle.y)
        x, y = (east + WORLD / 2) / side, (WORLD / 2 - north) / side
        last = CLUSTER_CELLS * 2**zoom - 1
        found[min(math.floor(x), last), min(math.floor(y), last)].append((x, y, row))
    return found


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("zoom", [3, 5, 6, 8])
def test_a_cluster_counts_what_the_reader_may_see(served: Service, zoom: int, reader: Clearance | None) -> None:
    cells = expected(zoom, reader)
    shown = {}
    for tile in {(x // CLUSTER_CELLS, y // CLUSTER_CELLS) for x, y in cells}:
        for feature in features(served, morecantile.Tile(*tile, zoom), reader):
            x, y = feature["geometry"]["coordinates"]
            assert 0 <= x < EXTENT
            assert 0 <= y < EXTENT
            unit = EXTENT // CLUSTER_CELLS
            # A cluster on the edge of its cell may be rounded to either side.
            place = (tile[0] * CLUSTER_CELLS + x / unit, tile[1] * CLUSTER_CELLS + y / unit)
            shown[place] = feature
    assert len(shown) == len(cells)
    for rows in cells.values():
        middle = np.mean([[x, y] for x, y, _ in rows], axis=0)
        at = min(shown, key=lambda place: math.dist(place, middle))
        assert math.dist(at, middle) <= 2.5 * CLUSTER_CELLS / EXTENT
        check_one(shown[at], [row for _, _, row in rows], reader)


def check_one(feature: dict[str, Any], rows: Rows, reader: Clearance | None) -> None:
    properties = feature["properties"]
    if len(rows) == 1:
        (row,) = rows
        wanted = {"key": row["code"], "code": row["code"], "kind": row["kind"], "level": row["level"]}
        if reader is Clearance.RESTRICTED:
            wanted["secret"] = row["secret"]
        assert properties == {name: value for name, value in wanted.items() if value is not None}
        return
    counts = Counter(row["kind"] or "" for row in rows)
    most = max(counts.values())
    assert properties["count"] == len(rows)
    assert counts[properties.get("kind", "")] == most
    assert properties["share"] == pytest.approx(most / len(rows), abs=0.0006)
    assert json.loads(properties["classes"]) == counts
    assert set(properties) <= {"count", "kind", "share", "classes"}


@pytest.mark.parametrize("reader", READERS)
def test_from_the_declared_zoom_on_every_point_is_itself(served: Service, reader: Clearance | None) -> None:
    found = set()
    for x, y in {(x // CLUSTER_CELLS, y // CLUSTER_CELLS) for x, y in expected(BELOW, reader)}:
        found |= {f["properties"]["key"] for f in features(served, morecantile.Tile(x, y, BELOW), reader)}
    assert found == {row["code"] for cell in expected(BELOW, reader).values() for _, _, row in cell}


@pytest.mark.parametrize("mode", ["policies", "views"])
def test_the_second_net_holds_for_clusters(served: Service, mode: Any) -> None:
    """What a reader's role finds in the tables of clusters by itself."""
    prepare(served.database, served.catalog, mode)
    with served.database.transaction(Role.OWNER) as connection:
        protect(connection, points(), cluster_table(points()), served.database.prefix, mode)
    schema = "ladder" if mode == "policies" else "read_public_ladder"
    table = sa.table("site_cluster", sa.column("_clearance"), schema=schema)
    try:
        with served.database.transaction(Role.READER_PUBLIC) as connection:
            assert connection.execute(sa.select(sa.func.max(table.c["_clearance"]), sa.func.count() > 0)).one() == (
                0,
                True,
            )
        with running(served.database, served.catalog) as fresh:
            tile = morecantile.Tile(6, 3, 3)
            counted = sum(f["properties"].get("count", 1) for f in features(fresh, tile, None))
            cells = expected(3, None)
            assert counted == sum(len(rows) for (x, y), rows in cells.items() if (x // 8, y // 8) == (6, 3))
    finally:
        with served.database.transaction(Role.OWNER) as connection:
            for name in sa.inspect(connection).get_schema_names():
                if name.startswith("read_"):
                    connection.execute(sa.schema.DropSchema(name, cascade=True))
        prepare(served.database, served.catalog)
        with served.database.transaction(Role.OWNER) as connection:
            protect(connection, points(), cluster_table(points()), served.database.prefix, "policies")


def test_a_point_that_rose_a_moment_ago_is_not_shown(served: Service) -> None:
    """Between an edit and the refresh of the clusters, a single point is looked up in the rows."""
    alone = next(rows[0][2] for rows in expected(8, None).values() if len(rows) == 1)
    place = next(cell for cell, rows in expected(8, None).items() if rows[0][2] is alone)
    asker, layer = Principal("test", Clearance.PUBLIC), points()
    request = TileRequest(layer, decide(asker, "read", layer), 8, place[1] // 8, place[0] // 8)

    def keys() -> set[str]:
        """Drawn afresh: a tile that is kept would wait for the edition of the edit."""
        portal = served.client.portal
        assert portal is not None
        drawn = portal.call(draw, served.client.app.state.house, asker, request)  # type: ignore[attr-defined]
        return {f["properties"].get("key", "") for f in mapbox_vector_tile.decode(drawn.body)["site"]["features"]}

    change = sa.text("UPDATE geo.site SET _clearance = :level WHERE key = :key")
    assert alone["code"] in keys()
    with served.database.transaction(Role.OWNER) as connection:
        connection.execute(change, {"level": 2, "key": alone["code"]})
    try:
        assert alone["code"] not in keys()
    finally:
        with served.database.transaction(Role.OWNER) as connection:
            connection.execute(change, {"level": 0, "key": alone["code"]})


def test_what_clusters_count_by() -> None:
    assert cluster_by(points()) == "kind"
    assert cluster_by(points(style={"circle": {"colour": "#336699"}})) is None
    declared = {"from": 3, "to": 12, "cluster": {"by": "level", "below": 9}}
    assert cluster_by(points(tiles=declared)) == "level"
    secret = {"circle": {"colour": {"by": "secret", "colours": {"a": "#336699"}}}}
    assert cluster_by(points(style=secret)) is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"geometry": "line", "style": {"line": {"colour": "#336699"}}}, "only points form clusters"),
        ({"tiles": {"cluster": {"by": "nobody"}}}, "unknown attribute"),
        ({"tiles": {"cluster": {"by": "secret"}}}, "every reader"),
        ({"tiles": {"from": 4, "to": 9, "cluster": {"below": 4}}}, "must lie above from"),
        ({"tiles": {"from": 4, "to": 9, "cluster": {"below": 10}}}, "not above to"),
        ({"attributes": {"code": {"type": "text"}, "kind": {"type": "text"}, "level": {"type": "text"},
                         "count": {"type": "integer"}}, "tiles": {"cluster": {"by": "kind"}}}, "carry count"),
    ],
)  # fmt: skip
def test_what_cannot_be_clustered_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises((DefinitionError, ValidationError), match=told):
        points(**more)
