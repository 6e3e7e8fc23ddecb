"""Typhoons: where winds reach along a track, by quadrants; and the cone of error by lead time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import numpy as np
import shapely
from pydantic import Field

from geoservice.hazards.method import Estimates, Found, HazardMethod, Wanted
from geoservice.hazards.plane import around
from geoservice.hazards.shapes import Grade, box_around, merged, ranked
from geoservice.hazards.track import METRES, Moment, TrackParameters, moments
from layers.errors import BadParameter
from layers.hazard import Band, ZoneClass
from layers.model import Text

KNOTS, LEVELS = ("64", "50", "34"), ("12", "10", "7")
"""Winds that radii are given for, the strongest first: knots as in best tracks, levels (Beaufort) as of CMA."""
_NAUTICAL = 1.852
CONE = ((0, 0), (12, 26), (24, 39), (36, 53), (48, 67), (60, 81), (72, 99), (96, 145), (120, 205))
"""Hours of lead and nautical miles within which two thirds of the NHC's errors in the Atlantic of 2018 to 2022 lay."""
_QUARTER, _STEPS = 90.0, 31
_CIRCLE = 72
_SECONDS = 3600.0
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Hours = Annotated[float, Field(ge=0, le=720, allow_inf_nan=False)]
Radius = Annotated[float, Field(ge=0, le=3_000, allow_inf_nan=False)]


class WindParameters(TrackParameters):
    """A track whose fixes have radii of winds: of 34, 50, 64 knots, or of levels 7, 10, 12."""

    radius_error: Share = Field(default=0.25, description="Share by which radii may be wrong.")


class ConeParameters(TrackParameters):
    """A forecast track; the first fix is where the cyclone was seen."""

    errors: Annotated[tuple[tuple[Hours, Radius], ...], Field(min_length=2, max_length=100)] = Field(
        default=tuple((float(lead), round(miles * _NAUTICAL, 3)) for lead, miles in CONE),
        description="Hours of lead and the radius of error then, in kilometres; linear between.",
    )
    breaks: Annotated[tuple[Hours, ...], Field(max_length=20)] = Field(
        default=(24.0, 48.0, 72.0), description="Hours of lead at which classes end."
    )


def wind_field(moment: Moment, wind: str, factor: float) -> shapely.Geometry | None:
    """Where a wind reaches at a moment: a quarter of a circle in each quadrant; None where it reaches nowhere.

    Args:
        moment: The cyclone then.
        wind: Name of the wind among the radii.
        factor: Metres per unit of radius.
    """
    radii = moment.quadrants(wind)
    if not any(radii):
        return None
    azimuths = np.concatenate([np.linspace(q * _QUARTER, (q + 1) * _QUARTER, _STEPS) for q in range(len(radii))])
    metres = np.repeat(np.array(radii) * factor, _STEPS)
    return around(moment.lon, moment.lat, azimuths, metres)


def _winds(told: WindParameters) -> Sequence[str]:
    named = {wind for fix in told.fixes for wind in fix.radii}
    for family in (KNOTS, LEVELS):
        if named and named <= set(family):
            return [wind for wind in family if wind in named]
    raise BadParameter(
        "Radii are those of 34, 50 and 64 knots, or those of levels 7, 10 and 12, and some fix has one.",
        parameter="fixes",
    )


def wind_grade(wind: str, stronger: str | None) -> Grade:
    """The class of a wind, up to the next stronger one of the track."""
    knots, more = wind in KNOTS, None if stronger is None else float(stronger)
    band = Band(unit="kt" if knots else "beaufort", at_least=float(wind), below=more)
    if knots:
        return Grade(f"{wind}kt", Text(zh=f"{wind}节以上大风", en=f"Winds of {wind} kt and more"), band)
    return Grade(f"level-{wind}", Text(zh=f"{wind}级风圈", en=f"Winds of level {wind}"), band)


def _swath(track: Sequence[Moment], winds: Sequence[str], factor: float) -> tuple[ZoneClass, ...]:
    graded = list[tuple[Grade, shapely.Geometry]]()
    for wind, stronger in zip(winds, (None, *winds), strict=False):
        fields = [wind_field(moment, wind, factor) for moment in track]
        graded.append((wind_grade(wind, stronger), merged(one for one in fields if one is not None)))
    return ranked(graded)


def _wind_estimate(told: WindParameters, found: Found) -> Estimates:
    fixes, winds, factor = told.ordered(), _winds(told), METRES[told.unit]
    track = moments(fixes, told.step_minutes)
    shares = (1 - told.radius_error, 1.0, 1 + told.radius_error)
    low, best, high = (_swath(track, winds, factor * share) for share in shares)
    return Estimates(
        best=best,
        low=low if told.radius_error else None,
        high=high if told.radius_error else None,
        nothing=Text(zh="路径上所有风圈半径均为0。", en="All radii of the track are 0."),
        looked=box_around([shapely.Point(fix.lon, fix.lat) for fix in fixes]),
        start=fixes[0].time,
        end=fixes[-1].time if len(fixes) > 1 else None,
        resolved={"fixes": [fix.model_dump(mode="json") for fix in fixes]},
    )


