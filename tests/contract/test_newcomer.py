"""A newcomer adds a layer by writing one YAML file, and finds it everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import mapbox_vector_tile
import pytest
import shapely

from geoservice.cli import run
from geoservice.settings import Settings
from layers.catalog import read_catalog
from layers.maplibre import legend
from tests.support.database import copied_database
from tests.support.service import Service, running

LAYER = """
format: 1
kind: vector
title: {zh: 古树名木, en: Veteran trees}
geometry: point
key: [tree_id]
authority: {kind: forestry}
cycle: P1Y
licence: {share: unconditional, basis: 城市绿化条例}
clearance: public
attributes:
  tree_id: {type: text, required: true, title: {zh: 编号, en: Tree id}}
  species: {type: text, title: {zh: 树种, en: Species}}
  age:     {type: integer, unit: a, range: [0, 5000], title: {zh: 树龄, en: Age}}
label: {zh: species, en: species}
style:
  circle: {colour: {by: age, stops: [[0, "#9cc98b"], [300, "#3a7d44"]]}, radius: 5}
sources:
  geojson: {match: ["trees*.geojson"]}
"""


@pytest.fixture(scope="module")
def grown(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service whose agency directory holds the one new file, with three trees loaded from the command line."""
    folder = tmp_path_factory.mktemp("agency")
    (folder / "themes" / "heritage").mkdir(parents=True)
    (folder / "themes" / "heritage" / "veteran_tree.yaml").write_text(LAYER, encoding="utf-8")
    features = [
        {
            "type": "Feature",
            "properties": {"tree_id": f"t{i}", "species": "银杏", "age": age},
            "geometry": shapely.geometry.mapping(shapely.Point(104.9 + i / 100, 38.5)),
        }
        for i, age in enumerate((120, 350, 1200))
    ]
    source = folder / "trees.geojson"
    source.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    with copied_database(cluster_settings) as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOSERVICE_HOME", str(database.settings.home))
        patch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
        patch.setenv("GEOSERVICE_LAYERS_DIR", str(folder))
        assert run(["ingest", "load", "veteran_tree", str(source)]) == 0
        with running(database, read_catalog(folder)) as service:
            yield service, folder


def test_features(grown: tuple[Service, Path]) -> None:
    page = grown[0].get("/collections/veteran_tree/items").json()
    assert {f["id"]: f["properties"]["age"] for f in page["features"]} == {"t0": 120, "t1": 350, "t2": 1200}
    schema = grown[0].get("/collections/veteran_tree/schema").json()
    assert schema["properties"]["age"]["x-ogc-unit"] == "a"


def test_tiles(grown: tuple[Service, Path]) -> None:
    tilejson = grown[0].get("/collections/veteran_tree/tiles/WebMercatorQuad?f=tilejson").json()
    assert "species" in tilejson["vector_layers"][0]["fields"]
    tile = grown[0].get("/collections/veteran_tree/tiles/WebMercatorQuad/6/24/50")
    assert len(mapbox_vector_tile.decode(tile.content)["veteran_tree"]["features"]) == 3


def test_legend_and_portal(grown: tuple[Service, Path]) -> None:
    catalog = read_catalog(grown[1])
    classes = legend(catalog.layer("veteran_tree"), dict(catalog.codelists))
    assert {"#9cc98b", "#3a7d44"} <= {c.colour for c in classes}
    page = grown[0].get("/portal?lang=zh")
    assert page.status_code == 200
    assert "古树名木" in page.text
    assert "veteran_tree" in page.text


def test_catalogue(grown: tuple[Service, Path]) -> None:
    found = grown[0].get("/collections/veteran_tree?lang=zh").json()
    assert found["title"] == "古树名木"
    assert found["authority"]["kind"] == "forestry"
    assert found["itemCount"] == 3
