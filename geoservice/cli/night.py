"""`geoservice night`: play the fictional night of the sample county against a running service, to be watched."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import httpx
import sqlalchemy as sa
import typer
from rich.console import Console

from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.security.keys import make_key
from geoservice.settings import Settings, load_settings
from layers.access import ALERT, OBSERVE, Clearance
from layers.errors import BadParameter, RemoteUnavailable
from layers.system import api_key

STATUSES = ("Exercise", "Test", "Actual")
_PATIENCE = 120.0


def register(root: typer.Typer) -> None:
    """Add the command to the root application."""
    root.command("night")(night)


def night(
    url: Annotated[str | None, typer.Option(help="Address of the service; default: the one of this machine.")] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="GEOSERVICE_NIGHT_KEY",
            help="API key with the rights to observe and to hand alerts in; default: one that is made for the night "
            "and revoked afterwards.",
        ),
    ] = None,
    pause: Annotated[float, typer.Option(min=0, max=3600, help="Seconds between two steps.")] = 5.0,
    status: Annotated[
        str, typer.Option(help="Status of the warnings: Exercise, Test, or Actual where nobody can take it for real.")
    ] = "Exercise",
) -> None:
    """Play the fictional night of the sample county: a river rises, warnings come, a dam breaks, and all is over."""
    if status not in STATUSES:
        raise BadParameter(f"status is one of {', '.join(STATUSES)}; {status[:40]!r} is not.", parameter="status")
    settings, console = load_settings(), Console()
    address = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
    with _key(settings, key) as held, _client(address, held) as client:
        from geoservice.night import Player  # noqa: PLC0415

        try:
            for step in Player(client, status=status).play(dt.datetime.now(dt.UTC)):
                console.print(f"{step.name}: {step.said}", soft_wrap=True, markup=False, highlight=False)
                console.print(f"  {address}{step.look}", soft_wrap=True, markup=False)
                time.sleep(pause)
        except httpx.TransportError as error:
            told = f"The service at {address} cannot be reached ({type(error).__name__}); `geoservice demo` starts one."
            raise RemoteUnavailable(told) from None


@contextmanager
def _client(address: str, key: str) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": key}
    with httpx.Client(base_url=address, headers=headers, timeout=_PATIENCE, trust_env=False) as client:
        yield client


@contextmanager
def _key(settings: Settings, given: str | None) -> Iterator[str]:
    """The key that is given, or one of this installation that holds for the night."""
    if given is not None:
        yield given
        return
    made, database = make_key(), open_database(settings)
    values = {"id": made.id, "name": "night", "digest": made.digest, "clearance": int(Clearance.RESTRICTED)}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values, rights=[OBSERVE, ALERT]))
    try:
        yield made.text
    finally:
        with database.transaction(Role.WRITER) as connection:
            mine = sa.update(api_key).where(api_key.c.id == made.id)
            connection.execute(mine.values(revoked=sa.func.now()))
