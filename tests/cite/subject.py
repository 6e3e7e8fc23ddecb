"""The service under test: started with the sample region, or one that runs already."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

PATIENCE = 120.0
PARCELS = 500
TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
VARIABLES = ("{tileMatrix}", "{tileRow}", "{tileCol}")


class CiteError(Exception):
    """The suites cannot be run; the sentence says why."""


@dataclass(frozen=True)
class Subject:
    """A running service and its address, without a slash at the end."""

    address: str

    def json(self, place: str) -> Any:
        """A document of the service, by path or by address."""
        address = place if place.startswith("http") else self.address + place
        answer = httpx.get(address, headers={"Accept": "application/json"}, timeout=PATIENCE)
        if answer.status_code != httpx.codes.OK:
            raise CiteError(f"{address} answers {answer.status_code}; the suites need it.")
        return answer.json()


@contextmanager
def sample_service(home: Path, log: Path) -> Iterator[Subject]:
    """The service on loopback with a database of its own, loaded with the sample region; both end with the block."""
    port = _free_port()
    strange = ("GEOSERVICE_", "PG")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    surroundings = {**clean, "GEOSERVICE_HOME": str(home), "GEOSERVICE_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "geoservice"]
    with log.open("wb") as output:
        try:
            loading = [*command, "demo", "--no-serve", "--parcels", str(PARCELS)]
            if subprocess.run(loading, env=surroundings, stdout=output, stderr=output, check=False).returncode:
                raise CiteError(f"The sample region could not be loaded; {log} says why.")
            serving = [*command, "serve", "--port", str(port), "--workers", "1"]
            process = subprocess.Popen(serving, env=surroundings, stdout=output, stderr=output)
            try:
                _wait(f"http://127.0.0.1:{port}", log)
                yield Subject(f"http://127.0.0.1:{port}")
            finally:
                process.terminate()
                process.wait()
        finally:
            subprocess.run([*command, "db", "stop"], env=surroundings, stdout=output, stderr=output, check=False)


def one_tile(subject: Subject) -> tuple[str, str, int, int]:
    """A tile that has something: its template, matrix, row and column."""
    for collection in subject.json("/collections")["collections"]:
        for link in (one for one in collection["links"] if one["rel"] == TILESETS):
            for tileset in subject.json(link["href"])["tilesets"]:
                found = _full_tile(subject, tileset)
                if found is not None:
                    return found
    raise CiteError("No collection has a tileset whose first tile has anything in it.")


def _full_tile(subject: Subject, tileset: Any) -> tuple[str, str, int, int] | None:
    if not tileset["tileMatrixSetURI"].endswith("/WebMercatorQuad"):
        return None
    (own,) = [link["href"] for link in tileset["links"] if link["rel"] == "self"]
    document = subject.json(own)
    (template,) = [link["href"] for link in document["links"] if all(name in link["href"] for name in VARIABLES)]
    for limit in document.get("tileMatrixSetLimits", [])[:1]:
        matrix, row, col = limit["tileMatrix"], limit["minTileRow"], limit["minTileCol"]
        address = template
        for name, value in zip(VARIABLES, (matrix, row, col), strict=True):
            address = address.replace(name, str(value))
        if httpx.get(address, timeout=PATIENCE).status_code == httpx.codes.OK:
            return template, matrix, row, col
    return None


def capabilities(subject: Subject, path: str, service: str, version: str) -> str:
    """Address of a capabilities document, which must be there."""
    query = urlencode({"SERVICE": service, "REQUEST": "GetCapabilities", "VERSION": version})
    address = f"{subject.address}/{path}?{query}"
    if httpx.get(address, timeout=PATIENCE).status_code != httpx.codes.OK:
        raise CiteError(f"{address} is not answered: the service has no {service}.")
    return address


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(address: str, log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            if httpx.get(f"{address}/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise CiteError(f"The service did not start within {PATIENCE:.0f} seconds; {log} says why.")
