"""Tiles on disk and in memory: within their limits, safe with several, and nothing is believed that is not whole."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.tiles.drawing import Drawn
from geoservice.tiles.entry import GZIP, IDENTITY, OVERHEAD, ZSTD, Entry, entry_of, from_record, to_record
from geoservice.tiles.journal import Stamp
from geoservice.tiles.shelf import LARGEST_SHARE, Shelf
from geoservice.tiles.store import FILE, Store

WORLD = (-180.0, -90.0, 180.0, 90.0)
STAMP = Stamp(7, 9, laddered=True, stepped=True, ladder=True, live=False)
Record = tuple[str, str, str, bytes, int | None]
BIG = bytes(range(256)) * 40


def entry(body: bytes, dropped: int = 0) -> Entry:
    return entry_of("spot", Drawn(body, dropped, STAMP), WORLD)


@given(
    st.binary(max_size=3000),
    st.integers(0, 2**40),
    st.builds(Stamp, *[st.integers(0, 2**60)] * 2, *[st.booleans()] * 4),
)
def test_what_is_written_is_what_is_read(body: bytes, dropped: int, stamp: Stamp) -> None:
    kept = entry_of("spot", Drawn(body, dropped, stamp), WORLD)
    found = from_record("a/b", "spot", to_record("a/b", kept), WORLD)
    assert found is not None
    assert (found.stamp, found.dropped, found.tag, found.length) == (stamp, dropped, kept.tag, len(body))
    assert found.body(IDENTITY) == body
    assert from_record("a/c", "spot", to_record("a/b", kept), WORLD) is None, "it belongs to another tile"


@given(st.sampled_from([b"", b"x" * 50, BIG]), st.data())
def test_what_is_damaged_is_not_there(body: bytes, data: st.DataObject) -> None:
    record = bytearray(to_record("a/b", entry(body)))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at] ^= data.draw(st.integers(1, 255))
    assert from_record("a/b", "spot", bytes(record), WORLD) is None
    assert from_record("a/b", "spot", bytes(record[:at]), WORLD) is None
    assert from_record("a/b", "spot", b"SQLite format 3", WORLD) is None


def test_a_tile_is_packed_when_it_is_worth_it() -> None:
    small, big = entry(b"x" * 100), entry(BIG)
    assert set(small.bodies) == {IDENTITY}
    assert set(big.bodies) == {IDENTITY}, "nothing is packed before somebody asks for it"
    assert len(to_record("a/b", big)) < len(BIG)
    assert set(big.bodies) == {IDENTITY}, "whoever writes it to disk leaves it as it is"
    assert big.body(ZSTD)
    assert set(big.bodies) == {ZSTD}
    before = big.size
    assert big.body(GZIP)[:2] == b"\x1f\x8b"
    assert big.size > before
    assert big.body(IDENTITY) == BIG
    assert IDENTITY not in big.bodies
    asked_in_gzip = entry(BIG)
    asked_in_gzip.body(GZIP)
    assert set(asked_in_gzip.bodies) == {GZIP}
    again = from_record("a/b", "spot", to_record("a/b", asked_in_gzip), WORLD)
    assert again is not None
    assert again.body(IDENTITY) == asked_in_gzip.body(IDENTITY) == BIG


def test_memory_keeps_what_was_asked_for_last() -> None:
    shelf = Shelf(LARGEST_SHARE * (OVERHEAD + 100))
    for number in range(LARGEST_SHARE):
        shelf.put((0, str(number)), entry(b"x" * 100))
    assert shelf.get((0, "0")) is not None
    shelf.put((0, "new"), entry(b"x" * 100))
    assert shelf.get((0, "1")) is None
    assert shelf.get((0, "0")) is not None
    assert shelf.get((1, "0")) is None, "another clearance"
    assert shelf.size <= shelf.limit
    shelf.put((0, "large"), entry(b"x" * 500))
    assert shelf.get((0, "large")) is None
    shelf.clear()
    assert (len(shelf), shelf.size) == (0, 0)


def test_memory_of_no_size_keeps_nothing() -> None:
    shelf = Shelf(0)
    shelf.put((0, "a"), entry(b""))
    assert shelf.get((0, "a")) is None


def rows(numbers: range, layer: str = "spot", purges: int | None = None) -> list[Record]:
    return [(f"h/{layer}/{number}", "h", layer, bytes(1000), purges) for number in numbers]


def test_disk_gives_up_what_was_written_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "tiles", 600_000)
    for begin in range(0, 600, 100):
        store.put(rows(range(begin, begin + 100)))
    assert store.get("h/spot/599") == bytes(1000)
    assert store.get("h/spot/0") is None
    (kept,) = store.kept()
    assert 300 <= kept.tiles <= 500
    assert sum(f.stat().st_size for f in (tmp_path / "tiles").iterdir()) < 3_000_000
    store.put(rows(range(250, 251)))
    store.put(rows(range(250, 251)))
    assert store.get("h/spot/250") == bytes(1000)
    # A record in the place of another counts once.
    assert store.kept()[0].tiles * 1000 == store.kept()[0].bytes


def test_a_layer_can_be_purged_and_others_notice(tmp_path: Path) -> None:
    one, other = Store(tmp_path, 1 << 20), Store(tmp_path, 1 << 20)
    one.put(rows(range(5)) + rows(range(3), layer="area"))
    before = other.purges()
    assert one.purge(["area"]) == 3
    assert other.purges() == before + 1
    assert [k.layer for k in other.kept()] == ["spot"]
    assert other.places("h", "spot") == [f"h/spot/{n}" for n in range(5)]
    assert one.purge() == 5
    assert other.kept() == []


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "tiles", 1 << 20)
    store.put(rows(range(1)))
    assert stat.S_IMODE((tmp_path / "tiles").stat().st_mode) == 0o700
    for file in (tmp_path / "tiles").iterdir():
        assert not file.stat().st_mode & 0o077, file


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b"\0" * 8192])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path, 1 << 20)
    store.put(rows(range(50)))
    store.close()
    (tmp_path / FILE).write_bytes(damage)
    again = Store(tmp_path, 1 << 20)
    assert again.get("h/spot/1") is None
    again.put(rows(range(50)))
    assert again.get("h/spot/1") == bytes(1000)


def test_all_processes_go_on_with_the_new_file(tmp_path: Path) -> None:
    """Who has a damaged file open that another took away would neither see purges nor share what it keeps."""
    one, other, third = (Store(tmp_path, 1 << 20) for _ in range(3))
    one.put(rows(range(50)))
    before = other.purges(), third.purges()
    for damaged in (one, third):
        damaged._put_aside(sqlite3.DatabaseError("file is not a database"))
        damaged.put(rows(range(60, 61)))
    assert other.purges() not in before, "a new file is noticed as a purge"
    assert third.kept() == one.kept() == other.kept()
    assert other.get("h/spot/1") is None
    assert other.get("h/spot/60") == bytes(1000), "the second who finds damage leaves the new file alone"
    other.put(rows(range(1)))
    assert one.get("h/spot/0") == bytes(1000)


def test_what_was_drawn_before_a_purge_is_not_written_after_it(tmp_path: Path) -> None:
    one, other = Store(tmp_path, 1 << 20), Store(tmp_path, 1 << 20)
    known = one.purges()
    one.put(rows(range(1), purges=known))
    assert other.purge() == 1
    one.put(rows(range(2), purges=known))
    assert other.kept() == []
    one.put(rows(range(2), purges=one.purges()))
    assert other.kept()[0].tiles == 2


def come_and_go(folder: Path) -> None:
    store = Store(folder, 50 << 20)
    store.put(rows(range(1)))
    store.close()


def test_a_second_connection_of_a_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Without its locks another process that ends takes itself for the last, and clears the log away."""
    first, second = Store(tmp_path, 50 << 20), Store(tmp_path, 50 << 20)
    first.put(rows(range(50)))
    assert second.get("h/spot/1") == bytes(1000)
    second.close()
    log = tmp_path / f"{FILE}-wal"
    before = log.stat().st_ino
    stranger = multiprocessing.get_context("spawn").Process(target=come_and_go, args=(tmp_path,))
    stranger.start()
    stranger.join()
    assert log.exists()
    assert log.stat().st_ino == before


def test_a_file_damaged_in_the_middle_harms_nobody(tmp_path: Path) -> None:
    store = Store(tmp_path, 1 << 20)
    store.put(rows(range(200)))
    store.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4096)
    (tmp_path / FILE).write_bytes(content)
    again = Store(tmp_path, 1 << 20)
    for number in range(200):
        assert again.get(f"h/spot/{number}") in (None, bytes(1000))
    again.put(rows(range(200)))
    again.put(rows(range(200)))
    assert again.get("h/spot/7") == bytes(1000)


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "tiles", 1 << 20)
    store.put(rows(range(1)))
    assert store.get("h/spot/0") is None
    assert store.kept() == []


def write_many(folder: Path, begin: int) -> None:
    store = Store(folder, 50 << 20)
    for number in range(begin, begin + 200):
        store.put(rows(range(number, number + 1)))


def test_several_processes_write_at_the_same_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path, begin)) for begin in (0, 100, 1000)]
    for writer in writers:
        writer.start()
    reader = Store(tmp_path, 50 << 20)
    while any(writer.is_alive() for writer in writers):
        assert reader.get("h/spot/150") in (None, bytes(1000))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert reader.kept()[0].tiles == 500
