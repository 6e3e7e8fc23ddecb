"""Figures that the database knows: how far ladders lag behind, and jobs by state."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from geoservice.db.writing import Writer
from layers.catalog import Catalog
from layers.errors import DatabaseUnavailable, QueryTimeout
from layers.ladder import has_ladder
from layers.model import VectorLayer
from layers.system import edition, feed, job, layer_state


def families(writer: Writer, catalog: Catalog) -> list[Any]:
    """Families of figures for a page; while the database is away they say just that."""
    core = importlib.import_module("prometheus_client.core")
    up = core.GaugeMetricFamily("geoservice_database_up", "Whether the database answers.")
    found = [up]
    try:
        with writer.transaction() as connection:
            found += [*_lags(core, connection, catalog), _jobs(core, connection), *_feeds(core, connection)]
        up.add_metric([], 1)
    except (DatabaseUnavailable, QueryTimeout):
        up.add_metric([], 0)
    return found


def _lags(core: Any, connection: sa.Connection, catalog: Catalog) -> Iterator[Any]:
    later = sa.and_(edition.c.layer == layer_state.c.layer, edition.c.id > sa.func.coalesce(layer_state.c.ladder, 0))
    waited = sa.func.extract("epoch", sa.func.now() - sa.func.min(edition.c.committed))
    rows = connection.execute(
        sa.select(layer_state.c.layer, sa.func.count(edition.c.id), sa.func.coalesce(waited, 0))
        .select_from(layer_state.outerjoin(edition, later))
        .where(layer_state.c.edition.is_not(None))
        .group_by(layer_state.c.layer)
        .order_by(layer_state.c.layer)
    ).all()
    editions = core.GaugeMetricFamily(
        "geoservice_ladder_lag_editions", "Editions that the ladder of a layer does not show yet.", labels=["layer"]
    )
    seconds = core.GaugeMetricFamily(
        "geoservice_ladder_lag_seconds", "Age of the oldest of these editions.", labels=["layer"]
    )
    known = {layer.name for layer in catalog if isinstance(layer, VectorLayer) and has_ladder(layer)}
    for layer, behind, age in rows:
        if layer in known:
            editions.add_metric([layer], behind)
            seconds.add_metric([layer], max(0.0, float(age)))
    yield editions
    yield seconds


def _jobs(core: Any, connection: sa.Connection) -> Any:
    rows = connection.execute(sa.select(job.c.state, sa.func.count()).group_by(job.c.state).order_by(job.c.state)).all()
    family = core.GaugeMetricFamily("geoservice_jobs", "Jobs by state.", labels=["state"])
    for state, number in rows:
        family.add_metric([state], number)
    return family


def _feeds(core: Any, connection: sa.Connection) -> Iterator[Any]:
    """How long ago each feed last answered as it should, and how often it has failed since."""
    names = ["feed"]
    age = core.GaugeMetricFamily(
        "geoservice_feed_age_seconds", "Time since a feed answered as it should.", labels=names
    )
    failures = core.GaugeMetricFamily("geoservice_feed_failures", "Failures of a feed in a row.", labels=names)
    since = sa.func.extract("epoch", sa.func.now() - feed.c.succeeded)
    for name, seconds, failed in connection.execute(
        sa.select(feed.c.name, since, feed.c.failures).order_by(feed.c.name)
    ):
        failures.add_metric([name], failed)
        if seconds is not None:
            age.add_metric([name], max(0.0, float(seconds)))
    yield age
    yield failures
