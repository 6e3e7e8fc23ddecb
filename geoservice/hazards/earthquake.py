"""Earthquakes: ellipses of macroseismic intensity from magnitude, epicentre and the strike of the causative fault."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pydantic import Field, model_validator

from geoservice.hazards.attenuation import Relation
from geoservice.hazards.method import (
    Estimates,
    Feature,
    FeaturesWanted,
    Found,
    HazardMethod,
    Parameters,
    Position,
    Wanted,
)
from geoservice.hazards.plane import Plane, around, extent_around
from geoservice.hazards.shapes import Grade, ranked
from layers.errors import BadParameter, UnknownFeature
from layers.hazard import Band, ZoneClass
from layers.model import Text

EVENTS, FAULTS = "earthquake", "active_fault"
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
DIVIDE = 105.0
"""Longitude in degrees at which the relations of western and eastern China meet, when none is named."""
CORNERS = 180
"""Corners of an ellipse: one every two degrees."""
_KILOMETRE = 1000.0
_CHORD = 10_000.0
"""Metres along a fault to each side of its nearest point, between which its strike is taken."""
_HALF_TURN, _TURN = 180.0, 360.0


class EarthquakeParameters(Parameters):
    """An earthquake: from the catalogue by `event`, or by its epicentre and magnitude."""

    event: str | None = Field(default=None, max_length=500, description="Public id in the collection earthquake.")
    epicentre: Position | None = None
    magnitude: float | None = Field(
        default=None, ge=3, le=9.5, description="Surface-wave magnitude; that of the event when absent."
    )
    relation: str | None = Field(
        default=None, max_length=80, description="Name of an attenuation relation; west of 105 E west, else east."
    )
    coefficients: Relation | None = Field(default=None, description="A relation of your own instead of a named one.")
    strike: float | None = Field(
        default=None, ge=0, lt=360, description="Azimuth of the long axis; that of the nearest fault when absent."
    )
    fault_within: float = Field(
        default=100_000, gt=0, le=500_000, description="Metres beyond which no fault counts as the causative one."
    )
    least: int = Field(default=6, ge=1, le=12, description="Lowest intensity of the zone.")
    magnitude_error: float = Field(default=0.2, ge=0, le=1, description="By how much the magnitude may be wrong.")
    intensity_error: float = Field(default=0.5, ge=0, le=2, description="By how much the relation may be wrong.")

    @model_validator(mode="after")
    def _require_source(self) -> EarthquakeParameters:
        by_place = self.epicentre is not None and self.magnitude is not None
        if (self.event is None) == (self.epicentre is None) or (self.event is None and not by_place):
            raise ValueError("an earthquake is given by event, or by epicentre and magnitude")
        return self


@dataclass(frozen=True, slots=True)
class _Shock:
    """Where and how strong, what it is called, and when it was."""

    lon: float
    lat: float
    magnitude: float
    event: Feature | None


@dataclass(frozen=True, slots=True)
class _Strike:
    """Azimuth of the long axis in degrees (None: not known) and the fault that it was taken from."""

    azimuth: float | None
    fault: str | None = None


def ellipse(lon: float, lat: float, radii: tuple[float, float], strike: float | None) -> shapely.Geometry:
    """A geodesic ellipse: at the azimuth t from the strike its edge is a b / sqrt((b cos t)2 + (a sin t)2) away.

    Args:
        lon: Longitude of the epicentre in degrees.
        lat: Its latitude.
        radii: Long and short radius, a and b, in kilometres.
        strike: Azimuth of the long axis in degrees; None for a circle.
    """
    azimuths = np.arange(CORNERS) * (_TURN / CORNERS)
    long, short = (radius * _KILOMETRE for radius in radii)
    turned = np.radians(azimuths)
    far = long * short / np.hypot(short * np.cos(turned), long * np.sin(turned))
    clockwise = np.asarray(azimuths + (strike or 0.0), dtype=np.float64)
    return around(lon, lat, clockwise, far)


def nearest_strike(lon: float, lat: float, faults: Sequence[Feature], within: float) -> _Strike:
    """The strike of the fault that comes nearest to a place, measured on a chord of 20 km around its nearest point.

    Args:
        lon: Longitude of the place in degrees.
        lat: Its latitude.
        faults: Lines in degrees.
        within: Metres beyond which no fault counts.
    """
    plane, here = Plane(lon, lat), shapely.Point(0.0, 0.0)
    lines = [
        (line, fault.key)
        for fault in faults
        if fault.geometry is not None
        for line in shapely.get_parts(plane.shape(fault.geometry))
    ]
    near = sorted((shapely.distance(line, here), key, n) for n, (line, key) in enumerate(lines))
    if not near or near[0][0] > within:
        return _Strike(None)
    line, key = lines[near[0][2]]
    along = shapely.line_locate_point(line, here)
    ends = shapely.line_interpolate_point(line, np.clip([along - _CHORD, along + _CHORD], 0.0, line.length))
    (x0, y0), (x1, y1) = shapely.get_coordinates(ends).tolist()
    return _Strike(round(math.degrees(math.atan2(x1 - x0, y1 - y0)) % _HALF_TURN, 1) % _HALF_TURN, key)


def intensity_grade(degree: int, top: int) -> Grade:
    """The class of an intensity; the highest one of a zone has no upper end.

    Args:
        degree: Intensity from 1 to 12 (GB/T 17742).
        top: The highest one of the zone.
    """
    roman = ROMAN[degree - 1]
    band = Band(unit="intensity", at_least=float(degree), below=None if degree >= top else float(degree + 1))
    return Grade(roman, Text(zh=f"烈度{roman}度", en=f"Intensity {roman}"), band)


def _wanted(told: EarthquakeParameters, found: Found) -> Mapping[str, Wanted]:
    wanted: dict[str, Wanted] = {}
    if told.event is not None:
        wanted["event"] = FeaturesWanted(EVENTS, ("magnitude", "time"), ids=(told.event,))
    if told.strike is None and (told.event is None or "event" in found.features):
        shock = _shock(told, found)
        near = extent_around(shock.lon, shock.lat, told.fault_within)
        wanted["faults"] = FeaturesWanted(FAULTS, extent=near, optional=True)
    return wanted


def _shock(told: EarthquakeParameters, found: Found) -> _Shock:
    if told.epicentre is not None and told.magnitude is not None:
        return _Shock(*told.epicentre, told.magnitude, None)
    event = next(iter(found.features["event"]), None)
    if event is None or event.geometry is None:
        raise UnknownFeature(f"There is no earthquake {(told.event or '')[:80]!r}.", origin=f"event:{told.event}")
    magnitude = told.magnitude if told.magnitude is not None else event.attributes.get("magnitude")
    if magnitude is None:
        raise BadParameter("The catalogue has no magnitude of this earthquake; give magnitude.", parameter="magnitude")
    at = shapely.get_coordinates(event.geometry)[0].tolist()
    return _Shock(at[0], at[1], float(magnitude), event)


def _relation(told: EarthquakeParameters, shock: _Shock, found: Found) -> Relation:
    if told.coefficients is not None:
        return told.coefficients
    name = told.relation or ("west" if shock.lon < DIVIDE else "east")
    if name not in found.relations:
        known = ", ".join(sorted(found.relations))
        raise BadParameter(f"relation is one of {known}; {name!r} is not.", parameter="relation")
    return found.relations[name]


def _classes(shock: _Shock, relation: Relation, strike: float | None, told: Any, error: int) -> tuple[ZoneClass, ...]:
    """Classes of an estimate; `error` is -1, 0 or 1 times the declared errors."""
    magnitude = shock.magnitude + error * told.magnitude_error
    shift = error * told.intensity_error
    reached = [
        (degree, radii)
        for degree in range(len(ROMAN), told.least - 1, -1)
        if (radii := relation.radii(magnitude, degree - shift)) is not None
    ]
    return ranked(
        [
            (
                intensity_grade(degree, reached[0][0]),
                ellipse(shock.lon, shock.lat, _unturned(radii, strike, error), strike),
            )
            for degree, radii in reached
        ]
    )


def _unturned(radii: tuple[float, float], strike: float | None, error: int) -> tuple[float, float]:
    """Where the strike is not known: a circle of the same area, of the short radius below and of the long one above."""
    if strike is not None:
        return radii
    long, short = radii
    radius = {-1: short, 0: math.sqrt(long * short), 1: long}[error]
    return radius, radius


def _estimate(told: EarthquakeParameters, found: Found) -> Estimates:
    shock = _shock(told, found)
    relation = _relation(told, shock, found)
    strike = _Strike(told.strike)
    if told.strike is None:
        strike = nearest_strike(shock.lon, shock.lat, found.features.get("faults", ()), told.fault_within)
    low, best, high = (_classes(shock, relation, strike.azimuth, told, error) for error in (-1, 0, 1))
    time = None if shock.event is None else shock.event.attributes.get("time")
    return Estimates(
        best=best,
        low=low,
        high=high,
        nothing=_nowhere(shock.magnitude, ROMAN[told.least - 1]),
        looked=(shock.lon, shock.lat, shock.lon, shock.lat),
        resolved={
            "epicentre": [shock.lon, shock.lat],
            "magnitude": shock.magnitude,
            "strike": strike.azimuth,
            "fault": strike.fault,
            "relation": relation.name,
            "coefficients": relation.model_dump(mode="json"),
        },
        label=Text(
            zh=f"{shock.magnitude:g}级地震烈度", en=f"Intensity of an earthquake of magnitude {shock.magnitude:g}"
        ),
        start=time,
        notes=tuple(_notes(shock, relation, strike.azimuth)),
    )


def _nowhere(magnitude: float, degree: str) -> Text:
    return Text(
        zh=f"按此关系，{magnitude:g}级地震在任何地方都达不到{degree}度。",
        en=f"Magnitude {magnitude:g} reaches intensity {degree} nowhere by this relation.",
    )


def _notes(shock: _Shock, relation: Relation, strike: float | None) -> list[Text]:
    notes = list[Text]()
    if not relation.least <= shock.magnitude <= relation.greatest:
        span = f"{relation.least:g}–{relation.greatest:g}"
        notes.append(
            Text(
                zh=f"该关系由震级{span}的地震得出，此处为外推。",
                en=f"The relation was found from magnitudes {span}; here it is extrapolated.",
            )
        )
    if strike is None:
        notes.append(
            Text(
                zh="断层走向未知：以等面积圆表示，下限取短轴，上限取长轴。",
                en="The strike is not known: circles of equal area, of the short radius below and the long one above.",
            )
        )
    return notes


ELLIPSES = HazardMethod(
    id="earthquake",
    version="1",
    kind="earthquake",
    title=Text(zh="地震烈度椭圆", en="Earthquake intensity ellipses"),
    abstract=Text(
        zh="由震中、震级和发震断层走向，按椭圆衰减关系得出各烈度区。",
        en="Zones of intensity from epicentre, magnitude and strike by an elliptic attenuation relation.",
    ),
    source="I = c + m M - k lg(R + r0) on both axes; Wang Suyun et al. (2000) for eastern and western China; "
    "intensity degrees of GB/T 17742-2020. The short radius never exceeds the long one.",
    uncertainty=Text(
        zh="震级与烈度各减、加所声明的误差。",
        en="Magnitude and intensity less and more by the declared errors (assumptions: 0.2 and half a degree).",
    ),
    parameters=EarthquakeParameters,
    wanted=_wanted,
    estimate=_estimate,
)
