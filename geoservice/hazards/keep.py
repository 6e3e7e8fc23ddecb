"""Keeping zones: immutable, named by their content, with a clearance of their own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.features.level import level_for
from geoservice.hazards.errors import TooManyZones
from layers.access import Clearance, Principal
from layers.errors import NotAuthenticated
from layers.hazard import HazardZone
from layers.system import hazard_zone


def clearance_for(principal: Principal, wanted: str | None, least: Clearance) -> Clearance:
    """The clearance that a zone is kept with: that of who keeps it, or a lower one that its inputs allow.

    Args:
        principal: Who keeps it.
        wanted: Name of the clearance that is wanted, if any.
        least: The lowest one that may see all that went into the zone.

    Raises:
        NotAuthenticated: When nobody identified themselves.
        BadParameter: When the wanted clearance is none, above the asker's or below that of the inputs.
    """
    if principal.anonymous:
        raise NotAuthenticated("Keeping a zone takes an API key; send it as X-API-Key or bearer token.")
    return level_for(principal, wanted, least)


def keep(connection: sa.Connection, zone: HazardZone, clearance: Clearance, principal: str, most: int) -> None:
    """Keep a zone; one that is kept already with this clearance stays as it is.

    Args:
        connection: A transaction of the writer.
        zone: The zone, with its id.
        clearance: Who may find it.
        principal: Id of the key that keeps it.
        most: Most zones of one key.

    Raises:
        TooManyZones: When the key keeps so many already.
    """
    table = hazard_zone
    same = sa.select(table.c.id).where(table.c.id == zone.id, table.c.clearance == int(clearance))
    if connection.execute(same).first() is not None:
        return
    # Two requests of one key at the same time must not both find the last place free.
    turn = sa.func.hashtextextended(f"geoservice.hazard_zone.{principal}", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    mine = sa.select(sa.func.count()).select_from(table).where(table.c.principal == principal)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManyZones(f"A key keeps at most {most} zones.", most=most)
    values = {
        "id": zone.id,
        "clearance": int(clearance),
        "method": zone.method.id,
        "kind": zone.kind,
        "principal": principal,
        "document": document(zone).decode(),
        "status": zone.status,
    }
    connection.execute(insert(table).values(**values).on_conflict_do_nothing())


def document(zone: HazardZone) -> bytes:
    """A zone as it is sent and kept: the canonical JSON of its content, with its id in front."""
    return b'{"id":"' + (zone.id or "").encode() + b'",' + zone.canonical()[1:]
