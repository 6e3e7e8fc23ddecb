"""`geoservice observations`: write readings, look at them, keep them in order."""

from __future__ import annotations

import asyncio
import datetime as dt
import getpass
import hashlib
import importlib
import json
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli.layers import ensure_tables
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.provision import open_database
from geoservice.observations import quarantine, retention, rollup
from geoservice.observations.forms import SUFFIXES, readings_of
from geoservice.observations.inbox import Inbox
from geoservice.observations.read import LatestValue, Wanted, latest
from geoservice.observations.reading import Source
from geoservice.observations.topics import Pattern
from geoservice.observations.write import Outcome, write
from geoservice.settings import load_settings
from layers.access import Clearance
from layers.errors import BadParameter, SourceMissing

commands = typer.Typer(help="Write readings of stations, look at them, keep them in order.", no_args_is_help=True)
TOLD = 10
"""Flaws that are printed."""


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="observations")


def _database() -> Database:
    settings = load_settings()
    database = open_database(settings)
    ensure_tables(settings, database)
    return database


@commands.command("load")
def load_command(
    file: Annotated[Path, typer.Argument(help="CSV, NDJSON, Parquet or Arrow stream, as its name ends.")],
    rollups: Annotated[bool, typer.Option(help="Work out the roll-ups that are due then.")] = True,
) -> None:
    """Write the readings of a file as one batch. A second load of the same file changes nothing."""
    media = SUFFIXES.get(file.suffix.lower())
    if media is None:
        raise BadParameter(
            f"{file.name} is no file of readings; the name of one ends in {', '.join(sorted(SUFFIXES))}."
        )
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SourceMissing(f"{file} cannot be read: {error.strerror}.") from None
    readings = readings_of(body, media)
    database = _database()
    source = Source("load", file.name, getpass.getuser(), Clearance.RESTRICTED, hashlib.sha256(body).hexdigest())
    with database.transaction(Role.WRITER) as connection:
        outcome = write(connection, readings, source)
    _tell(outcome)
    if rollups:
        typer.echo(f"roll-ups: {rollup.refresh_all(database)} days")


def _tell(outcome: Outcome) -> None:
    came = "nothing changed" if outcome.batch is None else f"batch {outcome.batch}"
    typer.echo(
        f"{came}: read {outcome.readings} = inserted {outcome.inserted} + revised {outcome.revised} "
        f"+ unchanged {outcome.unchanged} + quarantined {outcome.quarantined}"
    )
    for flaw in outcome.flaws[:TOLD]:
        typer.echo(f"  reading {flaw.position + 1}: {flaw.rule}: {flaw.reason}")


