"""Tables answered by jobs: parts outlive a kill, a new edition changes nothing, the result is that of a stream."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.jobs.execute import begun
from geoservice.queries.memory import Kept
from geoservice.queries.table_inputs import TABLE, TableInputs
from geoservice.queries.table_job import run
from layers.access import Clearance, Principal
from layers.catalog import Catalog
from layers.errors import BadBody, GeoError, TooLarge
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows

LAYER = trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"})
PUBLIC = Principal("somebody", Clearance.PUBLIC)


class Killed(Exception):
    """Stands for the end of a process at any moment."""


@dataclass
class Yard:
    database: Database
    catalog: Catalog
    folder: Path

    def load(self, suffix: str = "") -> None:
        rows = [
            {
                "code": f"u{i}{suffix}",
                "name": f"u{i}",
                "level": "restricted" if i == 3 else "public",
                "geometry": shapely.box(105 + i, 38, 106 + i, 39),
            }
            for i in range(4)
        ]
        file = write_rows(self.folder / f"unit{suffix}.gpkg", rows)
        load_file(self.catalog, prepared(self.database, self.catalog), "unit", file)

    def table(self, rows: int) -> str:
        lines = [f"{i},{105 + i % 50 / 10},38.5" if i % 97 else f"{i},x,38.5" for i in range(rows)]
        return "\n".join(["id,lon,lat", *lines]) + "\n"

    def carry_out(self, inputs: TableInputs, body: bytes, most: int | None = None, who: Principal = PUBLIC) -> Any:
        """Run the process; it is killed when so many rows are told."""
        results, brought = self.folder / "results", self.folder / "brought"
        results.mkdir(exist_ok=True)
        brought.mkdir(exist_ok=True)
        (brought / TABLE).write_bytes(body)

        def tell(done: int, _: int | None) -> None:
            if most is not None and done >= most:
                raise Killed

        with begun(self.database, self.catalog, who, (results, brought), tell) as execution:
            run(execution, inputs)
        execution.conclude()
        return execution.outputs[TABLE]


@pytest.fixture
def yard(database: Database, tmp_path: Path) -> Yard:
    found = Yard(database, trial_catalog(LAYER), tmp_path)
    found.load()
    return found


def asked(**more: Any) -> TableInputs:
    return TableInputs(**{"operation": "join", "collection": "unit", "media": "text/csv", "properties": "name", **more})


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def expected(rows: int, suffix: str = "") -> list[str]:
    """Keys by the rule: on the border between two squares that of the lower key, and the last square is restricted."""
    found = []
    for i in range(rows):
        share = i % 50
        square = max((share - 1) // 10, 0)
        found.append(f"u{square}{suffix}" if i % 97 and square < 3 else "")
    return found


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoservice.queries.tables.comma._BLOCK_BYTES", 20_000)


def test_the_whole_table_is_answered(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    output = yard.carry_out(asked(), yard.table(5_000).encode())
    rows = rows_of(yard.folder / "results" / output.file)
    assert [row["unit_key"] for row in rows] == expected(5_000)
    assert [row["id"] for row in rows] == [str(i) for i in range(5_000)]
    assert [bool(row["error"]) for row in rows] == [i % 97 == 0 for i in range(5_000)]
    assert output.facts == {"rows": 5_000, "errors": sum(i % 97 == 0 for i in range(5_000))}
    assert output.layers == ("unit",)
    # Parts are nobody's business afterwards.
    assert sorted(path.name for path in (yard.folder / "results").iterdir()) == ["manifest.json", output.file]


def test_what_was_answered_before_a_kill_is_not_asked_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    counted, find = [0], Kept.find

    async def counting(self: Kept, x: Any, y: Any) -> Any:
        counted[0] += len(x)
        return await find(self, x, y)

    monkeypatch.setattr(Kept, "find", counting)
    body = yard.table(5_000).encode()
    with pytest.raises(Killed):
        yard.carry_out(asked(), body, most=2_500)
    first = counted[0]
    assert 2_500 <= first < 5_000
    # A part that was being written when the end came does not count.
    parts = sorted((yard.folder / "results" / "parts").glob("*.arrow"))
    parts[-1].rename(parts[-1].with_suffix(".draft"))
    output = yard.carry_out(asked(), body)
    assert 5_000 < counted[0] < 5_000 + first
    assert [row["unit_key"] for row in rows_of(yard.folder / "results" / output.file)] == expected(5_000)


def test_another_edition_in_between_changes_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    body = yard.table(4_000).encode()
    with pytest.raises(Killed):
        yard.carry_out(asked(), body, most=1_500)
    yard.load("x")
    output = yard.carry_out(asked(), body)
    keys = [row["unit_key"] for row in rows_of(yard.folder / "results" / output.file)]
    assert keys == expected(4_000)
    assert [key for key in expected(4_000, "x") if key] != [key for key in keys if key]


def strips(rows: int) -> tuple[bytes, list[tuple[str, str]]]:
    """Strips over one or two squares and beyond, and for each what it shares most with first: row and key."""
    lines, wanted = ["id,wkt"], list[tuple[str, str]]()
    for i in range(rows):
        west, wide = 105 + i % 30 / 10, 0.1 + i % 7 / 5
        lines.append(f'{i},"{shapely.box(west, 38.2, west + wide, 38.8).wkt}"')
        # Tenths of a degree in each of the three public squares.
        begin, end = i % 30, i % 30 + 1 + 2 * (i % 7)
        shared = {f"u{n}": min(end, 10 * n + 10) - max(begin, 10 * n) for n in range(3)}
        found = sorted((key for key in shared if shared[key] > 0), key=lambda key: (-shared[key], key))
        wanted += [(str(i), key) for key in found]
    return "\n".join([*lines, ""]).encode(), wanted


def test_rows_that_are_repeated_outlive_a_kill_and_another_edition(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoservice.queries.overlay.BLOCK_ROWS", 40)
    body, wanted = strips(200)
    inputs = asked(operation="overlay", matches="all")
    with pytest.raises(Killed):
        yard.carry_out(inputs, body, most=90)
    assert len(list((yard.folder / "results" / "parts").glob("*.arrow"))) == 3
    yard.load("x")
    output = yard.carry_out(inputs, body)
    rows = rows_of(yard.folder / "results" / output.file)
    told = [(row["id"], row["unit_key"]) for row in rows]
    # Halves are told apart by the ellipsoid: what is equal in degrees may come in either order.
    assert sorted(told) == sorted(wanted)
    assert [row for row, _ in told] == [row for row, _ in wanted]
    assert output.facts == {"rows": len(wanted), "errors": 0}
    assert len(wanted) > 220


def test_what_is_at_points_as_a_job(yard: Yard) -> None:
    body = b"id,lon,lat\na,106,38.5\nb,108.5,38.5\nc,,1\n"
    inputs = asked(operation="identify", collection="", properties=None)
    output = yard.carry_out(inputs, body)
    rows = rows_of(yard.folder / "results" / output.file)
    told = [(row["id"], row["found_key"], bool(row["error"])) for row in rows]
    assert told == [("a", "u0", False), ("a", "u1", False), ("b", "", False), ("c", "", True)]
    assert output.layers == ("unit",), "whoever fetches it must be allowed to see what it tells of"


def test_rows_are_not_repeated_until_the_disk_is_full(yard: Yard) -> None:
    settings = yard.database.settings.model_copy(update={"export_max_bytes": 4_000})
    yard.database = Database(yard.database.parameters, yard.database.prefix, yard.database.passwords, settings)
    body, _ = strips(200)
    with pytest.raises(TooLarge, match="matches=first"):
        yard.carry_out(asked(operation="overlay", matches="all"), body)
    assert not (yard.folder / "results" / "manifest.json").exists()


def test_rights_are_those_of_whoever_asked(yard: Yard) -> None:
    body = b"lon,lat\n108.5,38.5\n"
    public = yard.carry_out(asked(), body)
    assert rows_of(yard.folder / "results" / public.file)[0]["unit_key"] == ""
    for path in (yard.folder / "results").iterdir():
        path.unlink()
    full = yard.carry_out(asked(), body, who=Principal("other", Clearance.RESTRICTED))
    assert rows_of(yard.folder / "results" / full.file)[0]["unit_key"] == "u3"


def test_parquet_comes_back_as_parquet(yard: Yard) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [105.5, 106.5], "y": [38.5, 38.5]}), sink)
    output = yard.carry_out(asked(media="application/vnd.apache.parquet"), sink.getvalue())
    found = pq.read_table(yard.folder / "results" / output.file)
    assert found["unit_key"].to_pylist() == ["u0", "u1"]


@pytest.mark.parametrize(
    ("body", "more"),
    [(b"", {}), (b"a,b\n", {}), (b"lon,lat\n", {"media": "text/html"}), (b"lon,lat\n", {"properties": "secret"})],
)
def test_what_is_refused_leaves_no_result(yard: Yard, body: bytes, more: dict[str, Any]) -> None:
    with pytest.raises(GeoError):
        yard.carry_out(asked(**more), body)
    assert not (yard.folder / "results" / "manifest.json").exists()


def test_without_a_table_nothing_is_done(yard: Yard) -> None:
    folders = (yard.folder, None)
    with begun(yard.database, yard.catalog, PUBLIC, folders, lambda *_: None) as execution, pytest.raises(BadBody):
        run(execution, asked())
