"""Looking up what a coverage needs, for a job: with connections of its own that are closed at the end."""

from __future__ import annotations

from geoservice.coverages.gather import Gathered, Surroundings, gather
from geoservice.coverages.request import CoverageRequest
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.processes.model import Execution


async def gathered_for(execution: Execution, asked: CoverageRequest) -> Gathered:
    """What a coverage needs, for the principal of an execution; raises as `gather`."""
    reading = Reading("policies" if execution.schema is None else "views")
    async with Pools(Database.from_settings(execution.settings)) as pools:
        inside = Surroundings(execution.principal, execution.catalog, pools, reading, execution.rasters)
        return await gather(inside, asked)
