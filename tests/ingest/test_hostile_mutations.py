"""Rasters with some of their bytes flipped, and loads of others beside them: a reader may die, nobody else notices."""

from __future__ import annotations

import subprocess
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from ingest.job import ReadLimits
from layers.system import layer_state
from tests.support.dock import CELLS, PATIENCE, Dock
from tests.support.netcdf import grid_variables, write_netcdf
from tests.support.rasters import grid, write_tif

FORMATS = ("tif", "img", "asc", "nc", "png", "jpg")
_DRIVERS = {"img": "HFA", "asc": "AAIGrid", "png": "PNG", "jpg": "JPEG"}


def sound(folder: Path, kind: str) -> bytes:
    """A small raster of a format that is read without complaint."""
    cells = np.random.default_rng(1).integers(1, 200, (64, 64)).astype("uint8")
    file = folder / f"whole.{kind}"
    if kind == "nc":
        lon, lat = 100 + np.arange(64) / 64, 40 - np.arange(64) / 64
        return write_netcdf(file, grid_variables(cells.astype("f4"), lon, lat)).read_bytes()
    source = write_tif(folder / "source.tif", cells, grid(100, 40, 1 / 64), compress="deflate")
    if kind == "tif":
        return source.read_bytes()
    subprocess.run(["gdal_translate", "-q", "-of", _DRIVERS[kind], str(source), str(file)], check=True)
    return file.read_bytes()


def mutated(content: bytes, seed: int) -> bytes:
    """Flip one bit in each of 0.1 to 2 percent of the bytes."""
    rng = np.random.default_rng(seed)
    data = np.frombuffer(content, dtype="u1").copy()
    places = rng.random(data.size) < rng.uniform(0.001, 0.02)
    data[places] ^= (1 << rng.integers(0, 8, int(places.sum()))).astype("u1")
    return data.tobytes()


def delivery(folder: Path, kind: str, seeds: range) -> Path:
    """An archive of mutated rasters and one sound one."""
    content = sound(folder, kind)
    world = "0.015625\n0\n0\n-0.015625\n100\n40\n"
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, data in (("sound", content), *((f"m{seed}", mutated(content, seed)) for seed in seeds)):
            archive.writestr(f"{name}.{kind}", data)
            archive.writestr(f"{name}.wld", world)
    return folder / "a.zip"


def judge(house: Dock, folder: Path, kind: str, seeds: range) -> None:
    file = delivery(folder, kind, seeds)
    verdict = house.receive(file, CELLS)
    assert verdict.seconds < PATIENCE * 2
    if verdict.report is None:
        # One of them killed the reader: then that is said, and nothing of the delivery came in.
        assert verdict.refused
        return
    report = verdict.report
    assert report.read == len(seeds) + 1
    assert report.inserted + report.updated + report.unchanged >= 1, "the sound one is loaded"


@pytest.mark.parametrize("kind", FORMATS)
def test_mutated_rasters_beside_a_sound_one(house: Dock, tmp_path: Path, kind: str) -> None:
    judge(house, tmp_path, kind, range(30))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 300, 50))
@pytest.mark.parametrize("kind", FORMATS)
def test_many_mutated_rasters(house: Dock, tmp_path: Path, kind: str, start: int) -> None:
    judge(house, tmp_path, kind, range(start, start + 50))


@pytest.mark.parametrize("kind", ["tif", "img", "nc", "png"])
def test_rasters_cut_off_anywhere(house: Dock, tmp_path: Path, kind: str) -> None:
    content = sound(tmp_path, kind)
    places = np.linspace(1, len(content) - 1, 12).astype(int)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for place in places:
            archive.writestr(f"c{place}.{kind}", content[:place])
            archive.writestr(f"c{place}.wld", "0.1\n0\n0\n-0.1\n100\n40\n")
    verdict = house.receive(tmp_path / "a.zip", CELLS)
    assert verdict.refused or (verdict.report is not None and verdict.report.read == len(places))


@pytest.mark.slow
def test_others_are_not_held_up(house: Dock, tmp_path: Path) -> None:
    """While hostile deliveries come in, a query of somebody else takes no more than twice its time (99 of 100)."""

    def asked(count: int) -> list[float]:
        found = []
        for _ in range(count):
            began = time.perf_counter()
            with house.target.engine.connect() as connection:
                connection.execute(sa.select(sa.func.count()).select_from(layer_state)).scalar_one()
            found.append(time.perf_counter() - began)
            time.sleep(0.01)
        return found

    file = delivery(tmp_path, "tif", range(40))

    def held_up() -> bool:
        quiet = np.quantile(asked(300), 0.99)
        hostile = threading.Thread(target=house.receive, args=(file, CELLS, ReadLimits(seconds=PATIENCE)))
        hostile.start()
        busy = np.quantile(asked(300), 0.99)
        hostile.join()
        # Below a twentieth of a second the scheduler of a machine with two processors decides, not the service.
        return bool(busy > max(2 * quiet, 0.05))

    # Something else on the machine may take its processors once or twice; a service that is held up is so each time.
    assert not all(held_up() for _ in range(3))
