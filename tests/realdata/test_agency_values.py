"""Values of the agency's layers as other people state them: units, codes with zeros in front, missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.load import LoadTarget
from layers.model import TableLayer, VectorLayer
from layers.table import current_table
from tests.realdata.pack import agency_catalog
from tests.support.loading import load_file, prepared

pytestmark = pytest.mark.realdata
CATALOG = agency_catalog()


@pytest.fixture(scope="module")
def target(module_database: Database) -> LoadTarget:
    return prepared(module_database, CATALOG)


def table_of(name: str) -> sa.Table:
    layer = CATALOG.layer(name)
    assert isinstance(layer, VectorLayer | TableLayer)
    return current_table(layer)


def one(database: Database, statement: sa.Select[Any]) -> tuple[Any, ...]:
    with database.transaction(Role.OWNER) as connection:
        return tuple(connection.execute(statement).one())


def test_discharge_is_in_cubic_metres_and_days_without_a_reading_stay(
    module_database: Database, target: LoadTarget, real_data: Path
) -> None:
    load_file(CATALOG, target, "gauge_reading", real_data / "environment/usgs_15281000_knik_river.csv")
    c = table_of("gauge_reading").c
    found = one(module_database, sa.select(sa.func.count(), sa.func.count(c.value), sa.func.max(c.value)))
    # The inventory of the pack: 20,834 days, 6,493 without a value, peak of 341,000 cubic feet per second.
    assert found == (20_834, 20_834 - 6_493, pytest.approx(341_000 * 0.3048**3))


def test_divisions_are_one_register_from_four_files(
    module_database: Database, target: LoadTarget, real_data: Path
) -> None:
    for part in ("provinces", "cities", "areas", "streets"):
        load_file(CATALOG, target, "division_code", real_data / f"admin/china_{part}.csv")
    c = table_of("division_code").c
    assert one(module_database, sa.select(c.name_zh, c.level, c.parent).where(c.adcode == "110101")) == (
        "东城区",
        "county",
        "1101",
    )
    above = table_of("division_code").alias()
    orphans = sa.select(sa.func.count()).select_from(c.adcode.table.outerjoin(above, c.parent == above.c.adcode))
    assert one(module_database, orphans.where(c.level != "province", above.c.adcode.is_(None))) == (0,)


def test_postal_codes_keep_their_zeros(module_database: Database, target: LoadTarget, real_data: Path) -> None:
    load_file(CATALOG, target, "postal_code", real_data / "addresses/zipcodes.csv")
    c = table_of("postal_code").c
    place = (sa.func.ST_X(c.geom), sa.func.ST_Y(c.geom))
    found = one(module_database, sa.select(c.city, c.state, *place).where(c.postal_code == "00501"))
    assert found == ("Holtsville", "NY", pytest.approx(-72.637078), pytest.approx(40.922326))


def test_boroughs_in_feet_have_the_area_that_they_state(
    module_database: Database, target: LoadTarget, real_data: Path
) -> None:
    load_file(CATALOG, target, "district", real_data / "admin/nybb_16a.zip")
    c = table_of("district").c
    area = sa.func.ST_Area(sa.func.geography(sa.func.ST_Transform(c.geom, 4326)))
    (found,) = one(module_database, sa.select(area).where(c.name_en == "Staten Island"))
    # The file states 1,623,819,823.81 square feet in its own projection, whose scale is true to some 1e-4.
    assert found == pytest.approx(1_623_819_823.81 * (1200 / 3937) ** 2, rel=5e-4)
