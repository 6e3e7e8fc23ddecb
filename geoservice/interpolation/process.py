"""The process `interpolation`: a surface between stations as a file, with what it was made from."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.edr.model import Average
from geoservice.interpolation.output import write_geotiff
from geoservice.interpolation.request import (
    MOST_CELLS,
    USUAL_WIDTH,
    SurfaceRequest,
    box_of,
    drawn,
    sampled_for,
)
from geoservice.interpolation.samples import Sampled
from geoservice.interpolation.surface import Method, Variogram
from geoservice.observations.played import played
from geoservice.processes.model import Execution, Process
from layers.interval import parse_instant
from layers.model import Text

FILE, FACTS = "surface", "facts"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


class InterpolationInputs(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    property: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00]+$", description="Code of the property.")
    datetime: str = Field(max_length=60, description="RFC 3339 instant.")
    bbox: list[float] | None = Field(
        default=None, min_length=4, max_length=4, description="west, south, east, north in degrees (CRS84)."
    )
    average: Average | None = Field(default=None, description="Means of the hour, day or month instead of readings.")
    method: Method = Field(default="kriging", description="Ordinary kriging, or radial basis functions.")
    variogram: Variogram = Field(default="spherical", description="Model of kriging.")
    width: int = Field(default=USUAL_WIDTH, ge=8, le=MOST_CELLS, description="Columns.")
    reach: float | None = Field(default=None, gt=0, le=500, description="Kilometres from the nearest station.")
    exercise: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00]+$",
        description="What is played, too, marked: true, or the id of an exercise.",
    )

    def request(self) -> SurfaceRequest:
        """The same for the domain.

        Raises:
            BadParameter: When the time or the box is not acceptable.
        """
        return SurfaceRequest(
            property=self.property,
            moment=parse_instant(self.datetime, "datetime"),
            box=box_of(None if self.bbox is None else ",".join(map(repr, self.bbox))),
            average=self.average,
            method=self.method,
            variogram=self.variogram,
            width=self.width,
            reach=None if self.reach is None else self.reach * 1000,
            played=played(self.exercise),
        )


def run(execution: Execution, inputs: InterpolationInputs) -> None:
    """Draw the surface and publish it.

    Raises:
        TooFewStations: When there are too few values there then.
        BadParameter, TooLarge: When the question is too large.
    """
    asked = inputs.request()
    one = drawn(asked, asyncio.run(_sampled(execution, asked)))
    path = execution.folder / f"{_named(asked.property)}.tif"
    write_geotiff(one, path)
    execution.publish(FILE, path, COG, property=asked.property)
    execution.answer(FACTS, one.facts())


async def _sampled(execution: Execution, asked: SurfaceRequest) -> Sampled:
    clearance = execution.principal.clearance
    async with Pools(Database.from_settings(execution.settings)) as pools, pools.connection(clearance) as connection:
        return await sampled_for(connection, clearance, asked)


def _named(code: str) -> str:
    """A name of a file for whatever code a property has."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in code)[:60] or "surface"


PROCESS = Process(
    "interpolation",
    Text(zh="站点插值", en="Interpolation"),
    Text(
        zh="由监测站数值插值为面，附误差图、方法和所用站点。",
        en="A surface between the stations of a property at one time, with its error, method and stations.",
    ),
    InterpolationInputs,
    run,
    {
        FILE: {"type": "string", "contentMediaType": COG, "contentEncoding": "binary"},
        FACTS: {"type": "object"},
    },
    immediate=False,
)
