"""`geoservice serve`: run the service."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer
import uvicorn

from geoservice.cli.layers import synchronise
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.provision import open_database, release
from geoservice.http.protocol import BoundedProtocol
from geoservice.jobs.keeper import kept_workers
from geoservice.metrics.meter import share
from geoservice.settings import Settings, load_settings
from layers.errors import ConfigurationError

WORKER_START_SECONDS = 120
"""A busy machine may need long to import the libraries; a supervisor that gives up early would restart for ever."""

GRACE_SECONDS = 10
"""Time that requests under way have when the service ends; streams of progress would keep it for ever."""


def register(root: typer.Typer) -> None:
    """Add the command to the root application."""
    root.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
) -> None:
    """Start the database if it is ours and not running, bring its tables up to date, and serve until interrupted."""
    settings = load_settings(host=host, port=port, workers=workers)
    require_free_port(settings)
    started_here = start_database(settings)
    synchronise(settings, open_database(settings))
    run(settings, started_here=started_here)


def require_free_port(settings: Settings) -> None:
    """Try the address before anything is started for it.

    Raises:
        ConfigurationError: When nobody can listen there.
    """
    try:
        places = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = places[0]
        with socket.socket(family, kind, protocol) as trial:
            # As the server does: a port whose last connections are still fading away counts as free.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"Nobody can listen on {settings.host}, port {settings.port} ({error.strerror}); "
            "choose another with --port, or another host."
        ) from None


def start_database(settings: Settings) -> bool:
    """Start the embedded database if it is ours and not running; True when this call started it."""
    return settings.database_url is None and EmbeddedCluster(settings).start()


def run(settings: Settings, *, started_here: bool) -> None:
    """Serve with the given settings; stops the embedded database at the end if this process started it."""
    # Worker processes build their settings from the environment.
    os.environ.update({"GEOSERVICE_HOST": settings.host, "GEOSERVICE_PORT": str(settings.port)})
    if settings.metrics_token is not None:
        share(settings.home / "metrics")
    try:
        with kept_workers(settings.job_workers):
            uvicorn.run(
                "geoservice.app:create_app",
                factory=True,
                http=BoundedProtocol,
                host=settings.host,
                port=settings.port,
                workers=settings.workers,
                log_level=settings.log_level,
                access_log=False,
                timeout_worker_healthcheck=WORKER_START_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                server_header=False,
            )
    finally:
        if started_here:
            release(settings)
