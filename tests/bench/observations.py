"""How fast readings are written and read, written to the docs: `scripts/bench observations`, on a cluster of its own.

Bulk and data arrays go through `write`, MQTT through a real broker and the listener; reads go through the public
reader's pool, row policies on.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
import pyarrow as pa
from paho.mqtt.enums import CallbackAPIVersion

from geoservice.db.credentials import Role
from geoservice.db.ddl import Analyse
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.writing import Writer
from geoservice.observations import rollup, tables
from geoservice.observations.listen import Broker, Flow, Listener
from geoservice.observations.read import Wanted, latest, rollups, series, stream_number
from geoservice.observations.reading import SCHEMA
from geoservice.observations.register import Station, ensure_stations, ensure_streams
from geoservice.observations.topics import Pattern
from geoservice.observations.write import write
from layers.access import Clearance
from tests.bench import machine, table
from tests.bench.__main__ import DOCS
from tests.bench.queries import delays
from tests.bench.results import Figures, comparison
from tests.bench.results import write as write_figures
from tests.support.broker import broker
from tests.support.database import copied_database, private_cluster
from tests.support.loading import prepared, trial_catalog
from tests.support.observing import HOUR, SOURCE, level

STATIONS, YEAR, BATCH, ARRAY, MESSAGES, REPEATED = 10_000, 8_760, 20_000, 100, 3_000, 9
BEGIN = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB"}


COMMAND = "scripts/bench observations"
WRITING = (
    "Readings into a database with 10,000 stations of one stream each, every batch committed and on disk (`fsync`, "
    "`synchronous_commit` and `full_page_writes` on), by one writer. {told}"
)
WRITTEN = {
    "Readings in bulk": "Batches of 20,000 readings, two of each station.",
    "A year of one station": "8,760 hourly readings of one station at once.",
    "Readings in data arrays": "Arrays of 100 readings of one station, ten after the other.",
    "Readings by MQTT": "3,000 messages of one reading each (MQTT 5, quality of service 1) through a real broker on "
    "loopback to the listener, from the first that is sent to the last that is written.",
}
READING = (
    "{repeated} times each by the public reader's role with its row policies, on one connection, without HTTP. "
    "Roll-ups of {days:,} days of stations were made in {seconds:.1f} s."
)


def main() -> None:
    """Measure everything, print it and write it to the docs."""
    asked = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    asked.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    out: Path = asked.parse_args().out
    figures = _measured()
    print(table.render(figures))
    write_figures(out / "benchmarks-observations.json", figures)
    (out / "benchmarks-observations.md").write_text(table.render(figures), encoding="utf-8")


def _measured() -> Figures:
    with private_cluster(postgres_options=SAFE) as settings, copied_database(settings) as database:
        facts = machine.facts(database)
        del facts["Compared with"]
        prepared(database, trial_catalog())
        _register(database)
        writer = Writer(database)
        rates = {
            "Readings in bulk": _bulk(writer),
            "A year of one station": [_rate(YEAR, lambda: _write(writer, _year()))],
            "Readings in data arrays": _arrays(writer),
            "Readings by MQTT": [_mqtt(database)],
        }
        began = time.perf_counter()
        days = rollup.refresh_all(database)
        seconds = time.perf_counter() - began
        with database.transaction(Role.OWNER) as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(Analyse(table))
        read = asyncio.run(_reads(database))
        writer.close()
    written = [
        comparison(title, "readings/s", WRITING.format(told=WRITTEN[title]), {"geoservice": found})
        for title, found in rates.items()
    ]
    told = READING.format(repeated=REPEATED, days=days, seconds=seconds)
    return {
        "command": COMMAND,
        "machine": facts,
        "comparisons": written,
        "delays": [delays("Reading what was written", told, read)],
    }


def _register(database: Database) -> None:
    with database.transaction(Role.WRITER) as connection:
        places = [(75.0 + i % 500 / 10, 20.0 + i // 500) for i in range(STATIONS)]
        ensure_stations(connection, [Station(f"s{i}", f"Station {i}", place) for i, place in enumerate(places)])
        ensure_streams(connection, [level(f"s{i}:level", f"s{i}") for i in range(STATIONS)])


def _readings(keys: list[str], times: list[dt.datetime]) -> pa.Table:
    rows = len(keys)
    columns = {name: pa.nulls(rows, kind) for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)}
    filled = {
        "position": pa.array(range(rows), pa.int64()),
        "datastream": pa.array(keys, pa.string()),
        "phenomenon_time": pa.array(times, SCHEMA.field("phenomenon_time").type),
        "number": pa.array([i % 97 / 10 for i in range(rows)], pa.float64()),
    }
    return pa.table({**columns, **filled}, schema=SCHEMA)


def _write(writer: Writer, readings: pa.Table) -> None:
    with writer.transaction() as connection:
        outcome = write(connection, readings, SOURCE)
    assert outcome.inserted == readings.num_rows, outcome


def _rate(readings: int, work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return readings / (time.perf_counter() - began)


def _bulk(writer: Writer) -> list[float]:
    keys = [f"s{i}:level" for i in range(STATIONS)] * (BATCH // STATIONS)
    rates = []
    for number in range(REPEATED):
        first = BEGIN + 2 * number * HOUR
        times = [first + (i // STATIONS) * HOUR for i in range(BATCH)]
        batch = _readings(keys, times)
        rates.append(_rate(BATCH, lambda batch=batch: _write(writer, batch)))  # type: ignore[misc]
    return rates


def _year() -> pa.Table:
    return _readings(["s0:level"] * YEAR, [BEGIN + 100 * HOUR + i * HOUR for i in range(YEAR)])


def _arrays(writer: Writer) -> list[float]:
    rates = []
    for number in range(REPEATED):
        first = BEGIN + (200 + 10 * number) * HOUR
        arrays = [
            _readings([f"s{1 + i}:level"] * ARRAY, [first + j * HOUR / 60 for j in range(ARRAY)]) for i in range(10)
        ]
        rates.append(_rate(10 * ARRAY, lambda arrays=arrays: [_write(writer, one) for one in arrays]))  # type: ignore[misc, func-returns-value]
    return rates


def _mqtt(database: Database) -> float:
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as port:
        listener = Listener(database, Broker("127.0.0.1", port), Flow(Pattern.parse("{datastream}"), None))
        thread = threading.Thread(target=listener.listen, args=(stop,))
        thread.start()
        listener.ready.wait(30)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.connect("127.0.0.1", port)
        client.loop_start()
        began = time.perf_counter()
        for i in range(MESSAGES):
            told = {"time": (BEGIN + 400 * HOUR + i * HOUR / 60).isoformat(), "result": i % 97 / 10}
            client.publish(f"s{i % 100}:level", json.dumps(told), qos=1)
        while listener.written < MESSAGES:
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        client.disconnect()
        client.loop_stop()
        stop.set()
        thread.join()
    return MESSAGES / seconds


async def _reads(database: Database) -> dict[str, list[float]]:
    """Seconds of each answer."""
    measured: dict[str, list[float]] = {}
    async with Pools(database) as pools, pools.raw(Clearance.PUBLIC) as connection:
        stream = await stream_number(connection, "s0:level")
        span = (BEGIN + 100 * HOUR, BEGIN + (100 + YEAR) * HOUR)
        found = [len(await latest(connection, Wanted())), len(await series(connection, stream, *span, YEAR))]
        assert found == [STATIONS, YEAR], found
        for what, work in (
            ("latest value of 10,000 stations", lambda: latest(connection, Wanted())),
            ("a year of hourly values of one station", lambda: series(connection, stream, *span, YEAR)),
            ("a year by day, kept roll-ups", lambda: rollups(connection, stream, *span, "day")),
        ):
            times = []
            for _ in range(REPEATED):
                began = time.perf_counter()
                await work()
                times.append(time.perf_counter() - began)
            measured[what] = times
    return measured


if __name__ == "__main__":
    main()