@commands.command("latest")
def latest_command(
    prop: Annotated[list[str] | None, typer.Option("--property", help="Only this observed property.")] = None,
    station: Annotated[list[str] | None, typer.Option(help="Only this station.")] = None,
    clearance: Annotated[str, typer.Option(help="See as much as public, internal or restricted.")] = "public",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the latest value of each datastream."""
    level = _clearance(clearance)
    wanted = Wanted(tuple(prop) if prop else None, tuple(station) if station else None)
    found = asyncio.run(_latest(_database(), level, wanted))
    if json_:
        for value in found:
            typer.echo(json.dumps(_plain(value), ensure_ascii=False))
        return
    table = Table("station", "name", "property", "time", "result", "unit", "quality")
    for value in found:
        told = (value.station, value.name, value.property, value.time.isoformat(), value.result, value.unit)
        table.add_row(*("" if cell is None else str(cell) for cell in (*told, value.quality)))
    Console().print(table)


def _clearance(text: str) -> Clearance:
    try:
        return Clearance.parse(text)
    except ValueError as error:
        raise BadParameter(f"{error}.") from None


def _plain(value: LatestValue) -> dict[str, object]:
    return {
        "datastream": value.datastream,
        "station": value.station,
        "property": value.property,
        "unit": value.unit,
        "time": value.time.isoformat(),
        "result": value.result,
        "quality": value.quality,
        "place": None if value.lon is None else [value.lon, value.lat],
    }


async def _latest(database: Database, clearance: Clearance, wanted: Wanted) -> list[LatestValue]:
    async with Pools(database) as pools, pools.raw(clearance) as connection:
        return await latest(connection, wanted)


@commands.command("rollup")
def rollup_command() -> None:
    """Work out the hours, days and months that are due."""
    typer.echo(f"roll-ups: {rollup.refresh_all(_database())} days")


@commands.command("retain")
def retain_command(
    days: Annotated[int | None, typer.Option(min=1, help="Set the rule: readings are kept for so many days.")] = None,
    prop: Annotated[
        str | None, typer.Option("--property", help="The rule of this property; default: all others.")
    ] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Take the rule away.")] = False,
) -> None:
    """Delete readings that the rules let go, after setting one if one is given. Roll-ups stay."""
    if forever and days is not None:
        raise BadParameter("--forever takes a rule away; it does not go with --days.")
    database = _database()
    if forever or days is not None:
        with database.transaction(Role.WRITER) as connection:
            retention.set_rule(connection, prop, None if days is None else dt.timedelta(days=days))
    readings, parts = retention.retain(database)
    typer.echo(f"deleted {readings} readings, dropped {parts} empty parts")


@commands.command("listen")
def listen_command(
    broker: Annotated[str, typer.Option(help="Address: mqtt://user@host:1883, or mqtts:// for TLS.")],
    topic: Annotated[
        str | None, typer.Option(help="Pattern of topics that are written, such as stations/{station}/{property}.")
    ] = None,
    sensorthings: Annotated[
        bool, typer.Option("--sensorthings", help="Write observations that are published as OGC SensorThings has it.")
    ] = False,
    publish: Annotated[
        str | None, typer.Option(help="Pattern of topics on which readings are published, once they are written.")
    ] = None,
    clearance: Annotated[str, typer.Option(help="Publish what readers of this clearance may see.")] = "public",
    client: Annotated[
        str, typer.Option(help="Name under which the broker keeps messages for this one.")
    ] = "geoservice",
) -> None:
    """Write the readings that an MQTT broker has, and publish those that are written, until interrupted."""
    if topic is None and publish is None and not sensorthings:
        raise BadParameter("Say what to listen to (--topic or --sensorthings), what to publish (--publish), or both.")
    listening = importlib.import_module("geoservice.observations.listen")
    outgoing = None if publish is None else Pattern.parse(publish)
    flow = listening.Flow(_incoming(topic, sensorthings, client), outgoing, shows=_clearance(clearance))
    settings = load_settings()
    where = listening.Broker.parse(broker, settings.mqtt_password, client)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        listening.Listener(_database(), where, flow).listen(stop)
    except OSError as error:
        raise SourceMissing(f"The MQTT broker at {where.host}:{where.port} cannot be reached: {error}.") from None


def _incoming(topic: str | None, sensorthings: bool, client: str) -> Pattern | Inbox | None:
    if not sensorthings:
        return None if topic is None else Pattern.parse(topic)
    if topic is not None:
        raise BadParameter("--sensorthings has topics of its own; it does not go with --topic.")
    posts: Inbox = importlib.import_module("geoservice.sensorthings.post").Posts(client)
    return posts


@commands.command("quarantine")
def quarantine_command(
    retry: Annotated[bool, typer.Option("--retry", help="Try the readings again.")] = False,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="Settle them for good.")] = False,
    rule: Annotated[str | None, typer.Option(help="With --dismiss: only those that break this rule.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most are shown or tried.")] = 1000,
) -> None:
    """Show the readings that could not be written, try them again, or dismiss them."""
    if retry and dismiss:
        raise BadParameter("Readings are either tried again or dismissed.")
    with _database().transaction(Role.WRITER) as connection:
        if retry:
            _tell(quarantine.replay(connection, getpass.getuser(), limit))
        elif dismiss:
            typer.echo(f"dismissed {quarantine.dismiss(connection, rule)} readings")
        else:
            for row in quarantine.waiting(connection, limit):
                typer.echo(f"{row['id']} {row['rule']}: {row['reason']} {json.dumps(row['raw'], ensure_ascii=False)}")
