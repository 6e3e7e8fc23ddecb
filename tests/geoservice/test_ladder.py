"""The ladder: what refreshing after edits gives is what building anew gives, for every row and every reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice import ladder
from geoservice.db import sync
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.catalog import Catalog
from layers.ladder import rungs
from layers.model import VectorLayer
from layers.system import layer_state
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import CLASSES, LEVELS, SIDE, mesh, patches
from tiles.ladder import build


def contents(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables of the ladder; cells as sums, because two rows may speak of one cell."""
    found = {}
    with database.transaction(Role.OWNER) as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection, schema="ladder")
        for table in metadata.sorted_tables:
            columns = [sa.cast(column, sa.Text()) for column in table.columns]
            rows = sa.select(*columns).order_by(*columns)
            if table.name.endswith("_cell"):
                place = columns[:4]
                rows = sa.select(*place, sa.func.sum(table.c.count), sa.func.sum(table.c.area)).group_by(*place)
                rows = rows.order_by(*place)
            found[table.name] = [tuple(row) for row in connection.execute(rows)]
    return found


PATCHES = sa.table("patch", sa.column("geom"), schema="geo")
MERCATOR_AREA = sa.func.sum(sa.func.ST_Area(sa.func.ST_Transform(sa.func.ST_SetSRID(PATCHES.c.geom, 4326), 3857)))
"""By PostGIS, from the rows themselves."""


class Base:
    """A database with one layer of patches and its ladder."""

    def __init__(self, database: Database, folder: Path, layer: VectorLayer) -> None:
        self.database, self.folder, self.layer = database, folder, layer
        self.catalog: Catalog = trial_catalog(layer)
        self.target = prepared(database, self.catalog)
        self.number = 0

    def load(self, rows: list[dict[str, Any]]) -> None:
        self.number += 1
        file = write_rows(self.folder / f"patch{self.number}.gpkg", rows)
        load_file(self.catalog, self.target, "patch", file)

    def standing(self) -> int | None:
        """The edition that the ladder shows."""
        with self.database.transaction(Role.OWNER) as connection:
            found: int | None = connection.execute(sa.select(layer_state.c.ladder)).scalar_one()
        return found


@pytest.fixture
def base(database: Database, tmp_path: Path) -> Base:
    return Base(database, tmp_path, patches())


def test_the_first_ladder_is_built_and_the_next_edition_refreshes_it(base: Base) -> None:
    rows = mesh(12, 12, 1)
    base.load(rows)
    assert ladder.lagging(base.database, base.catalog) == (base.layer,)
    first = ladder.renew(base.database, base.layer)
    assert first is not None
    assert first.built
    assert ladder.lagging(base.database, base.catalog) == ()
    assert ladder.renew(base.database, base.layer) is None
    rows[40]["kind"] = "9999"
    base.load(rows)
    second = ladder.renew(base.database, base.layer)
    assert second is not None
    assert not second.built
    assert second.edition > first.edition


def test_a_rung_holds_each_feature_with_fewer_vertices_and_shared_borders(base: Base) -> None:
    base.load(mesh(12, 12, 2))
    ladder.renew(base.database, base.layer)
    tables = contents(base.database)
    (low,) = [name for name in tables if name == f"patch_z{rungs(base.layer)[0].to}"]
    assert len(tables[low]) == 144
    with base.database.transaction(Role.OWNER) as connection:
        table = sa.table(low, sa.column("geom"), schema="ladder")
        shapes = connection.execute(sa.select(sa.func.ST_AsBinary(table.c.geom))).scalars().all()
        exact = connection.execute(sa.select(MERCATOR_AREA)).scalar_one()
    surfaces = shapely.from_wkb(shapes)
    assert shapely.is_valid(surfaces).all()
    assert shapely.coverage_is_valid(surfaces)
    assert shapely.get_num_coordinates(surfaces).sum() <= 144 * 17
    # Whatever is cut off one patch is given to its neighbour: the whole keeps its area.
    assert shapely.area(shapely.union_all(surfaces)) == pytest.approx(exact, rel=0.01)


def test_cells_hold_all_area_and_all_features(base: Base) -> None:
    base.load(mesh(12, 12, 3))
    ladder.renew(base.database, base.layer)
    with base.database.transaction(Role.OWNER) as connection:
        count, area = connection.execute(sa.text("SELECT sum(count), sum(area) FROM ladder.patch_cell")).one()
        exact = connection.execute(sa.select(MERCATOR_AREA)).scalar_one()
    assert count == 144
    assert float(area) / 100 == pytest.approx(exact, rel=1e-6)