def _cone_estimate(told: ConeParameters, found: Found) -> Estimates:
    fixes = told.ordered()
    errors = np.array(sorted(told.errors))
    if len(np.unique(errors[:, 0])) < len(errors):
        raise BadParameter("errors has one lead time twice.", parameter="errors")
    track = moments(fixes, told.step_minutes)
    lead = np.array([moment.seconds for moment in track]) / _SECONDS
    beyond = float(errors[-1, 0])
    kept = [(m, float(np.interp(h, *errors.T))) for m, h in zip(track, lead.tolist(), strict=True) if h <= beyond]
    notes = [] if lead[-1] <= beyond else [_cut_off(beyond)]
    return Estimates(
        best=ranked(_leads(kept, sorted(set(told.breaks)))),
        nothing=Text(zh="整条路径的误差半径均为0。", en="The radius of error is 0 along the whole track."),
        looked=box_around([shapely.Point(fix.lon, fix.lat) for fix in fixes]),
        start=fixes[0].time,
        end=fixes[-1].time if len(fixes) > 1 else None,
        resolved={"fixes": [fix.model_dump(mode="json") for fix in fixes]},
        notes=tuple(notes),
    )


def _leads(track: Sequence[tuple[Moment, float]], breaks: Sequence[float]) -> list[tuple[Grade, shapely.Geometry]]:
    """The circles of error by classes of lead time, the earliest first; a moment on a break belongs to both sides."""
    bounds = [0.0, *(b for b in breaks if b > 0), np.inf]
    graded = list[tuple[Grade, shapely.Geometry]]()
    azimuths = np.linspace(0.0, 4 * _QUARTER, _CIRCLE, endpoint=False)
    for begin, end in pairwise(bounds):
        circles = [
            around(m.lon, m.lat, azimuths, np.full(_CIRCLE, radius * METRES["km"]))
            for m, radius in track
            if radius > 0 and begin <= m.seconds / _SECONDS <= end
        ]
        graded.append((_lead_grade(begin, end), merged(circles)))
    return graded


def _lead_grade(begin: float, end: float) -> Grade:
    closed = np.isfinite(end)
    code = f"{begin:g}-{end:g}h" if closed else f"{begin:g}h+"
    span = f"{begin:g}–{end:g}" if closed else f"{begin:g}+"
    band = Band(unit="h", at_least=begin, below=end if closed else None)
    return Grade(code, Text(zh=f"预报时效{span}小时", en=f"Lead time {span} h"), band)


def _cut_off(hours: float) -> Text:
    return Text(
        zh=f"预报时效超过{hours:g}小时的路径没有误差，未计入。",
        en=f"The track beyond {hours:g} hours of lead has no radius of error and is left out.",
    )


def _nothing_wanted(told: TrackParameters, found: Found) -> Mapping[str, Wanted]:
    return {}


WIND = HazardMethod(
    id="typhoon-wind",
    version="1",
    kind="typhoon",
    title=Text(zh="台风风圈", en="Typhoon winds along a track"),
    abstract=Text(
        zh="沿路径按时间内插四象限风圈半径，得出各级大风扫过的范围。",
        en="Where winds of each class reach along a track, from radii by quadrant, linear in time between fixes.",
    ),
    source="Quarter circles of the radii of each quadrant (NE, SE, SW, NW), geodesic, along geodesics between fixes.",
    uncertainty=Text(
        zh="半径各减、加所声明的比例（默认四分之一，为假定）。",
        en="Radii less and more by the declared share (an assumption: a quarter).",
    ),
    parameters=WindParameters,
    wanted=_nothing_wanted,
    estimate=_wind_estimate,
)
ERROR_CONE = HazardMethod(
    id="typhoon-cone",
    version="1",
    kind="typhoon",
    title=Text(zh="台风路径概率圈", en="Cone of error of a typhoon track"),
    abstract=Text(
        zh="预报路径各时效误差圈的并集，按时效分级；不表示风雨范围。",
        en="Circles of error along a forecast track by classes of lead time; it says nothing of winds.",
    ),
    source="Two thirds of the official errors of the US National Hurricane Center in the Atlantic, 2018-2022 "
    "(12 h 26 nmi to 120 h 205 nmi), unless errors are given.",
    uncertainty=Text(zh="概率圈本身即不确定性。", en="The cone is itself the uncertainty of the centre."),
    parameters=ConeParameters,
    wanted=_nothing_wanted,
    estimate=_cone_estimate,
)
