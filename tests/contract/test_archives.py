"""Archives over HTTP: read by ranges, by whom they are for, and by nobody once something in them was closed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pmtiles.reader import Reader, all_tiles

from geoservice.archives import registry
from geoservice.archives.build import build
from geoservice.archives.registry import Registry, may_read
from geoservice.archives.request import ArchiveRequest
from geoservice.cli import run
from geoservice.settings import Settings
from layers.access import ANONYMOUS, Clearance
from layers.errors import BadParameter, SourceMismatch, SourceMissing, UnknownResource
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running, spot_rows

LAYERS = (trial_layer("spot"), trial_layer("inner", clearance="internal"))


class Dock:
    """A service with archives of two clearances, and a way to load again."""

    def __init__(self, served: Service, folder: Path) -> None:
        self.served, self.folder, self.number = served, folder, 0
        self.registry = Registry(served.database.settings.home / "archives")
        self.load(spot_rows())
        self.build("open")
        self.build("inside", Clearance.INTERNAL)

    def load(self, rows: list[dict[str, Any]]) -> None:
        self.number += 1
        target = prepared(self.served.database, self.served.catalog)
        for layer in ("spot", "inner"):
            file = write_rows(self.folder / f"{layer}{self.number}.gpkg", rows)
            load_file(self.served.catalog, target, layer, file)

    def build(self, name: str, clearance: Clearance = Clearance.PUBLIC) -> Path:
        layers = ("spot",) if clearance == Clearance.PUBLIC else ("spot", "inner")
        file = self.folder / f"{name}.pmtiles"
        build(self.served.database, self.served.catalog, ArchiveRequest(layers, clearance), file)
        self.registry.publish(file)
        return file


@pytest.fixture(scope="module")
def dock(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    catalog = trial_catalog(*LAYERS)
    with copied_database(cluster_settings) as database:
        prepared(database, catalog)
        with running(database, catalog) as served:
            yield Dock(served, tmp_path_factory.mktemp("dock"))


def names(dock: Dock, asker: Clearance | None) -> list[str]:
    return [one["name"] for one in dock.served.get("/archives", asker).json()["archives"]]


def test_the_file_comes_whole_and_says_what_it_is(dock: Dock) -> None:
    body = (dock.folder / "open.pmtiles").read_bytes()
    answer = dock.served.get("/archives/open")
    assert answer.status_code == 200
    assert answer.content == body
    assert answer.headers["content-type"] == "application/vnd.pmtiles"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    head = dock.served.client.head("/archives/open")
    assert head.content == b""
    assert head.headers["content-length"] == str(len(body))
    assert dock.served.get("/archives/open", **{"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_a_reader_that_knows_ranges_only_finds_every_tile(dock: Dock) -> None:
    """As pmtiles.js does: every block is one range request."""
    asked = []

    def block(offset: int, length: int) -> bytes:
        answer = dock.served.get("/archives/open", Range=f"bytes={offset}-{offset + length - 1}")
        assert answer.status_code == 206
        asked.append(len(answer.content))
        body: bytes = answer.content
        return body

    local = (dock.folder / "open.pmtiles").read_bytes()
    expected = list(all_tiles(lambda offset, length: local[offset : offset + length]))
    assert list(all_tiles(block)) == expected
    assert Reader(block).metadata()["name"] == "open"
    assert max(asked) < len(local)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("bytes=0-126", 206),
        ("bytes=-20", 206),
        ("bytes=99999999-", 416),
        ("bytes=5-2", 400),
        ("bytes=" + ",".join(f"{i}-{i}" for i in range(0, 4000, 2)), None),
        ("lines=1-2", None),
    ],
)
def test_odd_ranges_are_answered_in_constant_time(dock: Dock, wanted: str, status: int | None) -> None:
    answer = dock.served.get("/archives/open", Range=wanted)
    assert answer.status_code == status or (status is None and answer.status_code in (200, 206, 400))
    assert len(answer.content) <= (dock.folder / "open.pmtiles").stat().st_size * 2


def test_a_range_of_another_file_is_not_mixed_in(dock: Dock) -> None:
    known = dock.served.get("/archives/open", Range="bytes=0-9").headers["etag"]
    assert dock.served.get("/archives/open", Range="bytes=0-9", **{"If-Range": known}).status_code == 206
    whole = dock.served.get("/archives/open", Range="bytes=0-9", **{"If-Range": '"another"'})
    assert whole.status_code == 200
    assert len(whole.content) == (dock.folder / "open.pmtiles").stat().st_size


def test_an_archive_is_for_readers_of_its_clearance(dock: Dock) -> None:
    missing = dock.served.get("/archives/nothing")
    hidden = dock.served.get("/archives/inside")
    assert missing.status_code == hidden.status_code == 404
    assert missing.text.replace("nothing", "inside") == hidden.text
    assert names(dock, None) == ["open"]
    for asker in (Clearance.INTERNAL, Clearance.RESTRICTED):
        answer = dock.served.get("/archives/inside", asker)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"
        assert names(dock, asker) == ["inside", "open"]
    page = dock.served.get("/archives?f=html")
    assert "open" in page.text
    assert "inside" not in page.text


@pytest.mark.parametrize("name", ["../credentials", "..%2fcredentials", "open.json", "%00", "Open", "a" * 300])
def test_no_other_file_is_handed_out(dock: Dock, name: str) -> None:
    answer = dock.served.get(f"/archives/{name}")
    assert answer.status_code == 404
    assert "passwords" not in answer.text


def hide(name: str, **changes: Any) -> Callable[[], Any]:
    """The catalogue of the service with one layer defined otherwise."""
    return lambda: trial_catalog(*(trial_layer(la.name, **changes) if la.name == name else la for la in LAYERS))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (hide("spot"), True),
        (hide("spot", clearance="internal"), False),
        (lambda: trial_catalog(LAYERS[1]), False),
        (
            hide(
                "spot",
                attributes={
                    "code": {"type": "text", "required": True},
                    "name": {"type": "text", "clearance": "internal"},
                    "level": {"type": "code", "list": "clearance@1"},
                    "seen": {"type": "date"},
                },
            ),
            False,
        ),
    ],
)
def test_definitions_of_today_decide(dock: Dock, changed: Callable[[], Any], expected: bool) -> None:
    record = dock.registry.find("open")
    assert record is not None
    assert may_read(changed(), ANONYMOUS, record) is expected
    assert not may_read(changed(), ANONYMOUS, record.model_copy(update={"clearance": "internal"}))


def test_a_row_that_was_closed_closes_the_archive_until_it_is_built_anew(dock: Dock) -> None:
    rows = spot_rows()
    rows[6] = {**rows[6], "name": "moved on"}
    dock.load(rows)
    assert names(dock, None) == ["open"], "an edit of an open row closes nothing"
    rows[0] = {**rows[0], "level": "restricted"}
    dock.load(rows)
    assert names(dock, None) == []
    assert dock.served.get("/archives/open").status_code == 404
    assert dock.served.get("/archives/inside", Clearance.INTERNAL).status_code == 404
    dock.build("open")
    assert names(dock, None) == ["open"]
    told = b"".join(body for _, body in all_tiles(lambda o, n: dock.served.get("/archives/open").content[o : o + n]))
    assert told
    dock.build("inside", Clearance.INTERNAL)


def test_without_the_question_the_closed_row_would_be_handed_out(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control of the test above."""
    rows = spot_rows()
    rows[3] = {**rows[3], "level": "restricted"}
    dock.load(rows)
    assert dock.served.get("/archives/open").status_code == 404
    monkeypatch.setattr(registry, "_is_open", lambda *_: True)
    assert dock.served.get("/archives/open").status_code == 200
    monkeypatch.undo()
    dock.build("open")


