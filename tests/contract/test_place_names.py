"""Searching names: nobody finds a row, an attribute or a class above their clearance; both nets hold alone."""

from __future__ import annotations

import re

import pytest
from psycopg import errors, sql

from geoservice.db.credentials import Role
from layers.access import Clearance
from layers.system import name_tables, term_tables
from tests.contract.test_canary import ASKERS, FOUND, level_of
from tests.support.service import Service, canary, plain_bytes


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("query", ["CNRY", "cnry2", "cnry 1 spot", "点", "dian", "attribute", "CNRX-2-spot"])
def test_no_name_above(service: Service, asker: Clearance | None, query: str) -> None:
    answer = service.get(f"/gazetteer/names?q={query}&limit=50&explain=true", asker)
    assert answer.status_code == 200, answer.text
    assert all(int(level) <= level_of(asker) for level in FOUND.findall(plain_bytes(answer)))


@pytest.mark.parametrize("asker", ASKERS)
def test_who_finds_what(service: Service, asker: Clearance | None) -> None:
    level = int(level_of(asker))
    found = service.get("/gazetteer/names?q=CNRY&limit=50", asker).json()["results"]
    assert {re.sub(r"-\d+$", "", one["id"]) for one in found} == {f"CNRY-{n}-spot" for n in range(level + 1)}
    assert len(found) == 10 * (level + 1)
    # The attribute `secret` is above the layer: it is found by it only from its own clearance on.
    secret = canary(Clearance.RESTRICTED, "attribute", 3)
    hits = service.get(f"/gazetteer/names?q={secret}", asker).json()["results"]
    assert any(one["name"] == secret for one in hits) == (level == Clearance.RESTRICTED)


def test_readers_of_the_database_reach_their_own_tables_alone(service: Service) -> None:
    """Negative control of the decision: whoever has a reader's connection still reads no name above."""
    readers = (Role.READER_PUBLIC, Role.READER_INTERNAL, Role.READER_RESTRICTED)
    for rank, role in enumerate(readers):
        with service.database.psycopg(role) as connection:
            for other, table in [*enumerate(name_tables), *enumerate(term_tables)]:
                query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("meta", table.name))
                if other <= rank:
                    assert connection.execute(query).fetchone() > (0,) or other == 1
                    continue
                with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(query)


def test_classes_above_are_not_told(service: Service) -> None:
    answer = service.get("/gazetteer/names?q=x&class=nonsense")
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith("there are spot.")
