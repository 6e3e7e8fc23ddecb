"""NetCDF: variables, packed values, the direction of rows, longitudes from 0 to 360, times and levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio

from ingest.job import ReadSummary
from ingest.raster_facts import Stored, cog_name, read_stored
from ingest.readers.raster import convert
from layers.errors import CrsRefused, SourceMismatch
from layers.model import RasterLayer
from tests.support.netcdf import Variable, grid_variables, write_netcdf
from tests.support.rasters import raster_layer, raster_plan

LON, LAT = np.array([100.5, 101.5, 102.5, 103.5]), np.array([32.5, 31.5, 30.5])
CELLS = np.arange(12, dtype="f4").reshape(3, 4)


def layer_of(**mapping: Any) -> RasterLayer:
    return raster_layer(sources={"nc": {"match": ["*.nc"], "crs": "EPSG:4326", **mapping}})


def run(file: Path, layer: RasterLayer) -> tuple[ReadSummary, list[Stored], list[npt.NDArray[Any]]]:
    summary = convert(raster_plan(layer, file), file, file.parent)
    cells = []
    for n in range(summary.good):
        with rasterio.open(file.parent / cog_name(n)) as dataset:
            cells.append(dataset.read(1, masked=True))
    return summary, [read_stored(file.parent, n) for n in range(summary.good)], cells


def series(units: str = "hours since 2026-01-01 00:00:00", calendar: str = "standard") -> dict[str, Variable]:
    """Two times and three levels; the value of a cell says which."""
    values = np.zeros((2, 3, 3, 4), dtype="f4")
    values += np.array([0.0, 100.0]).reshape(2, 1, 1, 1) + np.array([0.0, 10.0, 20.0]).reshape(1, 3, 1, 1)
    grid = grid_variables(CELLS, LON, LAT)
    return {
        "lat": grid["lat"],
        "lon": grid["lon"],
        "time": Variable(("time",), np.array([0.0, 30.0]), {"units": units, "calendar": calendar}),
        "level": Variable(("level",), np.array([500.0, 850.0, 1000.0]), {"units": "hPa"}),
        "height": Variable(("time", "level", "lat", "lon"), values),
    }


@pytest.mark.parametrize("northward", [False, True])
def test_rows_lie_where_their_latitudes_say(tmp_path: Path, northward: bool) -> None:
    step = -1 if northward else 1
    file = write_netcdf(tmp_path / "a.nc", grid_variables(CELLS[::step], LON, LAT[::step]))
    _, (stored,), (cells,) = run(file, layer_of())
    np.testing.assert_array_equal(cells, CELLS)
    assert stored.facts.outline.bounds == pytest.approx((100.0, 30.0, 104.0, 33.0))


def test_packed_values_are_unpacked_and_filled_ones_are_empty(tmp_path: Path) -> None:
    packed = {"scale_factor": 0.5, "add_offset": 10.0, "_FillValue": np.array([3], "i2")}
    file = write_netcdf(tmp_path / "a.nc", grid_variables(CELLS.astype("i2"), LON, LAT, **packed))
    _, _, (cells,) = run(file, layer_of())
    assert cells[0, 3] is np.ma.masked
    expected = CELLS * 0.5 + 10
    np.testing.assert_allclose(cells.compressed(), np.delete(expected.ravel(), 3))


def test_a_globe_from_0_to_360_is_turned(tmp_path: Path) -> None:
    lon, lat = np.arange(36) * 10 + 5.0, 85.0 - np.arange(18) * 10
    truth = np.broadcast_to(np.where(lon > 180, lon - 360, lon), (18, 36)).astype("f4")
    file = write_netcdf(tmp_path / "a.nc", grid_variables(truth, lon, lat))
    summary, (stored,), (cells,) = run(file, layer_of())
    np.testing.assert_array_equal(cells[0], np.arange(36) * 10 - 175.0)
    assert stored.facts.outline.bounds == (-180.0, -90.0, 180.0, 90.0)
    assert "longitudes-turned" in {f.rule for f in summary.findings}


def test_centres_on_0_and_on_the_poles(tmp_path: Path) -> None:
    lon, lat = np.arange(36) * 10.0, 90.0 - np.arange(19) * 10
    truth = np.broadcast_to(lon, (19, 36)).astype("f4")
    file = write_netcdf(tmp_path / "a.nc", grid_variables(truth, lon, lat))
    _, (stored,), (cells,) = run(file, layer_of())
    with rasterio.open(tmp_path / cog_name(0)) as dataset:
        assert dataset.transform.c == pytest.approx(-185.0)
        column = int(dataset.index(100.0, 0.0)[1])
    assert (cells[0, 0], cells[0, column]) == (180.0, 100.0)
    assert stored.facts.outline.bounds == (-180.0, -90.0, 180.0, 90.0)


def test_a_region_east_of_180_is_moved_west(tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "a.nc", grid_variables(CELLS, LON + 100, LAT))
    _, (stored,), (cells,) = run(file, layer_of())
    assert stored.facts.outline.bounds == pytest.approx((-160.0, 30.0, -156.0, 33.0))
    np.testing.assert_array_equal(cells, CELLS)


class TestSlices:
    """Which of many times and levels are taken."""

    def test_without_a_word_of_the_mapping_it_is_asked_for(self, tmp_path: Path) -> None:
        file = write_netcdf(tmp_path / "a.nc", series())
        with pytest.raises(SourceMismatch, match=r"6 slices \(time: 2 \(0 to 30\); level: 3 \(500 to 1000\)\)"):
            run(file, layer_of())

    @pytest.mark.parametrize(
        ("wanted", "value"),
        [({"time": 0, "level": 0}, 0), ({"time": 1, "level": 2}, 120), ({"time": -1, "level": 1}, 110)],
    )
    def test_one_by_its_index(self, tmp_path: Path, wanted: dict[str, int], value: float) -> None:
        file = write_netcdf(tmp_path / "a.nc", series())
        _, (stored,), (cells,) = run(file, layer_of(slices=wanted))
        assert stored.name == "a.nc"
        assert np.unique(cells).tolist() == [value]

    def test_each_becomes_an_asset_named_after_its_time(self, tmp_path: Path) -> None:
        file = write_netcdf(tmp_path / "a.nc", series())
        summary, stored, cells = run(file, layer_of(slices="each"))
        assert summary.read == 6
        assert {s.name: float(c[0, 0]) for s, c in zip(stored, cells, strict=True)} == {
            "a.nc#2026-01-01T00:00:00Z,level=500": 0,
            "a.nc#2026-01-01T00:00:00Z,level=850": 10,
            "a.nc#2026-01-01T00:00:00Z,level=1000": 20,
            "a.nc#2026-01-02T06:00:00Z,level=500": 100,
            "a.nc#2026-01-02T06:00:00Z,level=850": 110,
            "a.nc#2026-01-02T06:00:00Z,level=1000": 120,
        }

    def test_a_calendar_of_models_keeps_its_own_numbers(self, tmp_path: Path) -> None:
        file = write_netcdf(tmp_path / "a.nc", series(calendar="360_day"))
        assert run(file, layer_of(slices="each"))[1][3].name == "a.nc#time=30,level=500"

    @pytest.mark.parametrize("wanted", [{"time": 0}, {"time": 0, "level": 3}, {"time": 0, "level": 0, "depth": 1}])
    def test_an_index_that_does_not_fit_is_told(self, tmp_path: Path, wanted: dict[str, int]) -> None:
        file = write_netcdf(tmp_path / "a.nc", series())
        with pytest.raises(SourceMismatch, match=r"a\.nc has"):
            run(file, layer_of(slices=wanted))


def test_a_variable_is_chosen_by_the_mapping(tmp_path: Path) -> None:
    variables = grid_variables(CELLS, LON, LAT)
    file = write_netcdf(tmp_path / "a.nc", {**variables, "wind": Variable(("lat", "lon"), CELLS + 50)})
    with pytest.raises(SourceMismatch, match="height, wind"):
        run(file, layer_of())
    with pytest.raises(SourceMismatch, match="'rain'"):
        run(file, layer_of(sublayer="rain"))
    assert float(run(file, layer_of(sublayer="wind"))[2][0][0, 0]) == 50


def test_a_grid_mapping_states_the_system(tmp_path: Path) -> None:
    variables = grid_variables(CELLS, LON, LAT, grid_mapping="crs")
    mapping = {
        "grid_mapping_name": "latitude_longitude",
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
    }
    variables["crs"] = Variable((), np.array(0, dtype="i4"), mapping)
    file = write_netcdf(tmp_path / "a.nc", variables)
    with pytest.raises(CrsRefused):
        # An ellipsoid alone is no datum: it does not say where the cells lie to the metre.
        run(file, raster_layer(sources={"nc": {"match": ["*.nc"]}}))
    wkt = rasterio.crs.CRS.from_epsg(4490).to_wkt()
    variables["crs"] = Variable((), np.array(0, dtype="i4"), {**mapping, "crs_wkt": wkt, "spatial_ref": wkt})
    file = write_netcdf(tmp_path / "a.nc", variables)
    assert run(file, raster_layer(sources={"nc": {"match": ["*.nc"]}}))[1][0].facts.crs == "EPSG:4490"


def test_uneven_coordinates_are_no_grid(tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "a.nc", grid_variables(CELLS, np.array([100.0, 101, 103, 109]), LAT))
    with pytest.raises(SourceMismatch, match="not evenly spaced"):
        run(file, layer_of())
