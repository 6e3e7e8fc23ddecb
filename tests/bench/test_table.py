"""The page of the benchmarks says what the figures say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import DOCS
from tests.bench.table import render
from tests.bench.workload import tile_at


@pytest.mark.parametrize("file", sorted(DOCS.glob("benchmarks*.json")), ids=lambda file: file.stem)
def test_page_is_the_rendering_of_the_figures(file: Path) -> None:
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert file.with_suffix(".md").read_text(encoding="utf-8") == render(figures)


def test_every_comparison_has_ours_first_and_a_ratio_for_each_other() -> None:
    figures = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    assert {one["title"] for one in figures["comparisons"]} == {
        "Vector tiles", "Features in a box", "One feature by id",
        "Loading, with all checks", "Loading, with checks of single rows", "Loading, the bare machinery",
        "COG: heights, zstd", "COG: heights, deflate", "COG: picture, zstd", "COG: picture, deflate",
    }  # fmt: skip
    for one in figures["comparisons"]:
        ours, *others = one["sides"]
        assert ours["name"].startswith(("geoservice", "machinery"))
        assert others
        assert all(side["ratio"]["min"] <= side["ratio"]["median"] <= side["ratio"]["max"] for side in others)


def test_tile_of_a_known_place() -> None:
    # The tile of Beijing (116.39 E, 39.91 N) at zoom 10, from the published map of any XYZ tile server.
    assert (tile_at(116.39, 39.91, 10).x, tile_at(116.39, 39.91, 10).y) == (843, 387)
