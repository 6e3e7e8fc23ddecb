"""The service as a job asks it: the whole application in the process of the runner, for one principal."""

from __future__ import annotations

from typing import Any

from geoservice.app import create_app
from geoservice.http.inside import Answered, client, put
from geoservice.processes.model import Call
from geoservice.settings import Settings
from layers.access import Principal
from layers.errors import BadBody

_SPELLING = 4
"""How much longer a question may become when it is written again."""


async def ask(settings: Settings, principal: Principal, call: Call) -> Any:
    """Put a question for a principal and read the answer.

    Args:
        settings: The settings of the service.
        principal: Whose question it is, with the rights of now.
        call: The question.

    Raises:
        BadBody: When it is refused, with the sentence of the refusal.
    """
    # A job has the time that an answer at once has not; its question was measured when it came, in other spelling.
    longer = _SPELLING * settings.max_body_bytes
    patient = {"impact_max_km2": None, "impact_max_vertices": None, "max_body_bytes": longer}
    app = create_app(settings.model_copy(update=patient))
    # The principal was looked up by the number of the key; the key itself is nowhere to be had.
    app.state.house.keys.everybody = principal
    async with app.router.lifespan_context(app), client(app) as asking:
        try:
            return await put(asking, call)
        except Answered as problem:
            raise BadBody(str(problem)) from None
