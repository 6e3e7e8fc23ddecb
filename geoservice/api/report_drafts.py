"""From a kept report to the draft of an alert that answers the alert which the report is about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from geoservice.alerts.desk import LAYER
from geoservice.alerts.drafts import Draft
from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.reply import Reply, answering
from geoservice.api.alerts import require_right
from geoservice.api.impact_drafts import public_wording, told
from geoservice.api.zone_limits import most_vertices
from geoservice.house import Asker, House, Inside
from geoservice.impact.asked import impact_asked
from geoservice.ogc.block import Block, no_links
from geoservice.reports.desk import Kept
from layers.access import ALERT, Clearance, Principal

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
    require_drafting(house, asker)
    kept = await run_in_threadpool(house.reports.find, asker, report_id)
    return told(request, await reply_to(house, asker, kept, body))


def require_drafting(house: House, asker: Principal) -> None:
    """Make sure that somebody may draft alerts.

    Raises:
        NotAuthenticated, NotAllowed, UnknownLayer: When they may not, or see no alerts.
    """
    require_right(asker, ALERT)
    house.open_layer(asker, LAYER)


def answer_body(value: object) -> AnswerBody:
    """Read what a report is answered with, where it stands within another body.

    Raises:
        RequestValidationError: When it is not what it should be.
    """
    try:
        return AnswerBody.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", "reply", *one["loc"])} for one in error.errors()]
        ) from None


async def reply_to(house: House, asker: Principal, kept: Kept, body: AnswerBody) -> Draft:
    """Write the draft of an alert that answers with a report.

    Raises:
        AlertRefused: When the report warns of nothing, or the draft would tell what is not for everybody.
        TooLarge: When the zone is too large to be answered at once.
    """
    manifest = kept.manifest
    if manifest.kind != "impact":
        raise AlertRefused("A report on compliance warns of nothing; an alert is drafted from a report on an impact.")
    question = {"as_of": manifest.moment.isoformat(), **manifest.question[manifest.kind]}
    asked = await run_in_threadpool(impact_asked, question, most_vertices(house, asker))
    named = question.get("alert")
    about = await run_in_threadpool(house.drafts.referred, asker, body.about, named if isinstance(named, str) else None)
    wording = await public_wording(house, asker, asked, body.alert)
    digest = manifest.answer if manifest.level == Clearance.PUBLIC else None
    return await run_in_threadpool(house.drafts.create, asker, answering(wording, manifest.id, digest, about))


BLOCK = Block("report-drafts", None, "experimental", (), router, no_links)
