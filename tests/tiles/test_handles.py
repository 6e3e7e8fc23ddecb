"""Open files that are kept: bounded, one reader each, and never older than the file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from layers.asset import Asset
from layers.errors import AssetUnavailable
from tests.support.rasters import write_tif
from tiles.handles import SHELF, Shelf, reading


@pytest.fixture(autouse=True)
def _empty() -> None:
    SHELF.clear()


def asset(folder: Path, value: int = 1, name: str = "a.tif") -> Asset:
    return Asset(write_tif(folder / name, np.full((20, 20), value, dtype="uint8")), (0, 0, 1, 1), "EPSG:4490")


def test_a_handle_serves_the_next_reader(tmp_path: Path) -> None:
    one = asset(tmp_path)
    with reading(one) as first:
        assert len(SHELF) == 0
    with reading(one) as second:
        assert second is first
    assert len(SHELF) == 1


def test_two_readers_at_once_have_a_handle_each(tmp_path: Path) -> None:
    one = asset(tmp_path)
    with reading(one) as first, reading(one) as second:
        assert first is not second
    assert len(SHELF) == 2


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    one = asset(tmp_path, 1)
    with reading(one) as dataset:
        assert dataset.read(1)[0, 0] == 1
    other = write_tif(tmp_path / "b.tif", np.full((20, 20), 2, dtype="uint8"))
    os.replace(other, one.path)
    with reading(one) as dataset:
        assert dataset.read(1)[0, 0] == 2


def test_a_file_that_is_gone_is_missed_at_once(tmp_path: Path) -> None:
    one = asset(tmp_path)
    with reading(one):
        pass
    one.path.unlink()
    with pytest.raises(AssetUnavailable, match="missing or damaged"), reading(one):
        pass


def test_a_handle_that_failed_is_not_kept(tmp_path: Path) -> None:
    one = asset(tmp_path)
    with pytest.raises(RuntimeError, match="no matter why"), reading(one) as dataset:
        raise RuntimeError("no matter why")
    assert dataset.closed
    assert len(SHELF) == 0


def test_idle_handles_are_bounded_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiles.handles.SHELF", shelf := Shelf(most=2))
    seen = []
    for number in range(5):
        with reading(asset(tmp_path, number, f"{number}.tif")) as dataset:
            seen.append(dataset)
    assert len(shelf) == 2
    assert [dataset.closed for dataset in seen] == [True, True, True, False, False]


def test_idle_handles_are_bounded_in_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiles.handles.SHELF", shelf := Shelf(longest=0.0))
    with reading(asset(tmp_path, 1, "a.tif")) as old:
        pass
    with reading(asset(tmp_path, 2, "b.tif")):
        pass
    assert old.closed
    assert len(shelf) <= 1


def test_many_threads_never_share_a_handle(tmp_path: Path) -> None:
    files = [asset(tmp_path, value, f"{value}.tif") for value in range(4)]
    used: set[int] = set()

    def read(turn: int) -> bool:
        with reading(files[turn % 4]) as dataset:
            alone = id(dataset) not in used
            used.add(id(dataset))
            right = bool((dataset.read(1) == turn % 4).all())
            used.discard(id(dataset))
        return alone and right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))
