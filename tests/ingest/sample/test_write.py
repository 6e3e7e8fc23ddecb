"""Same size and seed, same bytes; the size decides the patches and nothing else; bad sizes are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import shapely

from geoservice.cli import EXIT_BAD_INPUT, run
from ingest.sample.write import write_sample
from layers.errors import BadParameter
from tests.ingest.sample.conftest import PARCELS, Written

FROM_PATCHES = {
    "sample_landuse_patch.gpkg",
    "sample_control_line.gpkg",
    "sample_land_cover.tif",
    "sample_imagery.tif",
}


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.slow
def test_the_same_size_and_seed_give_the_same_bytes(sample: Written, tmp_path: Path) -> None:
    manifest = write_sample(tmp_path / "new" / "folder", PARCELS)
    assert manifest == sample.manifest
    assert digests(tmp_path / "new" / "folder") == digests(sample.folder)


@pytest.mark.slow
def test_the_size_decides_the_patches_and_nothing_else(sample: Written, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    other = Written(tmp_path, write_sample(tmp_path, 613, progress=lambda what, share: told.append((what, share))))
    assert other.table("landuse_patch").num_rows == other.manifest.counts["landuse_patch"] == 613
    assert shapely.coverage_is_valid(other.shapes("landuse_patch"))
    mine, theirs = digests(tmp_path), digests(sample.folder)
    assert {name for name in mine if mine[name] != theirs[name]} == FROM_PATCHES
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("parcels", [-1, 0, 499, 1_000_001])
def test_sizes_out_of_range_are_refused_before_anything_is_written(tmp_path: Path, parcels: int) -> None:
    with pytest.raises(BadParameter, match="from 500 to 1000000"):
        write_sample(tmp_path / "none", parcels)
    assert not (tmp_path / "none").exists()


def test_negative_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="negative"):
        write_sample(tmp_path / "none", seed=-1)


def test_the_command_refuses_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", "write", str(tmp_path / "none"), "--parcels", "5"]) == EXIT_BAD_INPUT
    assert "from 500 to 1000000, not 5" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
