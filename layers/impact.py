"""What a zone of danger hits: the values of an impact answer, shared by analysis, comparison, API and reports.

Figures have a best value and, where the method of the zone says how uncertain it is, a low and a high one. Areas are in
square metres and, beside them, in hectares and mu, rounded so that parts add up to their total.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from layers.answer import AnswerFeature, EditionRef
from layers.hazard import Meant
from layers.model import Text

Status = Literal["ok", "no-data", "unavailable"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Figure(_Value):
    """A figure: value, its bounds where they are known, features touched, and for areas hectares and mu."""

    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None
    ha: float | None = None
    mu: float | None = None


class GroupFigure(Figure):
    """The figure of a group, such as a land class; the code is None for what has no class."""

    code: str | None
    label: Text


class ClassFigure(Figure):
    """The figure of a severity class, and of the groups in it."""

    rank: int
    code: str
    label: Text
    rows: tuple[GroupFigure, ...] = ()


class RankFigure(_Value):
    """How much of a division's figure lies in a severity class."""

    rank: int
    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None


class DivisionFigure(Figure):
    """The figure of a division, its severity classes and groups; the code is None for what lies in no division."""

    code: str | None
    label: Text
    level: str | None = None
    parent: str | None = None
    classes: tuple[RankFigure, ...] = ()
    rows: tuple[GroupFigure, ...] = ()


class Capacity(_Value):
    """What the features hold together, such as beds: sum, unit, and how many say nothing of it."""

    attribute: str
    title: Text
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    unknown: int = 0


class Explanation(_Value):
    """How a figure was found: formula, the words of the method, layers with their editions, parameters."""

    formula: str
    method: str
    inputs: tuple[str, ...]
    parameters: dict[str, Any] = {}


class HitFeature(AnswerFeature):
    """A listed feature; `value` is how much of it lies in the zone (m of a line, m2 of a polygon)."""

    value: float | None = None


class ImpactSection(_Value):
    """What one layer contributes. `no-data` says that nothing is loaded here; it is not zero, and has no value."""

    layer: str
    title: Text
    role: str
    measure: str
    unit: str
    status: Status = "ok"
    note: Text | None = None
    edition: EditionRef | None = None
    total: Figure | None = None
    rows: tuple[GroupFigure, ...] = ()
    groups: tuple[GroupFigure, ...] = ()
    classes: tuple[ClassFigure, ...] = ()
    divisions: tuple[DivisionFigure, ...] = ()
    capacity: Capacity | None = None
    features: tuple[HitFeature, ...] = ()
    features_total: int | None = None
    explain: Explanation | None = None


class ZoneClassFigure(_Value):
    """A severity class of the zone and its area (m2)."""

    rank: int
    code: str
    label: Text
    area_m2: float
    low_m2: float | None = None
    high_m2: float | None = None


class ImpactZone(_Value):
    """The zone: where it came from, how it was found, its classes, its box (west, south, east, north; degrees).

    `status` says whether it is meant in earnest (actual, exercise, test), `notice` until when the alert that it was
    made of holds or what ended it; `uncertainty` says why figures have no low and high value, where they have none.
    """

    kind: str
    origin: str
    label: Text | None = None
    status: Meant = "actual"
    notice: Text | None = None
    screening: bool = False
    method: dict[str, Any] | None = None
    inputs: tuple[dict[str, Any], ...] = ()
    bbox: tuple[float, float, float, float]
    area_m2: float
    uncertainty: Text | None = None
    classes: tuple[ZoneClassFigure, ...]


class Need(_Value):
    """What people need: ratio per person, its source, and the amounts for the people of the answer."""

    id: str
    title: Text
    unit: str
    ratio: float
    ratio_low: float
    ratio_high: float
    source: str
    value: float
    low: float
    high: float
    explain: Explanation | None = None


Counted = Literal["raster", "areal", "points"]
"""How people are counted: cells of a raster, divisions by their area in the zone, settlements as points."""


