"""Making COGs: the confined reader of geoservice against gdal_translate and rio cogeo with the same profile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine

from ingest.job import plan
from ingest.raster_facts import cog_name
from ingest.sandbox import open_raster
from layers.catalog import parse_layer
from layers.model import RasterLayer
from tests.bench.client import BenchError
from tests.bench.results import Figures, comparison, in_turn

CELLS = 5000
BLOCK = 512
_LAYER: dict[str, Any] = {
    "format": 1,
    "kind": "raster",
    "title": {"zh": "栅格", "en": "Raster"},
    "authority": {"kind": "surveying"},
    "cycle": "P1Y",
    "licence": {"share": "unconditional", "basis": "test"},
    "clearance": "public",
    "sources": {"tif": {"match": ["*.tif"]}},
}
_BANDS: dict[str, dict[str, Any]] = {
    "heights": {"bands": [{"name": "height"}], "style": {"ramp": "grey", "stretch": [0, 4000]}},
    "picture": {"bands": [{"name": n} for n in ("red", "green", "blue")], "style": {"rgb": [1, 2, 3]}},
}


@dataclass(frozen=True)
class Case:
    """One file and one compression."""

    file: Path
    kind: str
    compress: str

    def layer(self) -> RasterLayer:
        """A layer that stores the file with this compression."""
        cog = {"blocksize": BLOCK, "compress": self.compress}
        layer = parse_layer({**_LAYER, **_BANDS[self.kind], "cog": cog}, theme="bench", name=self.kind)
        if not isinstance(layer, RasterLayer):
            raise BenchError("The layer of the benchmark is no raster.")
        return layer


def measure(repetitions: int, tell: Callable[[str], None]) -> list[Figures]:
    """All cases, each with all sides in turn."""
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        folder.chmod(0o711)
        for kind, make in (("heights", heights), ("picture", picture)):
            file = make(folder / f"{kind}.tif", CELLS)
            for compress in ("zstd", "deflate"):
                case = Case(file, kind, compress)
                tell(f" {kind}, {compress}")
                found.append(_compare(case, repetitions, tell))
    return found


def _compare(case: Case, repetitions: int, tell: Callable[[str], None]) -> Figures:
    target = case.file.with_name("peer.tif")
    sides = [
        ("geoservice", lambda: _rate(lambda: _ours(case))),
        ("gdal_translate", lambda: _rate(lambda: _gdal(case, target))),
        ("gdal_translate -stats", lambda: _rate(lambda: _gdal(case, target, "-stats"))),
        ("rio cogeo", lambda: _rate(lambda: _rio(case, target))),
    ]
    for _, warm_up in sides:
        warm_up()
    conditions = (
        f"{CELLS} x {CELLS} cells ({case.kind}, {case.file.stat().st_size >> 20} MiB) to a COG in blocks of {BLOCK}, "
        f"{case.compress} with its predictor and averaged overviews, all processors. geoservice: the confined child "
        "from start to end, with checks, statistics, histogram and outline. The others: one command each; with "
        "`-stats` it computes statistics too."
    )
    return comparison(
        f"COG: {case.kind}, {case.compress}", "million cells/s", conditions, in_turn(sides, repetitions, tell)
    )


def _rate(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return CELLS * CELLS / 1e6 / (time.perf_counter() - started)


def _ours(case: Case) -> None:
    with open_raster(plan(case.layer(), case.file, {})) as reader:
        written = reader.finish() / cog_name(0)
        if not written.is_file():
            raise BenchError("The confined reader left no COG behind.")


def _gdal(case: Case, target: Path, *more: str) -> None:
    options = [f"COMPRESS={case.compress.upper()}", "PREDICTOR=YES", f"BLOCKSIZE={BLOCK}", "NUM_THREADS=ALL_CPUS"]
    options += ["OVERVIEW_RESAMPLING=AVERAGE", "BIGTIFF=IF_SAFER"]
    created = [part for option in options for part in ("-co", option)]
    _command(["gdal_translate", "-q", *more, "-of", "COG", *created, str(case.file), str(target)])


def _rio(case: Case, target: Path) -> None:
    rio = shutil.which("rio", path=str(Path(sys.executable).parent)) or "rio"
    predictor = 3 if case.kind == "heights" else 2
    options = ["--cog-profile", case.compress, "--blocksize", str(BLOCK), "--co", f"PREDICTOR={predictor}"]
    options += ["--overview-resampling", "average", "--threads", str(os.cpu_count() or 1), "--quiet"]
    _command([rio, "cogeo", "create", *options, str(case.file), str(target)])


def _command(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {done.stderr[-300:]}")


def heights(file: Path, cells: int) -> Path:
    """Heights of a landscape in metres, two digits after the point, with waves of five lengths."""
    waves = ((12, 600.0), (60, 250.0), (300, 80.0), (1500, 20.0), (2400, 5.0))
    values = np.round(1200 + _landscape(cells, waves, 1), 2).astype("float32")
    return _write(file, values[None], "EPSG:4490", Affine(1e-4, 0, 110, 0, -1e-4, 31))


def picture(file: Path, cells: int) -> Path:
    """Three bands of eight bits with the noise of a camera."""
    noise = np.random.default_rng(5).normal(0, 6, (cells, cells)).astype("float32")
    waves = ((40, 30.0), (400, 25.0), (2000, 15.0))
    bands = [base + _landscape(cells, waves, seed) + noise for base, seed in ((90, 2), (110, 3), (70, 4))]
    values = np.stack([np.clip(band, 0, 255).astype("uint8") for band in bands])
    return _write(file, values, "EPSG:3857", Affine(10, 0, 12_245_143, 0, -10, 3_632_749))


def _landscape(cells: int, waves: tuple[tuple[int, float], ...], seed: int) -> npt.NDArray[np.float32]:
    """Random heights on grids of several widths, joined by straight lines."""
    rng = np.random.default_rng(seed)
    total = np.zeros((cells, cells), dtype="float32")
    for knots, height in waves:
        grid = rng.standard_normal((knots + 1, knots + 1)).astype("float32")
        along = np.arange(cells) / cells * knots
        left = along.astype(int)
        part = (along - left).astype("float32")
        rows = grid[left] * (1 - part)[:, None] + grid[left + 1] * part[:, None]
        total += height * (rows[:, left] * (1 - part) + rows[:, left + 1] * part)
    return total


def _write(file: Path, values: npt.NDArray[Any], crs: str, transform: Affine) -> Path:
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": values.dtype}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    look = {"photometric": "RGB"} if bands > 1 else {}
    with rasterio.open(file, "w", **profile, **tiles, **look, crs=crs, transform=transform) as target:
        target.write(values)
    return file
