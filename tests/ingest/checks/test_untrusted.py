"""What the confined reader leaves for the loader is not trusted: verdicts and repairs of a reader that went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ingest import late as late_module
from ingest.checks import repairs, verdict
from layers.errors import SourceUnreadable

GOOD = {"position": [1, 2], "reason": ["a", "b"]}


def write(folder: Path, columns: dict[str, list[object]], schema: pa.Schema = verdict.SCHEMA) -> Path:
    with pa.ipc.new_stream(str(folder / verdict.FILE), schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return folder


def rows(folder: Path) -> list[dict[str, object]]:
    return [row for batch in verdict.read(folder) for row in batch.to_pylist()]


def test_verdicts_arrive(tmp_path: Path) -> None:
    assert rows(tmp_path) == []
    assert rows(write(tmp_path, GOOD)) == [{"position": 1, "reason": "a"}, {"position": 2, "reason": "b"}]


def as_link(folder: Path) -> None:
    (folder / "elsewhere").write_bytes(b"secret")
    (folder / verdict.FILE).symlink_to(folder / "elsewhere")


def as_folder(folder: Path) -> None:
    (folder / verdict.FILE).mkdir()


def as_garbage(folder: Path) -> None:
    (folder / verdict.FILE).write_bytes(b"\xff" * 100)


def as_broken(folder: Path) -> None:
    write(folder, GOOD)
    file = folder / verdict.FILE
    file.write_bytes(file.read_bytes()[:-200])


def as_other_columns(folder: Path) -> None:
    write(folder, {"position": [1]}, pa.schema([("position", pa.int32())]))


def as_holes(folder: Path) -> None:
    write(folder, {"position": [None], "reason": ["a"]}, pa.schema([(f.name, f.type) for f in verdict.SCHEMA]))


def as_long(folder: Path) -> None:
    write(folder, {"position": [1], "reason": ["x" * 5000]})


@pytest.mark.parametrize(
    "wrong", [as_link, as_folder, as_garbage, as_broken, as_other_columns, as_holes, as_long]
)  # fmt: skip
def test_files_that_are_not_what_was_agreed_are_refused(tmp_path: Path, wrong: Callable[[Path], None]) -> None:
    wrong(tmp_path)
    with pytest.raises(SourceUnreadable, match="confined reader"):
        rows(tmp_path)


def test_two_verdicts_on_one_row_are_refused() -> None:
    batch = pa.record_batch({"position": [1, 1], "reason": ["a", "b"]}, schema=verdict.SCHEMA)
    with pytest.raises(SourceUnreadable, match="two verdicts"):
        late_module._records(batch)


def test_repairs_by_unknown_rules_are_refused(tmp_path: Path) -> None:
    columns = {"position": [1], "rule": ["magic"], "before": [b"a"], "after": [b"b"], "area_change": [None]}
    with pa.ipc.new_stream(str(tmp_path / repairs.LOG), repairs.SCHEMA) as writer:
        writer.write_batch(pa.record_batch(columns, schema=repairs.SCHEMA))
    with pytest.raises(SourceUnreadable, match="unknown rules"):
        list(repairs.read_log(tmp_path))