def test_what_is_no_archive_of_ours_is_refused(dock: Dock, tmp_path: Path) -> None:
    strange = tmp_path / "strange.pmtiles"
    for content in (b"", b"PMTiles\x03" + b"\x00" * 200, b"\xff" * 500):
        strange.write_bytes(content)
        with pytest.raises(SourceMismatch):
            dock.registry.publish(strange)
    with pytest.raises(SourceMissing):
        dock.registry.publish(tmp_path / "nowhere.pmtiles")
    with pytest.raises(BadParameter):
        dock.registry.publish(dock.folder / "open.pmtiles", "../out")
    with pytest.raises(UnknownResource):
        dock.registry.withdraw("nothing")
    assert names(dock, Clearance.RESTRICTED) == ["open"], "the other one waits to be built anew"


def test_the_commands_publish_list_and_withdraw(
    dock: Dock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(dock.served.database.settings.home))
    file = str(dock.folder / "open.pmtiles")
    assert run(["tiles", "publish", file, "--name", "again"]) == 0
    assert run(["tiles", "archives"]) == 0
    listed = capsys.readouterr().out
    assert "again: " in listed
    assert "spot (edition " in listed
    assert json.loads((dock.registry.folder / "again.json").read_text())["name"] == "again"
    assert dock.served.get("/archives/again").status_code == 200
    assert run(["tiles", "withdraw", "again"]) == 0
    assert dock.served.get("/archives/again").status_code == 404
    assert not list(dock.registry.folder.glob("again*"))
