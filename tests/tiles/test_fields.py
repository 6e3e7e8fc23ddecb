"""What TileJSON says that tiles carry: nothing that a reader may not see, and nothing that a zoom level leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from layers.access import ANONYMOUS, Clearance, Principal, decide
from layers.catalog import read_catalog
from layers.model import VectorLayer
from tests.support.loading import trial_layer
from tests.support.patches import patches
from tiles.fields import zoom_steps
from tiles.order import importance_in_words


def steps(layer: Any, clearance: Clearance = Clearance.PUBLIC) -> list[tuple[int, int, str, tuple[str, ...]]]:
    assert isinstance(layer, VectorLayer)
    decision = decide(Principal("test", clearance), "read", layer)
    return [(one.from_, one.to, one.source, one.fields) for one in zoom_steps(layer, decision)]


def test_a_mosaic_a_rung_and_the_rows() -> None:
    assert steps(patches()) == [
        (5, 11, "mosaic", ("kind", "count", "share")),
        (12, 13, "generalised", ("key", "code", "kind", "level")),
        (14, 14, "rows", ("key", "code", "kind", "level")),
    ]


def test_lower_rungs_carry_what_drawing_needs() -> None:
    road = trial_layer(
        "road", geometry="line", tiles={"from": 6, "to": 12, "importance": {"by": "amount"}},
        style={"line": {"colour": {"by": "name", "colours": {"a": "#336699"}}}},
    )  # fmt: skip
    every = ("key", "code", "name", "amount", "level", "seen")
    few = ("key", "name", "amount")
    assert steps(road) == [
        (6, 7, "generalised", few), (8, 9, "generalised", few), (10, 11, "generalised", every), (12, 12, "rows", every)
    ]  # fmt: skip
    assert steps(road, Clearance.RESTRICTED)[-1][3] == ("key", "code", "name", "amount", "level", "secret", "seen")


def test_clusters_and_points() -> None:
    style = {"circle": {"colour": {"by": "name", "colours": {"a": "#336699"}}}}
    spot = trial_layer("spot", style=style, tiles={"from": 2, "to": 12, "cluster": {"below": 8}})
    assert steps(spot) == [
        (2, 7, "clusters", ("key", "code", "amount", "level", "seen", "name", "count", "share", "classes")),
        (8, 12, "rows", ("key", "code", "name", "amount", "level", "seen")),
    ]


@pytest.mark.parametrize(
    "layer", [one for one in read_catalog() if isinstance(one, VectorLayer)], ids=lambda one: one.name
)
def test_every_zoom_level_of_every_layer_has_one_step(layer: VectorLayer) -> None:
    found = zoom_steps(layer, decide(ANONYMOUS, "read", layer))
    levels = [zoom for step in found for zoom in range(step.from_, step.to + 1)]
    assert levels == list(range(layer.tiles.from_, layer.tiles.to + 1))


def test_importance_in_words() -> None:
    spot = trial_layer(
        "spot", tiles={"importance": {"by": "name", "order": ["a", "b"]}}, label={"zh": "name", "en": "name"},
        style={
            "circle": {"colour": "#336699"}, "appear": {"by": "level", "zooms": {"x": 3}}, "label": {"rank": "amount"}
        },
    )  # fmt: skip
    assert isinstance(spot, VectorLayer)
    assert importance_in_words(spot, spot.attributes) == [
        "name: a, b", "level: as the style shows it from low zooms on", "amount: low first", "feature number: low first"
    ]  # fmt: skip
    # What a reader may not see orders nothing for him.
    assert importance_in_words(spot, ()) == ["name: a, b", "feature number: low first"]
