"""Tile matrix sets from an agency's files: what is read, and what is refused with one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import morecantile
import pyproj
import pytest

from layers.errors import DefinitionError
from layers.extent import Extent
from tests.architecture.checkout import ROOT
from tiles.sets.registry import matrix_sets
from tiles.sets.standard import built_in

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def example() -> dict[str, Any]:
    """The set that the documentation shows."""
    (block,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/tile-sets.md").read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    return found


def changed(level: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    document = {**example(), **members}
    if level is not None:
        first, *others = document["tileMatrices"]
        document["tileMatrices"] = [{**first, **level}, *others]
    return {key: value for key, value in document.items() if value is not None}


def written(folder: Path, document: object, name: str = "own.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    sets = matrix_sets((), written(tmp_path, example()))
    assert sets.ids[-1] == "County10000"
    grid = sets.get("County10000")
    assert (grid.family, grid.srid, grid.registered) == ("projected", 4526, False)
    oracle = morecantile.TileMatrixSet.model_validate(example())
    for z, row, col in ((0, 0, 0), (1, 1199, 999), (1, 3, 77)):
        assert grid.place(z, row, col).bounds == pytest.approx(tuple(oracle.xy_bounds(morecantile.Tile(col, row, z))))
    # 2.8 m are finer than 4.78 m (zoom 15) and coarser than 2.39 m (zoom 16).
    assert [m.zoom for m in grid.matrices.values()] == [16, 17]
    x, y = pyproj.Transformer.from_crs(4490, 4526, always_xy=True).transform(113.5, 37.0)
    (limit,) = grid.limits(Extent(113.5, 37.0, 113.5, 37.0), [grid.matrices[1]])
    col, row = int((x - 38300000) // 358.4), int((4300000 - y) // 358.4)
    assert limit["minTileCol"] <= col <= limit["maxTileCol"]
    assert limit["minTileRow"] <= row <= limit["maxTileRow"]
    assert grid.reaches(Extent(113, 36, 114, 37))
    assert not grid.reaches(Extent(100, 36, 101, 37))


def test_a_folder_of_files(tmp_path: Path) -> None:
    written(tmp_path, example(), "b.json")
    degrees = {"id": "Degrees", "crs": "urn:ogc:def:crs:OGC:1.3:CRS84", "orderedAxes": None}
    place = {"scaleDenominator": 2.79541132014358e8, "cellSize": 0.703125, "pointOfOrigin": [-180, 90]}
    one = changed({**place, "matrixWidth": 2, "matrixHeight": 1}, **degrees)
    written(tmp_path, {**one, "tileMatrices": one["tileMatrices"][:1]}, "a.json")
    (tmp_path / "read.me").write_text("not a set")
    sets = matrix_sets((), tmp_path)
    assert sets.ids[3:] == ("Degrees", "County10000")
    assert sets.get("Degrees").family == "degrees"
    assert sets.get("Degrees").place(0, 0, 1).bounds == (0, -90, 180, 90)


def test_names_of_axes_win_over_the_crs(tmp_path: Path) -> None:
    grids = []
    for axes, origin in ((["E", "N"], [38300000, 4300000]), (["N", "E"], [4300000, 38300000]), (None, None)):
        document = changed(orderedAxes=axes)
        for level in document["tileMatrices"]:
            level["pointOfOrigin"] = origin or level["pointOfOrigin"]
        grids.append(matrix_sets((), written(tmp_path, document)).get("County10000"))
    assert len({grid.place(1, 3, 4).bounds for grid in grids}) == 1


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (changed(orderedAxes=["E", "N"]), "axes swapped"),
        (changed(crs=EPSG + "2421"), "Beijing 1954"),
        (changed(crs=EPSG + "2379"), "Xian 1980"),
        (changed(crs=EPSG + "4978"), "other axes"),
        (changed(crs=EPSG + "999999"), "there is no EPSG:999999"),
        (changed(crs="https://example.org/crs"), "is neither"),
        (changed(crs={"wkt": {}}), "crs"),
        (changed({"scaleDenominator": 10583}), "says 10583"),
        (changed({"tileWidth": 512}), "256, 512, 1024"),
        (changed({"cornerOfOrigin": "bottomLeft"}), "topLeft"),
        (changed({"variableMatrixWidths": [{"coalesce": 2, "minTileRow": 0, "maxTileRow": 1}]}), "ariableMatrixWidths"),
        (changed({"id": "A"}), "id"),
        (changed({"id": "7"}), "one by one"),
        (changed({"cellSize": 1.0, "scaleDenominator": 1 / 0.00028}), "finer"),
        (changed({"cellSize": -1}), "ellSize"),
        (changed({"matrixWidth": 2**40}), "atrixWidth"),
        (changed({"pointOfOrigin": [1]}), "ointOfOrigin"),
        (changed(tileMatrices=[]), "ileMatrices"),
        (changed(id="a/../b"), "id"),
        (changed(id=None), "id"),
        (changed(id="CGCS2000Quad"), "already"),
        (changed(id="CGCS2000GK3CM75E"), "already"),
        ([], "JSON object"),
        ("x" * (2 << 20), "1 MiB"),
    ],
)
def test_what_is_no_usable_set(tmp_path: Path, document: object, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        matrix_sets((), written(tmp_path, document))
    assert sentence in caught.value.detail


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(DefinitionError, match=r"own\.json"):
        matrix_sets((), path)
    with pytest.raises(DefinitionError, match=r"none\.json"):
        matrix_sets((), tmp_path / "none.json")


def test_built_in_sets_are_made_once() -> None:
    assert built_in("CGCS2000GK3Zone39") is built_in("CGCS2000GK3Zone39")
    assert built_in("County10000") is None
