"""What is known to be true of a written sample region."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SampleManifest(BaseModel):
    """Known truth of a sample region, found while it was made and not by reading it back.

    Attributes:
        adcode, name_zh, name_en: The fictional county.
        seed: The seed it was made from.
        bounds: West, south, east, north in degrees.
        area: Ellipsoidal area of the county in m2.
        population: People of the county.
        population_by_township: People by nine-digit code; they add up to the county's.
        township_names: Chinese name by code.
        counts: Features (rows of the table, alerts) by layer name.
        patches_by_class: Land-use patches by class code of GB/T 21010-2017.
        area_by_class: Their ellipsoidal area in m2; adds up to the county's within rounding (0.01 m2 per patch).
        planned_area: Ellipsoidal area in m2 of the zones of the spatial plan by kind; the last township has none.
        shelter_capacity: People that all shelters take together.
        reservoir_level: Water level in metres.
        reservoir_capacity: Volume below it in 10^6 m3.
        dam: Longitude and latitude of the dam.
        alert_identifier: Identifier of the CAP alert.
        rain_by_gauge: Millimetres of the month by station.
        highest_by_gauge: Highest water level of the month in metres by station: above the zero of the gauge in a river,
            above that of the heights in the reservoir.
    """

    model_config = ConfigDict(frozen=True)

    adcode: str
    name_zh: str
    name_en: str
    seed: int
    bounds: tuple[float, float, float, float]
    area: float
    population: int
    population_by_township: dict[str, int]
    township_names: dict[str, str]
    counts: dict[str, int]
    patches_by_class: dict[str, int]
    area_by_class: dict[str, float]
    planned_area: dict[str, float]
    shelter_capacity: int
    reservoir_level: float
    reservoir_capacity: float
    dam: tuple[float, float]
    alert_identifier: str
    rain_by_gauge: dict[str, float]
    highest_by_gauge: dict[str, float]
