"""From a kept report to the draft of an alert that answers the alert which the report is about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from geoservice.alerts.desk import LAYER
from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.reply import Reply, answering
from geoservice.api.alerts import require_right
from geoservice.api.impact_drafts import drafted, public_wording
from geoservice.api.zone_limits import most_vertices
from geoservice.house import Asker, Inside
from geoservice.impact.asked import impact_asked
from geoservice.ogc.block import Block, no_links
from layers.access import ALERT

router = APIRouter(prefix="/reports", tags=["reports"])


class AnswerBody(BaseModel):
    """What an alert about a report says beyond its figures, and which alerts it answers."""

    model_config = ConfigDict(extra="forbid")

    alert: Reply = Field(description="What is added: status, category, event, urgency, severity, certainty, and more.")
    about: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=50)] = Field(
        default=(),
        description="Ids of the alerts that it answers. Absent: the one by which the report names its zone, if any.",
    )


@router.post("/{report_id}/alert-draft", status_code=201, summary="Draft an alert from a report")
async def draft(request: Request, house: Inside, asker: Asker, report_id: str, body: AnswerBody) -> Response:
    """A draft with the zone of the report and what the public may see, as of the report; a person has to release it."""
    require_right(asker, ALERT)
    house.open_layer(asker, LAYER)
    kept = await run_in_threadpool(house.reports.find, asker, report_id)
    manifest = kept.manifest
    if manifest.kind != "impact":
        raise AlertRefused("A report on compliance warns of nothing; an alert is drafted from a report on an impact.")
    question = {"as_of": manifest.moment.isoformat(), **manifest.question[manifest.kind]}
    asked = await run_in_threadpool(impact_asked, question, most_vertices(house, asker))
    named = question.get("alert")
    about = await run_in_threadpool(house.drafts.referred, asker, body.about, named if isinstance(named, str) else None)
    wording = await public_wording(house, asker, asked, body.alert)
    return await drafted(request, house, asker, answering(wording, manifest.id, manifest.answer, about))


BLOCK = Block("report-drafts", None, "experimental", (), router, no_links)
