"""The arithmetic of registered parameters: from the old system to CGCS2000, on arrays of coordinates.

Seven parameters and grids run through PROJ; four parameters are a similarity of the plane. Errors name the set and
never a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
from pyproj.enums import TransformDirection
from pyproj.exceptions import ProjError

from layers.errors import CrsRefused, DefinitionError
from layers.transformation import BursaWolf, Four, Grid, Helmert, Rotation, Scale, Transformation

Coordinates = npt.NDArray[np.float64]
Shift = Callable[[Coordinates], Coordinates]

_ARC_SECOND = math.pi / 648_000
_TO_RADIANS: dict[Rotation, float] = {"arc-second": _ARC_SECOND, "radian": 1.0, "microradian": 1e-6}
_CONVENTION = {"position-vector": "position_vector", "coordinate-frame": "coordinate_frame"}


def shift_of(registered: Transformation, folder: Path) -> Shift:
    """The way from the old system of a set to its linked one, whatever the direction of the set.

    Args:
        registered: The parameters.
        folder: Where the grid file lies.

    Returns:
        A function of n x 2 coordinates: longitude and latitude in degrees for `bursa-wolf-7` and `grid`, easting and
        northing in metres for `helmert-2d-4`.

    Raises:
        CrsRefused: When PROJ does not accept the parameters or the grid.
    """
    if isinstance(registered, Helmert):
        return _similarity(registered)
    if isinstance(registered, BursaWolf):
        return _piped(registered, _bursa_wolf(registered))
    path = folder / registered.file
    try:
        registered.verify(path)
    except DefinitionError as error:
        raise CrsRefused(error.detail, transformation=registered.name) from error
    return _piped(registered, _grid(path))


def _similarity(registered: Helmert) -> Shift:
    """X' = dx + k (x cos a - y sin a), y' = dy + k (x sin a + y cos a), x and y being the first and second axis."""
    p: Four = registered.parameters
    angle = p.rotation * _TO_RADIANS[registered.units.rotation]
    turn = _factor(p.scale, registered.units.scale) * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    move = np.array([p.dx, p.dy])
    back = np.linalg.inv(turn)
    order = [0, 1] if registered.axes == "east-north" else [1, 0]

    def shift(coordinates: Coordinates) -> Coordinates:
        given = coordinates[:, order]
        found = (given - move) @ back.T if registered.backwards else given @ turn.T + move
        return np.ascontiguousarray(found[:, order])

    return shift


def _factor(value: float, unit: Scale) -> float:
    return 1 + value * 1e-6 if unit == "ppm" else value


def _bursa_wolf(registered: BursaWolf) -> str:
    p, units = registered.parameters, registered.units
    seconds = _TO_RADIANS[units.rotation] / _ARC_SECOND
    ppm = (_factor(p.scale, units.scale) - 1) * 1e6 if units.scale == "factor" else p.scale
    terms = {
        "x": p.dx,
        "y": p.dy,
        "z": p.dz,
        "rx": p.rx * seconds,
        "ry": p.ry * seconds,
        "rz": p.rz * seconds,
        "s": ppm,
    }
    helmert = " ".join(f"+{name}={value!r}" for name, value in terms.items())
    begins = registered.begins
    if begins is None:
        raise CrsRefused(f"The parameters {registered.name} do not begin at a geographic system.")
    return (
        f"+step +proj=push +v_3 +step +proj=cart {_ellipsoid(begins)} "
        f"+step +proj=helmert {helmert} +convention={_CONVENTION[registered.convention]} "
        f"+step +inv +proj=cart {_ellipsoid(registered.ends)} +step +proj=pop +v_3"
    )


def _ellipsoid(crs: pyproj.CRS) -> str:
    found = crs.ellipsoid
    if found is None:
        raise CrsRefused(f"{crs.name} has no ellipsoid.")
    return f"+a={found.semi_major_metre!r} +rf={found.inverse_flattening!r}"


def _grid(path: Path) -> str:
    text = str(path)
    if any(c.isspace() or c in ',"' for c in text):
        raise CrsRefused("The path of a grid must not hold blanks, commas or quotes.")
    return f"+step +proj=hgridshift +grids={text}"


def _piped(registered: BursaWolf | Grid, steps: str) -> Shift:
    text = (
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad {steps} "
        "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    try:
        way = pyproj.Transformer.from_pipeline(text)
    except ProjError:
        # The library quotes the pipeline, and with it the parameters.
        raise CrsRefused(f"The registered parameters {registered.name} cannot be used by PROJ.") from None
    direction = TransformDirection.INVERSE if registered.backwards else TransformDirection.FORWARD

    def shift(coordinates: Coordinates) -> Coordinates:
        return np.column_stack(way.transform(coordinates[:, 0], coordinates[:, 1], direction=direction))

    return shift
