"""How fast readings are written and read: `python -m tests.bench.observations`, on a cluster of its own.

Bulk and data arrays go through `write`, MQTT through a real broker and the listener; reads go through the public
reader's pool, row policies on. What is printed is the median of the repetitions, with the smallest and the largest.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import statistics
import sys
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
from tests.support.broker import broker
from tests.support.database import copied_database, private_cluster
from tests.support.loading import prepared, trial_catalog
from tests.support.observing import HOUR, SOURCE, level

STATIONS, YEAR, BATCH, ARRAY, MESSAGES, REPEATED = 10_000, 8_760, 20_000, 100, 3_000, 9
BEGIN = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB"}


def main() -> None:
    """Measure everything once and print a table."""
    with private_cluster(postgres_options=SAFE) as settings, copied_database(settings) as database:
        prepared(database, trial_catalog())
        _register(database)
        writer = Writer(database)
        _print("bulk, batches of 20,000, 10,000 stations (readings/s)", _bulk(writer), 20_000)
        _print("a year of one station (readings/s)", [_rate(YEAR, lambda: _write(writer, _year()))], 20_000)
        _print("data arrays of 100 (readings/s)", _arrays(writer), 2_000)
        _print("MQTT, one message per reading (readings/s)", [_mqtt(database)], 500)
        began = time.perf_counter()
        days = rollup.refresh_all(database)
        print(f"roll-ups of {days} days: {time.perf_counter() - began:.1f} s")
        with database.transaction(Role.OWNER) as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(Analyse(table))
        asyncio.run(_reads(database))
        writer.close()


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


async def _reads(database: Database) -> None:
    async with Pools(database) as pools, pools.raw(Clearance.PUBLIC) as connection:
        stream = await stream_number(connection, "s0:level")
        span = (BEGIN + 100 * HOUR, BEGIN + (100 + YEAR) * HOUR)
        found = [len(await latest(connection, Wanted())), len(await series(connection, stream, *span, YEAR))]
        assert found == [STATIONS, YEAR], found
        for what, work in (
            ("latest value of 10,000 stations (ms)", lambda: latest(connection, Wanted())),
            ("a year of hourly values (ms)", lambda: series(connection, stream, *span, YEAR)),
            ("a year by day, kept roll-ups (ms)", lambda: rollups(connection, stream, *span, "day")),
        ):
            times = []
            for _ in range(REPEATED):
                began = time.perf_counter()
                await work()
                times.append((time.perf_counter() - began) * 1000)
            _print(what, times, {"latest": 100}.get(what.partition(" ")[0], 50))


def _print(what: str, figures: list[float], wanted: float) -> None:
    low, high = min(figures), max(figures)
    print(f"{what}: {low:,.0f} / {statistics.median(figures):,.0f} / {high:,.0f}; wanted {wanted:,}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
