"""Tiles drawn beforehand: found by a service that starts afterwards, drawn anew after edits, given up when told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient

from geoservice import ladder
from geoservice.app import create_app
from geoservice.cli import run
from geoservice.db.engine import Database
from geoservice.house import House
from geoservice.jobs import seeder
from geoservice.settings import Settings
from geoservice.tiles.cache import FOLDER
from layers.catalog import Catalog, read_catalog
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, write_rows
from tests.support.patches import mesh, patches

PATCH = "/collections/patch/tiles/WebMercatorQuad/12/1579/3242"


class Place:
    """A database with a layer, as commands find it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.settings = database.settings.model_copy(update={"layers_dir": folder / "agency"})
        write_catalog(folder / "agency")
        self.catalog: Catalog = read_catalog(folder / "agency")
        self.target = prepared(database, self.catalog)
        self.folder, self.loads = folder, 0
        self.rows = mesh(12, 12, 1)

    @property
    def layer(self) -> VectorLayer:
        found = self.catalog.layer("patch")
        assert isinstance(found, VectorLayer)
        return found

    def load(self) -> None:
        self.loads += 1
        file = write_rows(self.folder / f"patch{self.loads}.gpkg", self.rows)
        load_file(self.catalog, self.target, "patch", file)
        ladder.renew(self.database, self.layer)

    def environment(self) -> dict[str, str]:
        names = ("home", "layers_dir", "database_name")
        return {f"GEOSERVICE_{name.upper()}": str(getattr(self.settings, name)) for name in names}


def write_catalog(folder: Path) -> None:
    layer = patches()
    (folder / "themes" / "trial").mkdir(parents=True)
    told = json.loads(layer.model_dump_json(by_alias=True, exclude_none=True, exclude={"theme", "name"}))
    (folder / "themes" / "trial" / "patch.yaml").write_text(yaml.safe_dump(told, allow_unicode=True))


@pytest.fixture(scope="module")
def place(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with copied_database(cluster_settings) as database:
        found = Place(database, tmp_path_factory.mktemp("seeding"))
        found.load()
        yield found


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    return place


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["tiles", *arguments]) == 0
    return capsys.readouterr().out


def test_seeded_tiles_are_found_by_a_service_that_starts_afterwards(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "0 of them drawn" not in said(capsys, "seed", "patch", "--zooms", "11-12", "--clearance", "public")
    assert " 0 of them drawn" in said(capsys, "seed", "patch", "--zooms", "11-12", "--clearance", "public")
    assert "patch" in said(capsys, "stats")
    with TestClient(create_app(here.settings, here.catalog)) as client:
        house: House = client.app.state.house  # type: ignore[attr-defined]
        client.portal.call(house.tiles.watch.look)  # type: ignore[union-attr]
        assert client.get(PATCH).status_code == 200
        assert (house.tiles.counts.drawn, house.tiles.counts.disk) == (0, 1)
        # Purging reaches the memory of a service that runs.
        assert "tiles are gone" in said(capsys, "purge", "patch")
        client.portal.call(house.tiles.watch.look)  # type: ignore[union-attr]
        assert client.get(PATCH).status_code == 200
        assert house.tiles.counts.drawn == 1


def test_warming_draws_what_has_changed_and_nothing_else(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "purge", "--all")
    tiles, drawn = figures(said(capsys, "seed", "patch", "--zooms", "10-14", "--clearance", "restricted"))
    assert tiles == drawn > 10
    assert figures(said(capsys, "warm", "patch")) == (tiles, 0)
    here.rows[0]["kind"] = "9999"
    here.load()
    again, anew = figures(said(capsys, "warm"))
    assert again == tiles
    assert 0 < anew < tiles
    assert figures(said(capsys, "warm", "patch")) == (tiles, 0)


def figures(text: str) -> tuple[int, int]:
    words = text.replace(",", "").split()
    return int(words[words.index("tiles") - 1]), int(words[words.index("of") - 1])


def test_the_lowest_levels_are_those_that_fit(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "purge", "--all")
    text = said(capsys, "seed", "patch", "--low")
    assert text.count("tiles") == 3, "one line for each clearance"
    for line in text.splitlines():
        assert 8 <= figures(line)[0] <= 100


def test_a_ladder_that_was_built_is_seeded(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "purge", "--all")
    seeder._seed(here.layer.id)
    assert "patch" in said(capsys, "stats")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["seed", "patch", "--zooms", "14", "--most", "1"], "more than 1 tiles"),
        (["seed", "patch", "--zooms", "x"], "--zooms"),
        (["seed", "patch", "--clearance", "emperor"], "--clearance"),
        (["seed", "patch", "--set", "nonsense"], "tile matrix set"),
        (["seed", "nonsense"], "nonsense"),
        (["seed", "elevation"], "no vector tiles"),
        (["purge"], "--all"),
        (["purge", "patch", "--all"], "--all"),
    ],
)
def test_what_cannot_be_done_is_said(
    here: Place, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    del here
    assert run(["tiles", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_the_folder_is_where_the_documents_say(here: Place) -> None:
    assert (here.settings.home / FOLDER / "tiles.sqlite").is_file()
    assert "kept-tiles" in Settings.model_fields["tile_disk_mb"].description  # type: ignore[operator]


def test_only_ladders_that_are_built_anew_are_told_of(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[VectorLayer] = []
    keeper = ladder.LadderKeeper(here.database, threading.Event(), told.append)
    real = ladder.renew

    def edit(kind: str) -> None:
        here.rows[1]["kind"] = kind
        here.loads += 1
        file = write_rows(here.folder / f"patch{here.loads}.gpkg", here.rows)
        load_file(here.catalog, here.target, "patch", file)
        keeper._renew(here.layer)

    edit("9998")
    assert told == []
    monkeypatch.setattr(ladder, "renew", lambda database, layer: real(database, layer, anew=True))
    edit("9997")
    assert told == [here.layer]
