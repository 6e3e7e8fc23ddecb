"""Where tiles changed is noted with each refresh and edition: boxes of what was, of what is, of what touches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors

from geoservice import ladder
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.tiles import changes
from layers.catalog import Catalog
from layers.model import VectorLayer
from layers.system import layer_state, tile_change
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches

SIDES = ("west", "south", "east", "north")


def entries(database: Database, after: int = 0) -> list[Any]:
    columns = [tile_change.c[name] for name in ("id", "edition", *SIDES)]
    with database.transaction(Role.OWNER) as connection:
        found = connection.execute(sa.select(*columns).where(tile_change.c.id > after).order_by(tile_change.c.id))
        return list(found.all())


def state(database: Database) -> Any:
    with database.transaction(Role.OWNER) as connection:
        columns = (layer_state.c.edition, layer_state.c.ladder, layer_state.c.charted, layer_state.c.change)
        return connection.execute(sa.select(*columns)).one()


def points(number: int) -> list[dict[str, Any]]:
    return [{"code": f"p{n}", "name": "a", "geometry": shapely.Point(100 + n, 30)} for n in range(number)]


@pytest.fixture
def spots(database: Database, tmp_path: Path) -> tuple[Database, Catalog, VectorLayer, Path]:
    layer = trial_layer("spot")
    assert isinstance(layer, VectorLayer)
    catalog = trial_catalog(layer)
    load_file(catalog, prepared(database, catalog), "spot", write_rows(tmp_path / "spot0.gpkg", points(9)))
    return database, catalog, layer, tmp_path


def test_of_points_each_edition_notes_where_they_were_and_are(
    spots: tuple[Database, Catalog, VectorLayer, Path],
) -> None:
    database, catalog, layer, folder = spots
    assert changes.uncharted(database, catalog) == (layer,)
    assert changes.chart(database, layer)
    assert [row[2:] for row in entries(database)] == [(None,) * 4], "the first edition changes everything"
    assert changes.uncharted(database, catalog) == ()
    assert not changes.chart(database, layer)
    rows = points(9)
    rows[4]["geometry"] = shapely.Point(104, 31)
    load_file(catalog, prepared(database, catalog), "spot", write_rows(folder / "spot1.gpkg", rows))
    before = state(database)
    assert before.charted < before.edition
    assert changes.chart(database, layer)
    after = state(database)
    found = entries(database, before.change)
    assert {row[2:] for row in found} == {(104, 30, 104, 30), (104, 31, 104, 31)}
    assert {row.edition for row in found} == {after.edition} == {after.charted}
    assert after.change == found[-1].id


def test_what_is_too_much_to_be_told_apart_is_everything(
    spots: tuple[Database, Catalog, VectorLayer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, catalog, layer, folder = spots
    changes.chart(database, layer)
    monkeypatch.setattr(changes, "MOST_ROWS", 3)
    rows = [{**row, "name": "b"} for row in points(9)]
    load_file(catalog, prepared(database, catalog), "spot", write_rows(folder / "spot1.gpkg", rows))
    changes.chart(database, layer)
    assert entries(database)[-1][2:] == (None,) * 4


def test_old_entries_go(spots: tuple[Database, Catalog, VectorLayer, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    database, catalog, layer, folder = spots
    monkeypatch.setattr(changes, "KEPT", 2)
    for turn in range(3):
        rows = points(9)
        rows[turn]["name"] = f"turn {turn}"
        load_file(catalog, prepared(database, catalog), "spot", write_rows(folder / f"spot{turn}.gpkg", rows))
        changes.chart(database, layer)
    assert len(entries(database)) == 2
    assert entries(database)[-1].id == state(database).change


def test_of_surfaces_those_that_touch_what_changed_count_too(database: Database, tmp_path: Path) -> None:
    layer = patches()
    catalog = trial_catalog(layer)
    target = prepared(database, catalog)
    rows = mesh(12, 12, 1)
    load_file(catalog, target, "patch", write_rows(tmp_path / "a.gpkg", rows))
    ladder.renew(database, layer)
    before = state(database)
    assert before.edition == before.ladder == before.charted
    changed = rows[5 * 12 + 5]
    changed["kind"] = "9999"
    load_file(catalog, target, "patch", write_rows(tmp_path / "b.gpkg", rows))
    ladder.renew(database, layer)
    found = entries(database, before.change)
    concerned = [row["geometry"] for row in rows if row["geometry"].intersects(changed["geometry"])]
    assert len(concerned) == 9
    noted = shapely.union_all([shapely.box(*row[2:]) for row in found])
    assert all(noted.covers(geometry) for geometry in concerned)
    # Nothing far away is drawn anew for it.
    assert not noted.intersects(rows[0]["geometry"])
    ladder.renew(database, layer, anew=True)
    assert entries(database, found[-1].id)[0][2:] == (None,) * 4


def test_only_who_may_see_all_rows_may_see_where_they_changed(
    spots: tuple[Database, Catalog, VectorLayer, Path],
) -> None:
    database = spots[0]
    query = "SELECT count(*) FROM meta.tile_change"
    with database.psycopg(Role.READER_RESTRICTED) as connection:
        assert connection.execute(query).fetchone() is not None
    for role in (Role.READER_PUBLIC, Role.READER_INTERNAL):
        with database.psycopg(role) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(query)


@given(st.lists(st.tuples(st.floats(-180, 179), st.floats(-90, 89), st.floats(0, 1), st.floats(0, 1)), max_size=900))
def test_gathered_boxes_hold_all_of_them_and_are_few(places: list[tuple[float, float, float, float]]) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in places], dtype=np.float64).reshape(-1, 4)
    found = changes.gathered(boxes)
    assert len(found) <= changes.MOST_BOXES * 2
    for west, south, east, north in boxes:
        assert any(a <= west and b <= south and c >= east and d >= north for a, b, c, d in found)
