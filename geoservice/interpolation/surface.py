"""The surface between stations: ordinary kriging (PyKrige) or radial basis functions (SciPy), and how wrong it may be.

Distances are those of the azimuthal equidistant projection around the middle of the stations, in metres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from pykrige.ok import OrdinaryKriging
from scipy.interpolate import RBFInterpolator
from scipy.spatial import KDTree, distance_matrix

from geoservice.interpolation.errors import TooFewStations
from layers.area import INVERSE_FLATTENING, SEMI_MAJOR
from layers.errors import BadParameter

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
Method = Literal["kriging", "rbf"]
Variogram = Literal["spherical", "exponential", "gaussian", "linear"]
FEWEST = {"kriging": 5, "rbf": 4}
SOURCES = {
    "kriging": "Ordinary kriging with a variogram fitted to the stations (Cressie 1993; PyKrige); error: square root "
    "of the kriging variance",
    "rbf": "Thin-plate spline through the stations (SciPy RBFInterpolator); error: what is missed at each station "
    "when it is left out (Rippa 1999), interpolated",
}
_REACH = 1.5
_AT_ONCE = 8_192
_DIMENSIONS = 2
_THIN = 1e-3
"""Spread across, as a share of that along, below which stations count as lying on a line."""


@dataclass(frozen=True)
class Samples:
    """Values at places in degrees, in one unit; no two at one place."""

    lon: Floats
    lat: Floats
    value: Floats


@dataclass(frozen=True)
class Frame:
    """Cells between degrees, north up."""

    box: Box
    width: int
    height: int

    @property
    def transform(self) -> Affine:
        """From column and row to longitude and latitude."""
        west, south, east, north = self.box
        return Affine((east - west) / self.width, 0.0, west, 0.0, (south - north) / self.height, north)

    def middles(self) -> tuple[Floats, Floats]:
        """Longitudes of the columns, latitudes of the rows."""
        grid = self.transform
        lon = grid.c + (np.arange(self.width) + 0.5) * grid.a
        lat = grid.f + (np.arange(self.height) + 0.5) * grid.e
        return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


@dataclass(frozen=True)
class Surface:
    """A surface.

    Attributes:
        frame: Its cells.
        values, errors: Of each cell (row, column) in the unit of the samples; not a number out of reach.
        missed: At each sample, what the others would have given minus its value.
        reach: Metres from the nearest sample beyond which nothing is said.
        fitted: What was fitted: the variogram with its parameters.
    """

    frame: Frame
    values: Floats
    errors: Floats
    missed: Floats
    reach: float
    fitted: dict[str, Any]


def surface_of(
    samples: Samples, frame: Frame, method: Method, variogram: Variogram = "spherical", reach: float | None = None
) -> Surface:
    """The surface between samples.

    Args:
        samples: At least 5 for kriging, 4 for radial basis functions.
        frame: The cells.
        method: How.
        variogram: Model of kriging.
        reach: Metres from the nearest sample up to which the surface is drawn; default: one and a half times the
            longest way from a sample to its nearest neighbour.

    Raises:
        TooFewStations: When there are fewer samples, or they do not span a surface.
    """
    if len(samples.value) < FEWEST[method]:
        raise TooFewStations(
            f"{method} takes values of at least {FEWEST[method]} stations at different places; "
            f"{len(samples.value)} have one there then.",
            stations=len(samples.value),
        )
    plane = pyproj.Proj(
        proj="aeqd",
        lon_0=float(samples.lon.mean()),
        lat_0=float(samples.lat.mean()),
        a=SEMI_MAJOR,
        rf=INVERSE_FLATTENING,
    )
    places = np.column_stack(plane(samples.lon, samples.lat))
    tree = KDTree(places)
    reach = reach if reach is not None else _REACH * float(tree.query(places, k=2)[0][:, 1].max())
    model = _model(places, samples.value, method, variogram)
    lon, lat = (side.ravel() for side in np.meshgrid(*frame.middles()))
    values, errors = np.full(lon.size, np.nan), np.full(lon.size, np.nan)
    for part in _parts(lon.size):
        cells = np.column_stack(plane(lon[part], lat[part]))
        near = np.flatnonzero(tree.query(cells)[0] <= reach)
        if near.size:
            values[part.start + near], errors[part.start + near] = model.at(cells[near])
    shape = (frame.height, frame.width)
    return Surface(frame, values.reshape(shape), errors.reshape(shape), model.missed, reach, model.fitted)


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, _AT_ONCE):
        yield slice(first, min(first + _AT_ONCE, count))


class _Flat:
    """Samples that all have one value: nothing can be fitted, and nothing varies."""

    def __init__(self, value: float, count: int) -> None:
        self._value, self.missed = value, np.zeros(count)
        self.fitted: dict[str, Any] = {"note": "All stations have the same value."}

    def at(self, cells: Floats) -> tuple[Floats, Floats]:
        return np.full(len(cells), self._value), np.zeros(len(cells))


class _Kriging:
    def __init__(self, places: Floats, values: Floats, variogram: Variogram) -> None:
        self._model = OrdinaryKriging(places[:, 0], places[:, 1], values, variogram_model=variogram)
        fitted = [float(one) for one in self._model.variogram_model_parameters]
        names = ("slope", "nugget") if variogram == "linear" else ("partial sill", "range", "nugget")
        self.fitted: dict[str, Any] = {"variogram": variogram, **dict(zip(names, fitted, strict=True))}
        apart = distance_matrix(places, places)
        semivariance = self._model.variogram_function(self._model.variogram_model_parameters, apart)
        np.fill_diagonal(semivariance, 0.0)
        self.missed = left_out(-semivariance, np.ones((len(places), 1)), values)

    def at(self, cells: Floats) -> tuple[Floats, Floats]:
        values, variance = self._model.execute("points", cells[:, 0], cells[:, 1], backend="vectorized")
        return np.asarray(values), np.sqrt(np.maximum(np.asarray(variance), 0.0))


class _Spline:
    def __init__(self, places: Floats, values: Floats) -> None:
        # In units of the spread: squares of metres would lose digits.
        self._middle, self._spread = places.mean(axis=0), float(np.ptp(places, axis=0).max())
        at = (places - self._middle) / self._spread
        if np.linalg.svd(at, compute_uv=False)[-1] < _THIN:
            raise np.linalg.LinAlgError
        self._model = RBFInterpolator(at, values, kernel="thin_plate_spline")
        apart = distance_matrix(at, at)
        with np.errstate(divide="ignore", invalid="ignore"):
            kernel = np.where(apart > 0, apart**2 * np.log(apart), 0.0)
        self.missed = left_out(kernel, np.column_stack([np.ones(len(at)), at]), values)
        self._error = RBFInterpolator(at, np.abs(self.missed), kernel="linear", degree=0)
        self.fitted: dict[str, Any] = {"kernel": "thin plate spline", "degree": 1}

    def at(self, cells: Floats) -> tuple[Floats, Floats]:
        scaled = (cells - self._middle) / self._spread
        return self._model(scaled), np.maximum(self._error(scaled), 0.0)


def _model(places: Floats, values: Floats, method: Method, variogram: Variogram) -> _Flat | _Kriging | _Spline:
    if np.ptp(values) == 0:
        return _Flat(float(values[0]), len(values))
    try:
        return _Kriging(places, values, variogram) if method == "kriging" else _Spline(places, values)
    except (np.linalg.LinAlgError, ValueError):
        raise TooFewStations(
            "The stations do not span a surface: they lie on a line or too close to each other.", stations=len(values)
        ) from None


def left_out(kernel: Floats, trend: Floats, values: Floats) -> Floats:
    """At each sample, the value that the others give minus its own, without solving anew for each.

    Args:
        kernel: Covariances or basis functions between samples.
        trend: Terms of the trend at the samples, in columns.
        values: The samples.

    Source: Dubrule 1983, Rippa 1999: of the inverse B of the bordered matrix, the residual is -(B z)_i / B_ii.

    Raises:
        numpy.linalg.LinAlgError: When the samples do not determine a surface.
    """
    count, terms = trend.shape
    whole = np.block([[kernel, trend], [trend.T, np.zeros((terms, terms))]])
    inverse = np.linalg.inv(whole)
    weights = inverse[:count, :count] @ values
    found: Floats = -weights / np.diag(inverse)[:count]
    return found


def frame_of(samples: Samples, box: Box | None, width: int, most: int) -> Frame:
    """The cells of a box, or of what lies around the samples, as square in degrees of latitude as they come.

    Raises:
        BadParameter: When there would be more cells than are made.
        TooFewStations: When there is no sample to lie around.
    """
    if box is None:
        box = _around(samples)
    west, south, east, north = box
    height = max(
        1, round(width * (north - south) / ((east - west) * max(np.cos(np.radians((south + north) / 2)), 0.01)))
    )
    if width * height > most:
        raise BadParameter(
            f"A surface of {width} x {height} cells is more than the {most:,} that are made; ask for a smaller width.",
            parameter="width",
        )
    return Frame(box, width, height)


def _around(samples: Samples) -> Box:
    if len(samples.value) < _DIMENSIONS:
        raise TooFewStations(
            f"Only {len(samples.value)} stations have a value there then.", stations=len(samples.value)
        )
    west, east = float(samples.lon.min()), float(samples.lon.max())
    south, north = float(samples.lat.min()), float(samples.lat.max())
    margin = max(0.1 * max(east - west, north - south), 0.01)
    return max(west - margin, -180.0), max(south - margin, -90.0), min(east + margin, 180.0), min(north + margin, 90.0)


def root_mean_square(missed: Sequence[float] | Floats) -> float:
    """Root of the mean square of what was missed."""
    return float(np.sqrt(np.mean(np.square(missed))))
