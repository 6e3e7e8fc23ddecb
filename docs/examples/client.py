"""A small client of geoservice in one file. It needs httpx; copy it into your program and change it as you like.

    from client import Client

    with Client("http://127.0.0.1:8000", key=None) as service:
        for feature in service.items("division", filter="level = 'county'"):
            print(feature["id"], feature["properties"]["name_zh"])

Coordinates are longitude and latitude in degrees (CRS84). Problems are raised as `Problem`, with the sentence of the
service. Requests that met a service under load (503, or 429) are repeated after the time that it asks for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]
Position = tuple[float, float]
"""Longitude, latitude in degrees."""
_BUSY = (429, 503)
_OVER = ("successful", "failed", "dismissed")


class Problem(Exception):
    """The service refused or could not answer; `facts` are its problem details (RFC 9457)."""

    def __init__(self, status: int, facts: Json) -> None:
        """Keep the status and the details."""
        super().__init__(f"{status}: {facts.get('detail') or facts.get('title') or 'no details'}")
        self.status = status
        self.facts = facts


class Client:
    """A connection to one service, as a context manager."""

    def __init__(self, address: str, key: str | None = None, *, patience: float = 60.0, tries: int = 5) -> None:
        """Connect.

        Args:
            address: Landing page of the service.
            key: API key; without one you are the anonymous public.
            patience: Seconds until a silent service counts as gone.
            tries: How often a request is made when the service is busy.
        """
        headers = {"X-API-Key": key} if key else {}
        self._http = httpx.Client(base_url=address.rstrip("/") + "/", headers=headers, timeout=patience)
        self._tries = tries

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._http.close()

    def landing(self) -> Json:
        """The landing page: title, description and links to everything."""
        return self._json("GET", "?f=json")

    def collections(self) -> list[Json]:
        """The collections that you may see."""
        found: list[Json] = self._json("GET", "collections?f=json")["collections"]
        return found

    def items(
        self,
        collection: str,
        *,
        bbox: tuple[float, float, float, float] | None = None,
        filter: str | None = None,
        page: int = 1000,
        **more: str,
    ) -> Iterator[Json]:
        """The features of a collection as GeoJSON, page by page, all of one snapshot.

        Args:
            collection: Its id.
            bbox: West, south, east, north in degrees.
            filter: CQL2 text, such as `level = 'county' AND S_INTERSECTS(geometry, POINT(105.1 38.5))`.
            page: Features for each request.
            more: Other parameters, such as `datetime`, `properties` or `sortby`.
        """
        query = {"limit": str(page), **more}
        if bbox is not None:
            query["bbox"] = ",".join(map(str, bbox))
        if filter is not None:
            query["filter"] = filter
        body = self._json("GET", f"collections/{collection}/items", params=query)
        while True:
            yield from body["features"]
            following = _href(body, "next")
            if following is None:
                return
            body = self._json("GET", following)

    def feature(self, collection: str, key: str) -> Json:
        """One feature as GeoJSON."""
        return self._json("GET", f"collections/{collection}/items/{key}")

    def identify(self, lon: float, lat: float, **more: str) -> Json:
        """What is at a point: features of all visible collections, and values of rasters."""
        return self._json("GET", "query/identify", params={"lon": str(lon), "lat": str(lat), **more})

    def join(self, table: Path, result: Path, collection: str, **more: str) -> Path:
        """Find the polygon that holds each row of a table; the table is streamed, both ways.

        Args:
            table: CSV with columns `lon` and `lat`; others are kept as they are.
            result: Where the table goes, with the key and the attributes of the polygons in further columns.
            collection: Id of a collection of polygons.
            more: Other parameters, such as `properties` or `filter`.
        """
        return self._answered("query/join", table, result, {"collection": collection, **more})

    def overlay(self, table: Path, result: Path, collection: str, **more: str) -> Path:
        """Find what each line or area of a table shares with features: square metres, or metres, and which share it is.

        Args:
            table: CSV with a column `wkt`; others are kept as they are.
            result: Where the table goes; each row with the feature that it shares most with.
            collection: Id of a collection of lines or polygons.
            more: Other parameters, such as `matches="all"` for a row for each feature, `properties` or `filter`.
        """
        return self._answered("query/overlay", table, result, {"collection": collection, **more})

    def _answered(self, path: str, table: Path, result: Path, query: Mapping[str, str]) -> Path:
        headers = {"Content-Type": "text/csv"}
        with table.open("rb") as source:
            sent = self._http.stream("POST", path, params=query, content=source, headers=headers)
            with sent as answer:
                return _saved(answer, result)

    def names(self, text: str, **more: str) -> list[Json]:
        """Places whose name is like a text: Chinese, pinyin, initials or English, the best first."""
        found: list[Json] = self._json("GET", "gazetteer/names", params={"q": text, **more})["results"]
        return found

    def geocode(self, address: str, **more: str) -> list[Json]:
        """Places that an address may mean, the likeliest first."""
        found: list[Json] = self._json("GET", "gazetteer/geocode", params={"q": address, **more})["results"]
        return found

    def divisions_at(self, lon: float, lat: float) -> list[Json]:
        """The divisions that a point lies in, the highest first."""
        found: list[Json] = self._json("GET", "gazetteer/divisions/at", params={"lon": lon, "lat": lat})["divisions"]
        return found

    def route(self, places: Iterable[Position], **more: Any) -> Json:
        """The best way by some places in their order, as GeoJSON; `closures` are zones to go around."""
        return self._json("POST", "routing/routes", json={"waypoints": [list(place) for place in places], **more})

    def execute(self, process: str, inputs: Mapping[str, Any]) -> Any:
        """Carry out a process and wait for its only result."""
        return self._json("POST", f"processes/{process}/execution", json={"inputs": dict(inputs)})

    def export(self, inputs: Mapping[str, Any], result: Path, *, patience: float = 3600.0) -> Path:
        """Have a collection written into a file, and fetch it; takes an API key.

        Args:
            inputs: What the process `export` takes, such as `{"collection": "road", "f": "gpkg"}`.
            result: Where the file goes.
            patience: Seconds to wait for the job.

        Raises:
            Problem: When the job fails.
            TimeoutError: When it does not end in time.
        """
        body = {"inputs": dict(inputs), "response": "document"}
        made = self._send("POST", "processes/export/execution", json=body, headers={"Prefer": "respond-async"})
        ended = self.ended(made.headers["location"], patience)
        if ended["status"] != "successful":
            raise Problem(422, {"detail": ended.get("message", "The job failed."), **ended})
        results = self._json("GET", f"jobs/{ended['jobID']}/results")
        (file,) = results.values()
        with self._http.stream("GET", self._own(file["href"])) as answer:
            return _saved(answer, result)

    def ended(self, job: str, patience: float = 3600.0) -> Json:
        """The status of a job once it has ended."""
        until, pause = time.monotonic() + patience, 0.2
        while time.monotonic() < until:
            status = self._json("GET", job)
            if status["status"] in _OVER:
                return status
            time.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        raise TimeoutError(f"The job {job} did not end within {patience:g} seconds.")

    def _json(self, method: str, path: str, **more: Any) -> Json:
        found: Json = self._send(method, path, **more).json()
        return found

    def _own(self, address: str) -> str:
        """An address of this service; the key is for nobody else, whatever a link says."""
        host = httpx.URL(address).host
        if host not in ("", self._http.base_url.host):
            raise ValueError(f"{address} is not of the service {self._http.base_url}.")
        return address

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        for left in reversed(range(self._tries)):
            answer = self._http.request(method, self._own(path), **more)
            if answer.status_code not in _BUSY or not left:
                break
            time.sleep(float(answer.headers.get("retry-after", "1")))
        return _checked(answer)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        facts = answer.json()
    except ValueError:
        facts = {"title": answer.reason_phrase}
    raise Problem(answer.status_code, facts if isinstance(facts, dict) else {})


def _saved(answer: httpx.Response, result: Path) -> Path:
    """Write an answer to a file as it comes; a broken one leaves no file under the name."""
    if not answer.is_success:
        answer.read()
    _checked(answer)
    draft = result.with_name(f"{result.name}.part")
    with draft.open("wb") as target:
        for part in answer.iter_bytes():
            target.write(part)
    return draft.replace(result)


def _href(body: Json, relation: str) -> str | None:
    return next((one["href"] for one in body.get("links", ()) if one["rel"] == relation), None)