Rows = list[dict[str, Any]]


def joined(rows: Rows, row: dict[str, Any], how: int) -> None:
    beside = [o for o in rows if o is not row and o["geometry"].intersection(row["geometry"]).length > 0]
    if beside:
        other = beside[how % len(beside)]
        row["geometry"] = row["geometry"].union(other["geometry"])
        rows.remove(other)


def moved(rows: Rows, row: dict[str, Any], how: int) -> None:
    del rows
    shift = np.array([how % 7 - 3, how % 5 - 2]) * SIDE / 9
    row["geometry"] = shapely.transform(row["geometry"], lambda c: c + shift)


def cut(rows: Rows, row: dict[str, Any], how: int) -> None:
    del how
    west, south, east, north = row["geometry"].bounds
    half = shapely.box(west, south, (west + east) / 2, north)
    rest = row["geometry"].difference(half)
    row["geometry"] = row["geometry"].intersection(half)
    rows.append({**row, "code": f"{row['code']}+{len(rows)}", "geometry": rest})


ACTS: dict[str, Callable[[Rows, dict[str, Any], int], None]] = {
    "kind": lambda _, row, how: row.update(kind=CLASSES[how % len(CLASSES)]),
    "level": lambda _, row, how: row.update(level=LEVELS[how % len(LEVELS)]),
    "gone": lambda rows, row, _: rows.remove(row) if len(rows) > 1 else None,
    "joined": joined,
    "moved": moved,
    "cut": cut,
}


def edited(rows: Rows, edits: list[tuple[str, int, int]]) -> Rows:
    """Rows after edits that a surveyor makes: another kind, another clearance, gone, joined with a neighbour, moved."""
    rows = [dict(row) for row in rows]
    for what, at, how in edits:
        ACTS[what](rows, rows[at % len(rows)], how)
    return [row for row in rows if row["geometry"].geom_type in ("Polygon", "MultiPolygon")]


EDITS = st.lists(
    st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 10_000), st.integers(0, 50)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_refreshing_after_any_edits_is_building_anew(base: Base, turns: list[list[tuple[str, int, int]]]) -> None:
    rows = mesh(9, 9, base.number)
    base.load(rows)
    ladder.renew(base.database, base.layer, anew=True)
    for edits in turns:
        rows = edited(rows, edits)
        base.load(rows)
        ladder.renew(base.database, base.layer)
    refreshed = contents(base.database)
    ladder.renew(base.database, base.layer, anew=True)
    assert refreshed == contents(base.database)


