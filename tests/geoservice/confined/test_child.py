"""Confined children: what becomes of those that do not start, and what the press loads for which file."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from geoservice.confined.child import Broken, start
from geoservice.confined.frames import LENGTH, packed, received
from geoservice.reports import press
from geoservice.reports.errors import ReportUnavailable
from geoservice.reports.manifest import Manifest
from geoservice.reports.press import CHILD, Order, Press

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
BARE = Manifest(
    id="0" * 32,
    kind="impact",
    title="x",
    language="en",
    created=NOON,
    moment=NOON,
    clearance="public",
    product="x",
    question={},
    inputs=(),
    answer="0" * 64,
)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of children lie during a test."""
    tmp_path.chmod(0o711)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


async def test_a_child_that_does_not_start_leaves_its_last_words_and_no_folder(folders: Path) -> None:
    with pytest.raises(Broken) as raised:
        await start(replace(CHILD, module="geoservice.nowhere"), 10, {"wanted": []})
    assert "geoservice.nowhere" in raised.value.said
    assert list(folders.iterdir()) == []


async def test_words_of_a_child_that_nobody_listens_to_are_lost(folders: Path) -> None:
    with pytest.raises(Broken) as raised:
        await start(replace(CHILD, module="geoservice.nowhere", heard=False), 10, {"wanted": []})
    assert raised.value.said == ""
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize(("seconds", "module"), [(60.0, "geoservice.nowhere"), (0.05, CHILD.module)])
async def test_a_press_that_breaks_or_takes_too_long_says_so(
    folders: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, module: str
) -> None:
    order = Order(BARE, {}, [], b"<p>x</p>", 100, frozenset({"pdf"}))
    monkeypatch.setattr(press, "CHILD", replace(CHILD, module=module))
    with pytest.raises(ReportUnavailable, match="Pango" if seconds > 1 else "took longer"):
        await Press(seconds).make(order)
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "others"),
    [
        ("pdf", ("pyogrio", "pyarrow", "openpyxl", "pandas")),
        ("xlsx", ("weasyprint", "pyogrio")),
        ("gpkg", ("weasyprint",)),
    ],
)
def test_the_press_loads_what_a_file_needs_and_no_more(wanted: str, others: tuple[str, ...]) -> None:
    code = f"import sys; from geoservice.reports import child; child._load({{'wanted': ['{wanted}']}})"
    code += "; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert {"pdf": "weasyprint", "xlsx": "openpyxl", "gpkg": "pyogrio"}[wanted] in loaded
    assert not set(others) & set(loaded)


def test_messages_are_read_whole_or_not_at_all() -> None:
    message = packed({"a": 1}, {"x": b"12", "y": b""})
    stream = BytesIO(message * 2)
    assert received(stream) == received(stream) == ({"a": 1}, {"x": b"12", "y": b""})
    assert received(stream) is None
    for cut in (2, LENGTH.size + 3, len(message) - 1):
        with pytest.raises(EOFError):
            received(BytesIO(message[:cut]))
