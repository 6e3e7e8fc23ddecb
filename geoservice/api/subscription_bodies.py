"""What is asked for by a subscription, as a request body; everything is checked before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from geoservice.alerts.desk import LAYER as ALERTS
from geoservice.events.wishes import is_mail_address
from geoservice.http.texts import Storable
from geoservice.observations import units
from layers.cap import Colour, Severity
from layers.errors import BadBody

_TEXT = 200
_WAYS = ("url", "mail", "lang")
_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "layer": ("collections", "area", "exercises"),
    "alert": ("area", "severity", "colour", "exercises"),
    "exceedance": ("area", "property", "index", "standard", "grade", "above", "below", "unit"),
}
"""Members beside the kind and the way to the subscriber."""
CONDITIONS = ("severity", "colour", "property", "index", "standard", "grade", "above", "below", "unit")
"""Members that are kept as the condition."""


class NewSubscription(BaseModel):
    """The body that makes a subscription."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: Literal["layer", "alert", "exceedance"] = Field(
        default="layer", description="New editions of collections, alerts, or values beyond a limit."
    )
    url: str | None = Field(
        default=None, min_length=8, max_length=2000, description="Where messages are posted; its host must be allowed."
    )
    mail: str | None = Field(
        default=None, max_length=254, description="Mail address; whoever reads it is asked before it is told anything."
    )
    lang: Literal["zh", "en"] = Field(default="zh", description="Language of mails.")
    collections: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=100, description="Of which collections new editions are told."
    )
    area: dict[str, Any] | None = Field(
        default=None, description="Where: one of zone, bbox, adcode, alert, feature, sheet, postcode, as in /query."
    )
    severity: Severity | None = Field(default=None, description="The least severity of alerts.")
    colour: Colour | None = Field(default=None, description="The least colour of alerts; blue is the lowest.")
    exercises: bool = Field(default=False, description="Tell of exercises and tests, too; they are marked.")
    property: Annotated[Storable, Field(min_length=1, max_length=_TEXT)] | None = Field(
        default=None, description="Code of an observed property; default: all."
    )
    index: Literal["aqi", "surface-water"] | None = Field(
        default=None, description="An index of stations, in place of a property; of water its class."
    )
    standard: Literal["gb3095", "gb3838", "declared"] | None = Field(
        default=None, description="Whose limits; default: all of them."
    )
    grade: Literal["1", "2"] | None = Field(default=None, description="Grade of the limits of air; default: 2.")
    above: float | None = Field(default=None, description="A limit of your own, for readings or the index.")
    below: float | None = Field(default=None, description="The same for what must not be too low.")
    unit: str | None = Field(
        default=None, max_length=40, description="Unit of that limit; default: that of each datastream."
    )


def condition_of(body: NewSubscription) -> dict[str, Any]:
    """What is kept of a body as the condition."""
    given = {name: getattr(body, name) for name in CONDITIONS}
    return {name: value for name, value in given.items() if value is not None}


def require_sound(body: NewSubscription) -> None:
    """Check what the members say together.

    Raises:
        BadBody: When they do not belong together, or one is missing.
    """
    if (body.url is None) == (body.mail is None):
        raise BadBody("A subscription has either a url, to which messages are posted, or a mail address.", where="url")
    if body.mail is not None and not is_mail_address(body.mail):
        raise BadBody("mail is one plain address such as duty.officer@example.cn, without a name.", where="mail")
    known = ("kind", *_WAYS, *_BY_KIND[body.kind])
    if strangers := sorted(body.model_fields_set - set(known)):
        raise BadBody(
            f"A subscription of the kind {body.kind} has no {', '.join(strangers)}; it may have {', '.join(known)}.",
            where=strangers[0],
        )
    checks: Mapping[str, Callable[[NewSubscription], None]] = {"layer": _layer, "exceedance": _exceedance}
    if body.kind in checks:
        checks[body.kind](body)


def _layer(body: NewSubscription) -> None:
    if not body.collections:
        raise BadBody("A subscription to new editions names at least one of the collections.", where="collections")
    if body.exercises and ALERTS not in body.collections:
        raise BadBody(f"Of all collections {ALERTS} alone has exercises; leave exercises out.", where="exercises")


def _exceedance(body: NewSubscription) -> None:
    own = [name for name in ("above", "below") if getattr(body, name) is not None]
    if len(own) > 1:
        raise BadBody("A limit of your own is either above or below.", where="below")
    if body.index is not None:
        _index(body)
        return
    if own and body.property is None:
        raise BadBody(f"{own[0]} is a limit of a property, which has to be named (or of an index).", where="property")
    if own and (body.standard is not None or body.grade is not None):
        raise BadBody("A limit of your own takes the place of those of standards; leave one of them out.", where=own[0])
    if body.unit is not None and (not own or units.find(body.unit) is None):
        raise BadBody("unit is a known unit (such as ug/m3 or m) of a limit of your own.", where="unit")


def _index(body: NewSubscription) -> None:
    others = [name for name in ("property", "standard", "grade", "below", "unit") if getattr(body, name) is not None]
    if others or body.above is None:
        raise BadBody(
            "A subscription to an index has an index and above, the value beyond which it is told, and neither "
            "property, standard, grade, below nor unit.",
            where=others[0] if others else "above",
        )