def test_what_is_closed_is_hidden_before_a_long_build(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = mesh(9, 9, 4)
    for row in rows:
        row["level"] = None
    base.load(rows)
    ladder.renew(base.database, base.layer)
    for row in rows:
        row["level"] = "restricted"
    base.load(rows)

    class Halfway(Exception):
        pass

    def stop(*_: object) -> None:
        raise Halfway

    # Killed in the middle of building anew: the former ladder stands, and shows nothing that is closed now.
    monkeypatch.setattr(ladder, "_build", stop)
    with pytest.raises(Halfway):
        ladder.renew(base.database, base.layer)
    with base.database.transaction(Role.OWNER) as connection:
        rung = sa.table(f"patch_z{rungs(base.layer)[0].to}", sa.column("_clearance"), schema="ladder")
        assert connection.execute(sa.select(sa.func.min(rung.c["_clearance"]))).scalar_one() == 2
        mosaic = sa.table("patch_mosaic", sa.column("_clearance"), schema="ladder")
        assert connection.execute(sa.select(sa.func.min(mosaic.c["_clearance"]))).scalar_one() == 2
    assert ladder.lagging(base.database, base.catalog) == (base.layer,)


def test_edits_far_apart_read_no_more_than_what_lies_around_them(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = mesh(16, 16, 6)
    base.load(rows)
    ladder.renew(base.database, base.layer)
    for at in (0, -1):
        rows[at]["kind"] = "9999"
    base.load(rows)
    read, real = [], build.read_part

    def counting(*arguments: Any) -> Any:
        part = real(*arguments)
        read.append(len(part.fids))
        return part

    monkeypatch.setattr(build, "read_part", counting)
    done = ladder.renew(base.database, base.layer)
    assert done is not None
    assert not done.built
    assert len(read) > 2
    assert sum(read) < len(rows) / 2


def test_a_definition_that_changes_meanwhile_gets_no_ladder_of_the_former(base: Base) -> None:
    base.load(mesh(9, 9, 7))
    other = patches(title={"zh": "另", "en": "Other"})
    prepared(base.database, trial_catalog(other))
    assert ladder.lagging(base.database, base.catalog) == ()
    assert ladder.renew(base.database, base.layer) is None
    assert base.standing() is None
    assert ladder.renew(base.database, other) is not None
    assert base.standing() is not None
    prepared(base.database, base.catalog)
    assert base.standing() is None
    assert contents(base.database) == {}


def test_a_ladder_of_another_version_of_the_product_is_made_anew(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.load(mesh(9, 9, 7))
    with monkeypatch.context() as before:
        before.setattr(sync, "LADDER_FORMAT", sync.LADDER_FORMAT - 1)
        prepared(base.database, base.catalog)
        assert ladder.renew(base.database, base.layer) is not None
    assert ladder.renew(base.database, base.layer) is None
    assert ladder.lagging(base.database, base.catalog) == ()
    prepared(base.database, base.catalog)
    assert contents(base.database) == {}
    assert ladder.lagging(base.database, base.catalog) == (base.layer,)
    assert ladder.renew(base.database, base.layer) is not None


def test_attributes_may_have_any_name(base: Base) -> None:
    names = ("size", "spot", "area", "count", "total", "value", "x", "z")
    layer = trial_layer(
        "odd", geometry="polygon", style={"fill": "#336699"}, time=None, row_clearance=None,
        attributes={"code": {"type": "text", "required": True}, **{name: {"type": "text"} for name in names}},
    )  # fmt: skip
    assert isinstance(layer, VectorLayer)
    catalog = trial_catalog(layer)
    target = prepared(base.database, catalog)
    row = {"code": "a", **dict.fromkeys(names, "told"), "geometry": shapely.box(105, 38, 105.1, 38.1)}
    load_file(catalog, target, "odd", write_rows(base.folder / "odd.gpkg", [row]))
    assert ladder.renew(base.database, layer) is not None
    (top,) = contents(base.database)[f"odd_z{rungs(layer)[0].to}"]
    assert list(top).count("told") == len(names)


def test_what_lies_at_the_poles_has_a_ladder(base: Base) -> None:
    layer = trial_layer(
        "polar", geometry="any", style={"fill": "#336699"}, attributes={"code": {"type": "text", "required": True}},
        time=None, row_clearance=None, tiles={"from": 0, "to": 5},
    )  # fmt: skip
    assert isinstance(layer, VectorLayer)
    catalog = trial_catalog(layer)
    target = prepared(base.database, catalog)
    shapes = [
        shapely.box(-180, -90, 180, -60),
        shapely.box(0, 86, 90, 90),
        # Touches the end of Web Mercator along a line and reaches over it elsewhere.
        shapely.from_wkt(
            "POLYGON ((0 85.0511287798066, 10 85.0511287798066, 10 80, 20 80, 20 89, 0 89, 0 85.0511287798066))"
        ),
        shapely.LineString([(0, 80), (0, 89)]),
        shapely.Point(5, 89),
    ]
    rows = [{"code": f"p{i}", "geometry": shape} for i, shape in enumerate(shapes)]
    load_file(catalog, target, "polar", write_rows(base.folder / "polar.gpkg", rows))
    assert ladder.renew(base.database, layer) is not None
    found = contents(base.database)[f"polar_z{rungs(layer)[0].to}"]
    assert {row[1] for row in found} == {"p0", "p2", "p3"}


def test_a_layer_with_the_longest_name_has_a_ladder(base: Base) -> None:
    layer = patches().model_copy(update={"name": "n" * 48})
    catalog = trial_catalog(layer)
    target = prepared(base.database, catalog)
    load_file(catalog, target, layer.name, write_rows(base.folder / "long.gpkg", mesh(3, 3, 1)))
    assert ladder.renew(base.database, layer) is not None
    assert f"{layer.name}_mosaic" in contents(base.database)


def test_one_layer_that_fails_keeps_no_other_from_its_ladder(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.load(mesh(3, 3, 1))
    stop, tried, real = threading.Event(), [], ladder.renew

    def failing(database: Database, layer: VectorLayer) -> Any:
        tried.append(layer.name)
        if len(tried) == 1:
            raise shapely.GEOSException("TopologyException")
        done = real(database, layer)
        stop.set()
        return done

    monkeypatch.setattr(ladder, "renew", failing)
    monkeypatch.setattr(ladder, "read_catalog", lambda _: base.catalog)
    monkeypatch.setattr(ladder, "AWAY_SECONDS", 0.1)
    keeper = threading.Thread(target=ladder.LadderKeeper(base.database, stop).keep)
    keeper.start()
    keeper.join(60)
    assert not keeper.is_alive()
    assert base.standing() is not None
