"""Tracks of tropical cyclones: fixes in time, and what lies between them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from geoservice.hazards.method import Lat, Lon, Parameters
from geoservice.queries.geodesy import ellipsoid
from layers.errors import BadParameter

QUADRANTS = ("NE", "SE", "SW", "NW")
MOST_FIXES = 1_000
MOST_STEPS = 5_000
"""Most moments that a track is looked at."""
METRES = {"km": 1000.0, "nmi": 1852.0}
_HOUR = 3600.0
_EACH = len(QUADRANTS)
Radius = Annotated[float, Field(ge=0, le=2_000, allow_inf_nan=False)]


class Fix(BaseModel):
    """Where a cyclone is at a time, and how far its winds reach.

    Attributes:
        time: When.
        lon, lat: Its centre in degrees.
        radii: By wind (`34`, `50`, `64` knots, or levels `7`, `10`, `12`): one radius, or four (NE, SE, SW, NW).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    lon: Lon
    lat: Lat
    radii: Mapping[str, Annotated[tuple[Radius, ...], Field(min_length=1, max_length=4)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _require_quadrants(self) -> Fix:
        for wind, radii in self.radii.items():
            if len(radii) not in (1, _EACH):
                raise ValueError(f"the radii of {wind[:20]} are one number, or four: {', '.join(QUADRANTS)}")
        return self

    def quadrants(self, wind: str) -> tuple[float, ...]:
        """The four radii of a wind; 0 where the fix has none."""
        radii = self.radii.get(wind, (0.0,))
        return radii * _EACH if len(radii) == 1 else radii


class TrackParameters(Parameters):
    """A track: at least two fixes at different times, in any order."""

    fixes: Annotated[tuple[Fix, ...], Field(min_length=1, max_length=MOST_FIXES)]
    unit: Literal["km", "nmi"] = Field(default="km", description="Unit of radii: kilometres or nautical miles.")
    step_minutes: float = Field(default=15, ge=1, le=360, description="Minutes between the moments looked at.")

    def ordered(self) -> tuple[Fix, ...]:
        """The fixes in the order of their times."""
        return tuple(sorted(self.fixes, key=lambda fix: fix.time))


@dataclass(frozen=True, slots=True)
class Moment:
    """A cyclone at a moment: seconds from the first fix, centre in degrees, the fixes around it and where between.

    `share` is 0 at the fix before and 1 at the fix after.
    """

    seconds: float
    lon: float
    lat: float
    before: Fix
    after: Fix
    share: float

    def quadrants(self, wind: str) -> tuple[float, ...]:
        """The four radii of a wind, linear in time between the fixes."""
        pairs = zip(self.before.quadrants(wind), self.after.quadrants(wind), strict=True)
        return tuple(one + (other - one) * self.share for one, other in pairs)


def moments(fixes: Sequence[Fix], step_minutes: float) -> list[Moment]:
    """The track from fix to fix along geodesics at even speed, at least once in every step.

    Args:
        fixes: In the order of their times.
        step_minutes: Longest time between two moments.

    Raises:
        BadParameter: When two fixes have one time, or there are too many moments.
    """
    first = fixes[0]
    found = [Moment(0.0, first.lon, first.lat, first, first, 0.0)]
    for before, after in pairwise(fixes):
        seconds = (after.time - before.time).total_seconds()
        if seconds <= 0:
            raise BadParameter(f"Two fixes have the time {before.time.isoformat()}.", parameter="fixes")
        count = max(1, int(np.ceil(seconds / 60 / step_minutes)))
        if len(found) + count > MOST_STEPS:
            raise BadParameter(
                f"The track has more than {MOST_STEPS} moments; give a larger step_minutes.", parameter="step_minutes"
            )
        found += _between(before, after, (before.time - first.time).total_seconds(), seconds, count)
    return found


def hours(moment: dt.datetime, since: dt.datetime) -> float:
    """Hours from one time to another."""
    return (moment - since).total_seconds() / _HOUR


def _between(before: Fix, after: Fix, begun: float, seconds: float, count: int) -> list[Moment]:
    geod: Any = ellipsoid()
    azimuth, _, metres = geod.inv(before.lon, before.lat, after.lon, after.lat)
    shares = np.arange(1, count + 1) / count
    same = np.ones(count)
    lon, lat, _ = geod.fwd(same * before.lon, same * before.lat, same * azimuth, metres * shares)
    # The last moment is the fix itself, to the last bit.
    lon[-1], lat[-1] = after.lon, after.lat
    rows = zip(shares.tolist(), lon.tolist(), lat.tolist(), strict=True)
    return [Moment(begun + share * seconds, x, y, before, after, share) for share, x, y in rows]
