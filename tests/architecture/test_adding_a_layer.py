"""A newcomer follows docs/adding-a-layer.md to the letter and finds the layer everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import pytest

from geoservice.db.engine import Database
from ingest.job import IngestReport
from layers.access import Clearance
from layers.catalog import Catalog, read_catalog
from tests.architecture.checkout import DOCS, ROOT
from tests.support.loading import load_file, prepared
from tests.support.service import Service, running

PAGE = (DOCS / "adding-a-layer.md").read_text(encoding="utf-8")
NAME = "fire_station"
FILE = "fire_stations_2026.csv"
WRONG = "three"
ZOOM = 8


def written(language: str) -> str:
    """The first block of a language on the page."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no example in {language}"
    return found.group(1)


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    assert report.balanced
    return report.inserted, report.updated, report.unchanged, report.quarantined, report.deleted


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The product's layers and the newcomer's one file."""
    folder = tmp_path_factory.mktemp("my-layers")
    (place,) = re.findall(rf"^`my-layers/(themes/\w+/{NAME}\.yaml)`:", PAGE, re.MULTILINE)
    file = folder / place
    file.parent.mkdir(parents=True)
    file.write_text(written("yaml"), encoding="utf-8")
    return read_catalog(folder)


@pytest.fixture(scope="module")
def service(module_database: Database, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service after the loads that the page describes."""
    target = prepared(module_database, catalog)
    file = tmp_path_factory.mktemp("sources") / FILE
    file.write_text(written("csv"), encoding="utf-8")
    first = load_file(catalog, target, NAME, file)
    assert counts(first) == (2, 0, 0, 1, 0)
    file.write_text(written("csv").replace(WRONG, "3"), encoding="utf-8")
    assert counts(load_file(catalog, target, NAME, file)) == (1, 0, 2, 0, 0)
    assert load_file(catalog, target, NAME, file).edition is None, "a second load changes nothing"
    with running(module_database, catalog) as found:
        yield found


def test_the_example_adds_one_layer(catalog: Catalog) -> None:
    assert set(catalog.layers) - set(read_catalog().layers) == {NAME}
    assert not list((ROOT / "layers").rglob(f"{NAME}*")), "the example is no layer of the product"


def test_it_is_a_collection(service: Service) -> None:
    about = service.get(f"/collections/{NAME}").json()
    assert (about["title"], about["titles"]["zh"], about["itemCount"]) == ("Fire stations", "消防站", 3)
    assert about["authority"]["kind"] == "fire-rescue"
    assert NAME in {c["id"] for c in service.get("/collections").json()["collections"]}


def test_its_features_are_served(service: Service) -> None:
    page = service.get(f"/collections/{NAME}/items").json()
    assert [f["id"] for f in page["features"]] == ["FS-001", "FS-002", "FS-003"]
    one = service.get(f"/collections/{NAME}/items/FS-003").json()
    assert one["geometry"] == {"type": "Point", "coordinates": [104.9502, 38.5788]}
    assert one["properties"]["engines"] == 3
    assert one["properties"]["name_zh"] == "河西消防站"


def test_the_telephone_is_internal_everywhere(service: Service) -> None:
    tile = _tile_address()
    for path in (f"/collections/{NAME}/items", f"/collections/{NAME}/schema", "/portal"):
        assert "duty_phone" not in service.get(path).text
        assert "duty_phone" in service.get(path, Clearance.INTERNAL).text
    assert b"duty_phone" not in service.get(tile).content
    assert b"duty_phone" in service.get(tile, Clearance.INTERNAL).content


def _tile_address() -> str:
    """Address of the tile that holds the first station, by an independent tiling library."""
    tile = morecantile.tms.get("WebMercatorQuad").tile(105.0021, 38.6033, ZOOM)
    return f"/collections/{NAME}/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"


def test_it_has_tiles(service: Service) -> None:
    features = mapbox_vector_tile.decode(service.get(_tile_address()).content)[NAME]["features"]
    assert {f["properties"]["key"] for f in features} == {"FS-001", "FS-002", "FS-003"}
    about = service.get(f"/collections/{NAME}/tiles/WebMercatorQuad?f=tilejson").json()
    assert (about["minzoom"], about["maxzoom"]) == (6, 14)
    assert [layer["id"] for layer in about["vector_layers"]] == [NAME]


def test_it_is_in_the_portal_with_its_legend(service: Service) -> None:
    page = service.get("/portal?lang=zh").text
    (data,) = re.findall(r'<script[^>]*id="portal-config"[^>]*>(.*?)</script>', page, re.DOTALL)
    config: dict[str, Any] = json.loads(data)
    (entry,) = (layer for layer in config["layers"] if layer["id"] == NAME)
    assert (entry["title"]["zh"], entry["group"], entry["visible"]) == ("消防站", "safety", True)
    assert entry["edition"]["features"] == 3
    assert "#b3262a" in json.dumps(entry["legend"])
    assert f"/collections/{NAME}/tiles/WebMercatorQuad/" in page, "the map draws it"


def test_it_is_counted_in_a_zone(service: Service) -> None:
    answer = service.client.post("/analysis/zone", json={"bbox": [104.9, 38.5, 105.01, 38.7]}).json()
    (section,) = (s for s in answer["sections"] if s["layer"].endswith(NAME))
    assert (section["total"], [f["id"] for f in section["features"]]) == (2, ["FS-001", "FS-003"])


def test_a_row_that_is_gone_is_deleted(
    module_database: Database, catalog: Catalog, service: Service, tmp_path: Path
) -> None:
    """Last in this module: the page says that a complete mapping deletes what the next file lacks."""
    file = tmp_path / FILE
    file.write_text("".join(written("csv").replace(WRONG, "3").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert counts(load_file(catalog, prepared(module_database, catalog), NAME, file)) == (0, 0, 2, 0, 1)
    assert service.get(f"/collections/{NAME}/items/FS-003").status_code == 404