class PeopleBy(_Value):
    """People in the zone by one way to count them; severity classes and divisions where no section tells them."""

    layer: str
    method: Counted
    value: float
    low: float | None = None
    high: float | None = None
    edition: EditionRef | None = None
    note: Text | None = None
    classes: tuple[RankFigure, ...] = ()
    divisions: tuple[DivisionFigure, ...] = ()


class People(PeopleBy):
    """People in the zone by the way that counts, and beside it by the `others` that there are."""

    others: tuple[PeopleBy, ...] = ()
    explain: Explanation | None = None


class DangerousSite(_Value):
    """A site in the zone that may do harm by itself, and how far (m) it declares an accident to reach."""

    layer: str
    id: str
    label: Text
    lon: float
    lat: float
    reach_m: float


class Secondary(_Value):
    """What dangerous sites in the zone may do beyond it: the land within their reach that lies outside the zone.

    `silent` sites declare no reach and add nothing. Sections tell what lies in that land.
    """

    sites: tuple[DangerousSite, ...]
    sites_total: int
    silent: int = 0
    area_m2: float = 0.0
    people: PeopleBy | None = None
    sections: tuple[ImpactSection, ...] = ()
    explain: Explanation | None = None


class Reach(_Value):
    """The facility of a layer that a settlement reaches first over the roads that are left, and the way there.

    Without `id` none is reached. `minutes_before` is what the nearest one took before roads were closed; `roads` are
    the names of the roads in the order of travel, `line` the way in longitude and latitude where lines are asked.
    """

    layer: str
    id: str | None = None
    label: Text | None = None
    minutes: float | None = None
    distance_m: float | None = None
    minutes_before: float | None = None
    roads: tuple[Text, ...] = ()
    line: tuple[tuple[float, float], ...] | None = None


class CutOff(_Value):
    """A settlement whose ways are cut: by the zone itself, or because the roads that lead there are.

    `reach` tells the nearest facility of each layer that is still reached, `nearest` the first of all. Those `inside`
    reach nothing over closed roads; `minutes_out` is how long they need to leave while their roads still hold.
    """

    id: str
    label: Text
    lon: float
    lat: float
    people: float | None = None
    situation: Literal["inside", "isolated", "detour", "reachable"]
    nearest: str | None = None
    nearest_label: Text | None = None
    minutes: float | None = None
    minutes_before: float | None = None
    minutes_out: float | None = None
    reach: tuple[Reach, ...] = ()


class Isochrone(_Value):
    """How far one gets out of a zone within some minutes, over the roads that it leaves open.

    Ways begin where open roads leave the zone. `area` is the land around the reached roads (GeoJSON, longitude and
    latitude), `settlements` how many of those outside are reached, `facilities` how many by layer.
    """

    minutes: float
    road_m: float
    area: dict[str, Any] | None = None
    width_m: float | None = None
    settlements: int = 0
    people: float = 0.0
    facilities: dict[str, int] = {}


class Ways(_Value):
    """What the zone does to ways: roads that it closes, settlements that are cut off, what is still reached.

    Low and high figures are those of the zone at its bounds.
    """

    network: str
    mode: str
    edition: int
    status: Status = "ok"
    note: Text | None = None
    closed_edges: int = 0
    closed_m: float = 0.0
    closed_m_low: float | None = None
    closed_m_high: float | None = None
    settlements: tuple[CutOff, ...] = ()
    settlements_total: int = 0
    isolated: int = 0
    isolated_low: int | None = None
    isolated_high: int | None = None
    isolated_people: float = 0.0
    isolated_people_low: float | None = None
    isolated_people_high: float | None = None
    facilities: dict[str, Any] | None = None
    exits: int = 0
    evacuation: tuple[Isochrone, ...] = ()
    explain: Explanation | None = None


class ImpactAnswer(_Value):
    """What a zone hits. Nothing in it depends on the clock: the same question on the same data has the same answer."""

    at: str | None = None
    as_of: dt.datetime | None = None
    zone: ImpactZone
    people: People | None = None
    sections: tuple[ImpactSection, ...]
    needs: tuple[Need, ...] = ()
    ways: Ways | None = None
    secondary: Secondary | None = None
    method: dict[str, str]
