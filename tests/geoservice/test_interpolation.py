"""Surfaces between stations: against formulas, against solving anew, and through the running service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from scipy.interpolate import RBFInterpolator
from scipy.spatial import distance_matrix

from geoservice.db.engine import Database
from geoservice.interpolation.errors import TooFewStations
from geoservice.interpolation.process import InterpolationInputs, run
from geoservice.interpolation.surface import Frame, Samples, left_out, surface_of
from geoservice.jobs.execute import begun
from geoservice.maps.encode import decoded
from layers.access import Clearance, Principal
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import Place, furnish, hourly, record

CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
RNG = np.random.default_rng(7)
LON, LAT = 105 + RNG.random(30), 38 + RNG.random(30)
FRAME = Frame((105.2, 38.2, 105.8, 38.8), 24, 30)
MOMENT = "2026-05-01T00:00:00Z"


def plane(lon: Any, lat: Any) -> Any:
    """A field that is even in degrees, nearly so in metres."""
    return 50 + 20 * (np.asarray(lon) - 105.5) - 10 * (np.asarray(lat) - 38.5)


@pytest.mark.parametrize(("method", "within"), [("rbf", 0.2), ("kriging", 2.0)])
def test_an_even_field_is_found_again(method: Any, within: float) -> None:
    found = surface_of(Samples(LON, LAT, plane(LON, LAT)), FRAME, method, "linear")
    x, y = np.meshgrid(*FRAME.middles())
    assert np.abs(found.values - plane(x, y)).max() < within
    assert np.abs(found.missed).max() < 5
    assert (found.errors >= 0).all()


@pytest.mark.parametrize("method", ["kriging", "rbf"])
def test_stations_keep_their_values(method: Any) -> None:
    values = RNG.normal(50, 10, 30)
    around = [
        surface_of(Samples(LON, LAT, values), Frame((x - 1e-6, y - 1e-6, x + 1e-6, y + 1e-6), 1, 1), method)
        for x, y in zip(LON[:3], LAT[:3], strict=True)
    ]
    assert [one.values.item() for one in around] == pytest.approx(values[:3].tolist(), abs=0.05)


def test_errors_of_kriging_grow_with_the_distance() -> None:
    samples = Samples(LON, LAT, plane(LON, LAT) + RNG.normal(0, 3, 30))
    close = surface_of(
        samples, Frame((LON[0] - 1e-4, LAT[0] - 1e-4, LON[0] + 1e-4, LAT[0] + 1e-4), 1, 1), "kriging", "linear"
    )
    far = surface_of(samples, Frame((106.1, 39.1, 106.2, 39.2), 1, 1), "kriging", "linear", reach=100_000)
    assert close.errors.item() < far.errors.item()


def test_leaving_out_agrees_with_solving_anew() -> None:
    at, values = RNG.random((20, 2)), RNG.normal(0, 1, 20)
    apart = distance_matrix(at, at)
    kernel = np.where(apart > 0, apart**2 * np.log(np.where(apart > 0, apart, 1)), 0.0)
    found = left_out(kernel, np.column_stack([np.ones(20), at]), values)
    for n in range(20):
        others = np.arange(20) != n
        model = RBFInterpolator(at[others], values[others], kernel="thin_plate_spline")
        assert found[n] == pytest.approx(float(model(at[n : n + 1])[0]) - values[n], abs=1e-6)


def test_nothing_is_said_out_of_reach() -> None:
    samples = Samples(LON, LAT, plane(LON, LAT))
    wide = surface_of(samples, Frame((100, 35, 110, 41), 50, 30), "rbf", reach=20_000)
    x, y = np.meshgrid(*wide.frame.middles())
    seen = np.isfinite(wide.values)
    nearest = np.min(np.hypot((x[..., None] - LON) * 87.8, (y[..., None] - LAT) * 111.0), axis=-1)
    assert seen.any()
    assert not seen[nearest > 20.5].any()
    assert seen[nearest < 19.5].all()


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(TooFewStations, match="at least 5"):
        surface_of(Samples(LON[:4], LAT[:4], LON[:4]), FRAME, "kriging")
    line = np.linspace(105, 106, 6)
    with pytest.raises(TooFewStations, match="on a line"):
        surface_of(Samples(line, np.full(6, 0.0), line**2), Frame((105, -0.1, 106, 0.1), 4, 4), "rbf")
    even = surface_of(Samples(LON, LAT, np.full(30, 7.0)), FRAME, "kriging")
    assert (even.values == 7).all()
    assert (even.errors == 0).all()


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepared(module_database, CATALOG)
    places = [Place(f"s{n}", round(float(LON[n]), 5), round(float(LAT[n]), 5), {"pm25": "ug/m3"}) for n in range(12)]
    odd = Place("odd", 105.5, 38.5, {"pm25": "ppm"})
    fine = Place("fine", 105.51, 38.6, {"pm25": "mg/m3"})
    hidden = Place("CNRY-2-hidden", 105.4, 38.4, {"pm25": "ug/m3", "no2": "ug/m3"}, Clearance.RESTRICTED)
    furnish(module_database, [*places, odd, fine, hidden])
    readings = [one for p in places for one in hourly(p, "pm25", [round(float(plane(p.lon, p.lat)), 3)])]
    readings += hourly(odd, "pm25", [0.5]) + hourly(hidden, "pm25", [5000.0]) + hourly(hidden, "no2", [1.0])
    readings += hourly(fine, "pm25", [float(plane(105.51, 38.6)) / 1000])
    record(module_database, readings)
    with running(module_database, CATALOG) as started:
        yield started


def asked(query: str = "") -> str:
    return f"/interpolation?property=pm25&datetime={MOMENT}&width=24{query}"


def test_a_surface_says_what_it_is_made_of(service: Service) -> None:
    facts = service.get(asked("&method=rbf")).json()
    assert {one["id"] for one in facts["stations"]} == {f"s{n}" for n in range(12)} | {"fine"}
    assert facts["notUsed"] == [{"id": "odd", "unit": "[ppm]"}]
    assert facts["method"]["id"] == "rbf"
    assert facts["unit"] == "ug/m3"
    assert facts["crossValidation"]["rootMeanSquare"] < 5
    assert facts["range"][0] < facts["range"][1] < 100, "the hidden station would have drawn it up"


def test_the_file_has_values_and_errors(service: Service) -> None:
    answer = service.get(asked("&method=rbf&bbox=105.2,38.2,105.8,38.8&reach=100&f=geotiff"))
    assert answer.status_code == 200, answer.text
    with MemoryFile(answer.content) as memory, memory.open() as file:
        values, errors = file.read()
        assert file.crs.to_epsg() == 4490
        assert file.descriptions == ("pm25", "error")
        assert json.loads(file.tags()["METHOD"])["id"] == "rbf"
        x, y = rasterio.transform.xy(file.transform, *np.indices(values.shape).reshape(2, -1))
    assert np.abs(values.ravel() - plane(np.asarray(x), np.asarray(y))).max() < 0.5
    assert (errors >= 0).all()


def test_pictures_and_lines(service: Service) -> None:
    answer = service.get(asked("&reach=10&f=png"))
    assert answer.headers["content-type"] == "image/png"
    pixels = decoded(answer.content)
    assert (pixels.shape[0], pixels.shape[2]) == (4, 24)
    assert set(np.unique(pixels[3])) == {0, 255}, "far from all stations it is transparent"
    lines = service.get(asked("&method=rbf&reach=100&f=geojson")).json()["features"]
    assert len(lines) >= 3
    for one in lines:
        at = np.array(one["geometry"]["coordinates"])
        assert np.abs(plane(at[:, 0], at[:, 1]) - one["properties"]["value"]).max() < 1.0


def test_nobody_learns_of_stations_above(service: Service) -> None:
    assert "CNRY" not in service.get(asked()).text
    assert "CNRY" in service.get(asked(), Clearance.RESTRICTED).text
    hidden = service.get(f"/interpolation?property=no2&datetime={MOMENT}")
    missing = service.get(f"/interpolation?property=no3&datetime={MOMENT}")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("no2", "no3") == missing.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("property=pm25", 400),
        (f"property=&datetime={MOMENT}", 400),
        ("property=pm25&datetime=2026-05-01", 400),
        (f"property=pm25&datetime={MOMENT}&bbox=0,0,40,1", 400),
        (f"property=pm25&datetime={MOMENT}&bbox=170,0,-170,1", 400),
        (f"property=pm25&datetime={MOMENT}&width=100000", 400),
        (f"property=pm25&datetime={MOMENT}&method=guess", 400),
        (f"property=pm25&datetime={MOMENT}&reach=nan", 400),
        ("property=pm25&datetime=2030-01-01T00:00:00Z", 404),
    ],
)
def test_bad_questions_are_refused(service: Service, query: str, status: int) -> None:
    answer = service.get(f"/interpolation?{query}")
    assert answer.status_code == status, answer.text


def test_as_a_process(service: Service, tmp_path: Any) -> None:
    somebody = Principal("somebody", Clearance.PUBLIC)
    with begun(service.database, service.catalog, somebody, (tmp_path, None), lambda done, total: None) as execution:
        run(execution, InterpolationInputs(property="pm25", datetime=MOMENT, method="rbf", width=16))
        facts = execution.outputs["facts"].value
        path = execution.folder / str(execution.outputs["surface"].file)
    assert len(facts["stations"]) == 13
    with rasterio.open(path) as file:
        assert (file.count, file.width) == (2, 16)
