"""What is asked of a surface, and what comes of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pykrige
import scipy
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Average
from geoservice.interpolation.samples import Sampled, sample
from geoservice.interpolation.surface import (
    SOURCES,
    Box,
    Floats,
    Method,
    Surface,
    Variogram,
    frame_of,
    root_mean_square,
    surface_of,
)
from geoservice.observations.played import EARNEST, Played, mark
from layers.access import Clearance
from layers.errors import BadParameter
from layers.extent import parse_bbox

MOST_CELLS = 262_144
USUAL_WIDTH = 128
WIDEST = 30.0
"""Degrees of a side: further away than that a plane is no picture of the Earth."""


@dataclass(frozen=True)
class SurfaceRequest:
    """What is asked.

    Attributes:
        property: Code of the property.
        moment: The time (UTC).
        box: Where, in degrees; None for around all stations.
        average: Means over which span instead of readings.
        method, variogram: How.
        width: Columns.
        reach: Metres from the nearest station up to which it is drawn; None: as the stations lie.
        played: Whether played stations count.
    """

    property: str
    moment: dt.datetime
    box: Box | None = None
    average: Average | None = None
    method: Method = "kriging"
    variogram: Variogram = "spherical"
    width: int = USUAL_WIDTH
    reach: float | None = None
    played: Played = EARNEST


@dataclass(frozen=True)
class Drawn:
    """A surface with what it was made from."""

    asked: SurfaceRequest
    sampled: Sampled
    surface: Surface

    def facts(self) -> dict[str, Any]:
        """Method, stations, fit and error, as JSON."""
        asked, sampled, surface = self.asked, self.sampled, self.surface
        library = f"PyKrige {pykrige.__version__}" if asked.method == "kriging" else f"SciPy {scipy.__version__}"
        return {
            **mark(next((one.exercise for one in sampled.used if one.exercise is not None), None)),
            "property": asked.property,
            "label": sampled.label,
            "unit": sampled.unit,
            "datetime": _text(asked.moment),
            "average": asked.average,
            "method": {
                "id": asked.method,
                "library": library,
                "source": SOURCES[asked.method],
                **surface.fitted,
            },
            "bbox": list(surface.frame.box),
            "width": surface.frame.width,
            "height": surface.frame.height,
            "reach": round(surface.reach, 1),
            "range": _range(surface.values),
            "errorRange": _range(surface.errors),
            "crossValidation": {
                "rootMeanSquare": root_mean_square(surface.missed),
                "mean": float(surface.missed.mean()),
            },
            "stations": [
                {
                    "id": one.station,
                    "name": one.name,
                    "point": [one.lon, one.lat],
                    "value": one.value,
                    "datetime": _text(one.time),
                    "leftOut": float(missed),
                    **mark(one.exercise),
                }
                for one, missed in zip(sampled.used, surface.missed, strict=True)
            ],
            "notUsed": [{"id": station, "unit": unit} for station, unit in sampled.left_out],
        }


def box_of(text: str | None) -> Box | None:
    """The box of `bbox` in degrees (CRS84).

    Raises:
        BadParameter: When it is no box, crosses 180 degrees or is too wide.
    """
    if text is None:
        return None
    boxes = parse_bbox(text).boxes()
    west, south, east, north = boxes[0]
    if len(boxes) > 1 or not 0 < east - west <= WIDEST or not 0 < north - south <= WIDEST:
        raise BadParameter(
            f"bbox of a surface has sides above 0 and of at most {WIDEST:g} degrees, and does not cross 180 degrees.",
            parameter="bbox",
        )
    return west, south, east, north


async def sampled_for(connection: AsyncConnection, clearance: Clearance, asked: SurfaceRequest) -> Sampled:
    """The values that a surface is drawn between; raises as `samples.sample`."""
    return await sample(connection, clearance, asked.property, asked.moment, asked.box, asked.average, asked.played)


def drawn(asked: SurfaceRequest, sampled: Sampled) -> Drawn:
    """The surface; it takes seconds, so call it in a thread.

    Raises:
        TooFewStations: When there are too few values, or they do not span a surface.
        BadParameter: When there are too many cells, or the stations lie too far apart.
    """
    samples = sampled.samples
    frame = frame_of(samples, asked.box, asked.width, MOST_CELLS)
    west, south, east, north = frame.box
    if max(east - west, north - south) > 2 * WIDEST:
        raise BadParameter(f"The stations lie over more than {2 * WIDEST:g} degrees; give a bbox.", parameter="bbox")
    return Drawn(asked, sampled, surface_of(samples, frame, asked.method, asked.variogram, asked.reach))


def _range(values: Floats) -> list[float] | None:
    drawn = values[np.isfinite(values)]
    return [float(drawn.min()), float(drawn.max())] if drawn.size else None


def _text(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
