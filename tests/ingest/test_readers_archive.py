"""Hostile archives: each is refused at once with a sentence, and nothing lands outside."""

from __future__ import annotations

import struct
import time
import zipfile
from pathlib import Path

import pytest

from ingest.job import ReadLimits
from layers.errors import SourceUnreadable
from tests.ingest.reading import read, read_here, table

LAYER = table({"name": "text"})


def refused(file: Path, pattern: str, limits: ReadLimits | None = None) -> None:
    before = set(file.parent.rglob("*"))
    began = time.monotonic()
    with pytest.raises(SourceUnreadable, match=pattern):
        read_here(file, LAYER, limits)
    assert time.monotonic() - began < 5
    left = set(file.parent.rglob("*")) - before
    assert all("unpacked" in p.parts for p in left)


@pytest.mark.parametrize("name", ["../../evil.csv", "/evil.csv", "a/../../evil.csv", "c:evil.csv", "..\\evil.csv"])
def test_entries_that_point_elsewhere(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.csv", "name\nx\n")
        archive.writestr(zipfile.ZipInfo(name), "name\nx\n")
    refused(tmp_path / "a.zip", "points outside the archive")


def test_symbolic_links(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("a.csv")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", "symbolic link")


def test_too_many_entries(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(10_000):
            archive.writestr(f"{i}.csv", "")
    refused(tmp_path / "a.zip", "10000 entries, more than the 4000")


def test_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(10):
            archive.writestr(f"{i}.csv", bytes(10 << 20))
    refused(tmp_path / "a.zip", "times its size, as no honest data does")
    refused(tmp_path / "a.zip", "would unpack to 104857600 bytes", ReadLimits(unpacked=1 << 20))


def test_sizes_that_lie(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"name\n" + b"x" * (8 << 20))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 10)
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", "damaged|more than the", ReadLimits(unpacked=1 << 20))


def test_nested_and_encrypted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("a.csv", "name\nx\n")
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
    refused(tmp_path / "nested.zip", "is an archive itself")
    data = bytearray((tmp_path / "inner.zip").read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    refused(tmp_path / "locked.zip", "is encrypted")


def test_damaged_and_empty(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "name\n" + "x\n" * 5000)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "cut.zip", "damaged archive")
    (tmp_path / "crc.zip").write_bytes(data.replace(b"x\nx\nx", b"x\ny\nx", 1))
    refused(tmp_path / "crc.zip", "damaged archive")
    with zipfile.ZipFile(tmp_path / "readme.zip", "w") as archive:
        archive.writestr("readme.md", "hello")
    refused(tmp_path / "readme.zip", "no file that can be read")
    (tmp_path / "text.zip").write_text("hello")
    refused(tmp_path / "text.zip", "should be a ZIP archive")


def test_traversal_through_the_child(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("../evil.csv"), "name\nx\n")
    with pytest.raises(SourceUnreadable, match="points outside"):
        read(tmp_path / "a.zip", LAYER)
    assert not list(tmp_path.parent.rglob("evil.csv"))
