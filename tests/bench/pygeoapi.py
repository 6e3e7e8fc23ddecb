"""The third service that is compared: pygeoapi over the same table, in a virtual environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from layers.crs import CRS84_URI
from tests.bench import servers
from tests.bench.servers import Place
from tests.bench.world import LAYER, PEER_ROLE

PYGEOAPI = "pygeoapi==0.21.0"
PARTS = ("gunicorn==23.0.0", "psycopg2-binary>=2.9", "geoalchemy2>=0.15", "sqlalchemy>=2.0")
THREADS = 4


@contextmanager
def serving(place: Place, password: str, layer: str = LAYER) -> Iterator[int]:
    """Pygeoapi with its provider for PostgreSQL, through the peer's role; gives its port.

    Args:
        place: The database.
        password: Password of the peer's role.
        layer: The layer that it offers.
    """
    port = servers.free_port()
    folder = servers.environment(place.home, "pygeoapi", PYGEOAPI, *PARTS)
    config = place.home / "pygeoapi.json"
    # YAML reads JSON.
    config.write_text(json.dumps(_config(place, password, layer, port)), encoding="utf-8")
    config.chmod(0o600)
    described = place.home / "pygeoapi-openapi.yml"
    surroundings = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(described)}
    make = [str(folder / "bin" / "pygeoapi"), "openapi", "generate", str(config), "--output-file", str(described)]
    subprocess.run(make, check=True, env={**servers.clean_environment(), **surroundings}, stdout=subprocess.DEVNULL)
    command = [
        str(folder / "bin" / "gunicorn"), "--workers", str(servers.WORKERS), "--threads", str(THREADS),
        "--bind", f"127.0.0.1:{port}", "pygeoapi.flask_app:APP",
    ]  # fmt: skip
    log = place.home / "pygeoapi.log"
    with servers.running(command, surroundings, log):
        servers.wait(port, f"/collections/{layer}?f=json", log)
        yield port


def _config(place: Place, password: str, layer: str, port: int) -> dict[str, object]:
    database = place.database
    reached = {
        "host": database.parameters["host"],
        "port": int(database.parameters.get("port", "5432")),
        "dbname": database.name,
        "user": PEER_ROLE,
        "password": password,
        "search_path": ["geo", "public"],
    }
    provider = {
        "type": "feature",
        "name": "PostgreSQL",
        "data": reached,
        "id_field": "fid",
        "table": layer,
        "geom_field": "geom",
    }
    words = {"title": "Bench", "description": "Bench", "keywords": ["bench"]}
    contact = {"name": "Bench", "email": "bench@example.org"}
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": f"http://127.0.0.1:{port}",
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "gzip": True,
            "languages": ["en-US"],
            "limits": {"default_items": 10, "max_items": 10_000},
            "map": {"url": "http://127.0.0.1/none", "attribution": "none"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                **words,
                "keywords_type": "theme",
                "terms_of_service": "none",
                "url": "http://127.0.0.1",
            },
            "license": {"name": "none", "url": "http://127.0.0.1"},
            "provider": {"name": "Bench", "url": "http://127.0.0.1"},
            "contact": contact,
        },
        "resources": {
            layer: {
                "type": "collection",
                **words,
                "links": [{"type": "text/html", "rel": "about", "title": "Bench", "href": "http://127.0.0.1"}],
                "extents": {"spatial": {"bbox": [-180, -90, 180, 90], "crs": CRS84_URI}},
                "providers": [provider],
            }
        },
    }
