"""The ladder in SQL: what each reader's role gets from its functions is what he may see, and the index serves them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
import shapely

from geoservice import ladder
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import READERS, require_mode
from layers.access import Clearance
from layers.model import VectorLayer
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches

ROWS = mesh(8, 8, 9)


def hidden_spots() -> VectorLayer:
    made = trial_layer(
        "spot", clearance="internal", time=None, tiles={"from": 4, "to": 12, "cluster": {"by": "name", "below": 9}}
    )
    assert isinstance(made, VectorLayer)
    return made


def spots() -> list[dict[str, Any]]:
    levels = (None, "restricted", None)
    return [
        {
            "code": f"p{i}", "name": "abc"[i % 3], "level": levels[i % 3], "secret": None,
            "geometry": shapely.Point(105 + i / 1000, 38),
        }
        for i in range(30)
    ]  # fmt: skip


def visible(rows: list[dict[str, Any]], reader: Clearance) -> list[dict[str, Any]]:
    return [row for row in rows if row["level"] is None or Clearance[row["level"].upper()] <= reader]


def filled(database: Database, folder: Path) -> None:
    """A database with a layer of patches and one of hidden points, with their ladders."""
    layers = (patches(), hidden_spots())
    catalog = trial_catalog(*layers)
    target = prepared(database, catalog)
    for layer, rows in zip(layers, (ROWS, spots()), strict=True):
        load_file(catalog, target, layer.name, write_rows(folder / f"{layer.name}.gpkg", rows))
        assert ladder.renew(database, layer) is not None


@pytest.mark.parametrize("mode", ["policies", "views"])
def test_functions_show_each_reader_what_he_may_see(
    database: Database, tmp_path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "require_mode", lambda connection: require_mode(connection) and mode)
    filled(database, tmp_path)
    for clearance, role in READERS.items():
        schema = "ladder" if mode == "policies" else f"read_{clearance.label}_ladder"
        with database.psycopg(role, autocommit=True) as reader:
            reader.execute(f"SET search_path = {schema}, public")
            found = dict(reader.execute("SELECT key, kind FROM patch_at(12)").fetchall())
            assert found == {row["code"]: row["kind"] for row in visible(ROWS, clearance)}
            assert reader.execute("SELECT count(*) FROM patch_at(14)").fetchone() == (0,)
            cells = reader.execute("SELECT sum(total), sum(ST_Area(geom)) FROM patch_mosaic_at(9)").fetchone()
            assert cells is not None
            exact = sum(row["geometry"].area for row in visible(ROWS, clearance)) / shapely.box(0, 0, 1, 1).area
            # Square decimetres of EPSG:3857, and degrees: one is some 1.2e10 times cos(latitude) of the other.
            assert float(cells[0]) / 100 == pytest.approx(exact * 111_319.49**2 / 0.7869, rel=0.01)
            assert cells[1] * 100 >= float(cells[0])
            if clearance is Clearance.PUBLIC:
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)):
                    reader.execute("SELECT * FROM spot_clusters_at(5)")
                continue
            clusters = reader.execute("SELECT sum(count), json_agg(classes::json) FROM spot_clusters_at(4)").fetchone()
            assert clusters is not None
            told: Counter[str] = Counter()
            for classes in clusters[1]:
                told.update(classes)
            assert told == Counter(row["name"] for row in visible(spots(), clearance))
            assert clusters[0] == len(visible(spots(), clearance))


def test_functions_are_read_by_index_and_go_with_their_ladder(database: Database, tmp_path: Path) -> None:
    filled(database, tmp_path)
    with database.psycopg(Role.READER_PUBLIC, autocommit=True) as reader:
        reader.execute("SET enable_seqscan = off")
        plan = reader.execute(
            "EXPLAIN SELECT * FROM ladder.patch_at(13) "
            "WHERE geom && ST_MakeEnvelope(11688000, 4579000, 11690000, 4581000, 3857)"
        ).fetchall()
        assert any("patch_z13_geom" in line for (line,) in plan), plan
    changed = patches(title={"zh": "另", "en": "Other"})
    prepared(database, trial_catalog(changed, hidden_spots()))
    with database.psycopg(Role.OWNER, autocommit=True) as owner:
        named = "SELECT proname FROM pg_proc WHERE pronamespace = 'ladder'::regnamespace ORDER BY 1"
        assert owner.execute(named).fetchall() == [("spot_clusters_at",)]
