"""Side files that come alone: the sentence names what to load instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.job import plan
from ingest.side_files import lone_part
from layers.errors import SourceMismatch
from tests.support.loading import trial_layer


@pytest.mark.parametrize(
    ("name", "main"),
    [
        ("DLTB.dbf", "a Shapefile; load DLTB.shp"),
        ("a b.SHX", "a Shapefile; load a b.shp"),
        ("dem.tif.aux.xml", "a raster; load dem.tif"),
        ("roads.mid", "a MapInfo interchange file; load roads.mif"),
    ],
)
def test_a_part_names_its_whole(name: str, main: str) -> None:
    assert lone_part(name) == f"{name} is only a part of {main}, with it beside."


@pytest.mark.parametrize("name", ["a.shp", "a.tif", "dbf", "a.xml", "a.dbf.zip", ""])
def test_others_are_no_parts(name: str) -> None:
    assert lone_part(name) is None


def test_it_is_said_before_the_lack_of_a_mapping() -> None:
    layer = trial_layer()
    with pytest.raises(SourceMismatch, match=r"^DLTB\.dbf is only a part of a Shapefile; load DLTB\.shp"):
        plan(layer, Path("DLTB.dbf"), {})
    with pytest.raises(SourceMismatch, match="no mapping fits"):
        plan(layer, Path("DLTB.shp"), {})


def test_a_mapping_that_asks_for_it_has_its_way() -> None:
    """Negative control: what somebody maps on purpose is for the reader to judge."""
    layer = trial_layer(
        sources={"odd": {"match": ["*.dbf"]}}, row_clearance=None, attributes={"code": {"type": "text"}}, time=None
    )
    assert plan(layer, Path("DLTB.dbf"), {}).mapping_name == "odd"
