"""Archives and headers that lie about their size or their place, in front of rows and of rasters alike."""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from ingest.job import ReadLimits
from layers.model import Layer
from tests.support.dock import CELLS, PATIENCE, ROWS, Dock
from tests.support.rasters import grid, ramp_of_numbers, write_tif

GEOJSON = b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"n"},"geometry":null}]}'
MIB = 1 << 20


def payload(name: str) -> bytes:
    """Content that would be read if the archive were honest."""
    if not name.endswith(".tif"):
        return GEOJSON
    with rasterio.MemoryFile() as memory:
        profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "float32", "crs": "EPSG:4490"}
        with memory.open(**profile, transform=grid(100, 40, 0.1)) as target:
            target.write(ramp_of_numbers(4, 4)[None])
        return bytes(memory.read())


def packed(entries: list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def outside(name: str) -> bytes:
    return packed([(name, payload(name)), (f"../../escaped-{name}", payload(name))])


def absolute(name: str) -> bytes:
    return packed([(f"/{tempfile.gettempdir()}/escaped-{name}".replace("//", "/"), payload(name))])


def backslash(name: str) -> bytes:
    return packed([(f"..\\..\\escaped-{name}", payload(name))])


def link(name: str) -> bytes:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return packed([(entry, b"/etc/passwd")])


def many(name: str) -> bytes:
    return packed([(name, payload(name)), *((f"e{i}.txt", b"") for i in range(10_000))])


def nested(name: str) -> bytes:
    return packed([("inner.zip", packed([(name, payload(name))]))])


def bomb(name: str) -> bytes:
    return packed([(f"{i}-{name}", bytes(10 * MIB)) for i in range(20)])


def secret(name: str) -> bytes:
    raw = bytearray(packed([(name, payload(name))]))
    # The bit that says "encrypted", in the local and in the central header.
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def cut_short(name: str) -> bytes:
    whole = packed([(name, payload(name))])
    return whole[: len(whole) // 2]


def nothing(name: str) -> bytes:
    return packed([])


def lying(name: str) -> bytes:
    """The headers say 10 bytes, in the fields of 64 bits; the stream holds 64 MiB."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = stream.compress(bytes(64 * MIB)) + stream.flush()
    encoded, extra = name.encode(), struct.pack("<HHQQ", 1, 16, 10, len(body))
    crc = zlib.crc32(bytes(10))
    common = struct.pack("<HHHHHIIIHH", 45, 0, 8, 0, 33, crc, 0xFFFFFFFF, 0xFFFFFFFF, len(encoded), len(extra))
    local = b"PK\x03\x04" + common + encoded + extra
    central = b"PK\x01\x02" + struct.pack("<H", 45) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + encoded + extra
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    return local + body + central + end


ARCHIVES: tuple[tuple[Callable[[str], bytes], str], ...] = (
    (outside, "points outside"),
    (absolute, "points outside"),
    (backslash, "points outside"),
    (link, "symbolic link"),
    (many, "entries, more than the"),
    (nested, "archive itself"),
    (bomb, "times its size"),
    (secret, "encrypted"),
    (cut_short, "damaged archive"),
    (nothing, "contains no|is empty"),
    (lying, "damaged archive|cannot be unpacked|unpacks to|is damaged|by its extension"),
)


@pytest.mark.parametrize(("make", "reason"), ARCHIVES)
@pytest.mark.parametrize(("name", "layer"), [("a.geojson", ROWS), ("a.tif", CELLS)])
def test_an_archive_that_lies_is_refused_by_name(
    house: Dock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[str], bytes],
    reason: str,
    name: str,
    layer: Layer,
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "t").mkdir()
    (tmp_path / "t").chmod(0o1777)
    file = tmp_path / "a.zip"
    file.write_bytes(make(name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    verdict = house.receive(file, layer)
    assert verdict.refused, verdict.report
    assert verdict.error is not None
    assert any(words in verdict.error.detail for words in reason.split("|")), verdict.error.detail
    assert verdict.seconds < PATIENCE
    assert not list(tmp_path.rglob("escaped*"))
    assert not list((tmp_path / "t").iterdir()), "nothing is left in the temporary folder"


@pytest.mark.parametrize(("name", "layer"), [("a.geojson", ROWS), ("a.tif", CELLS)])
def test_the_same_archive_without_a_lie_is_read(house: Dock, tmp_path: Path, name: str, layer: Layer) -> None:
    """The control: it is the lie that is refused, not the archive."""
    (tmp_path / "a.zip").write_bytes(packed([(name, payload(name))]))
    verdict = house.receive(tmp_path / "a.zip", layer)
    assert verdict.error is None
    assert verdict.report is not None
    assert verdict.report.read == 1


def test_what_comes_out_is_counted_and_not_what_was_said(house: Dock, tmp_path: Path) -> None:
    """An archive may be honest in its headers and still more than is allowed here: the limit is a setting."""
    (tmp_path / "a.zip").write_bytes(packed([("a.csv", b"name\n" + b"x\n" * 400_000)]))
    limits = ReadLimits(seconds=PATIENCE, unpacked=500_000)
    verdict = house.receive(tmp_path / "a.zip", limits=limits)
    assert verdict.refused
    assert verdict.error is not None
    assert "more than the 500000" in verdict.error.detail


def giant_tiff(folder: Path) -> Path:
    """100,000 x 100,000 cells in less than a megabyte: all tiles are missing, which means zero."""
    file = folder / "a.tif"
    profile = {"driver": "GTiff", "width": 100_000, "height": 100_000, "count": 1, "dtype": "uint8", "crs": "EPSG:4490"}
    tiles = {"tiled": True, "blockxsize": 1024, "blockysize": 1024, "sparse_ok": True, "bigtiff": "yes"}
    with rasterio.open(file, "w", **profile, **tiles, transform=grid(100, 40, 1e-5)):
        pass
    assert file.stat().st_size < MIB
    return file


def giant_png(folder: Path) -> Path:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1_000_000, 1_000_000, 8, 2, 0, 0, 0)
    file = folder / "a.png"
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + image)
    (folder / "a.pgw").write_text("0.0001\n0\n0\n-0.0001\n100\n40\n")
    return file


def giant_grid(folder: Path) -> Path:
    file = folder / "a.asc"
    file.write_text("ncols 900000\nnrows 900000\nxllcorner 100\nyllcorner 30\ncellsize 0.000001\n1 2 3\n")
    return file


@pytest.mark.parametrize("make", [giant_tiff, giant_png, giant_grid])
def test_a_small_file_that_claims_a_giant_picture(house: Dock, tmp_path: Path, make: Callable[[Path], Path]) -> None:
    verdict = house.receive(make(tmp_path), CELLS)
    assert verdict.refused, verdict.report
    assert verdict.error is not None
    assert "claims" in verdict.error.detail or "cannot be opened" in verdict.error.detail
    assert verdict.seconds < PATIENCE


def test_a_raster_beyond_the_memory_limit_goes_through_in_windows(house: Dock, tmp_path: Path) -> None:
    """64 MiB of cells under an address space that the libraries alone nearly fill; the control is one huge block."""
    file = write_tif(tmp_path / "a.tif", np.ones((4096, 4096), dtype="float32"), grid(100, 40, 1e-4), compress="zstd")
    narrow = ReadLimits(seconds=PATIENCE, memory=1 << 30)
    verdict = house.receive(file, CELLS, narrow)
    assert verdict.report is not None, verdict.error
    assert verdict.report.read == 1
