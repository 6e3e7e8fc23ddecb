"""OGC SensorThings API 1.1 (18-088): the service root, and everything below it by its address."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import base_url, link, url
from geoservice.http.negotiation import JSON
from geoservice.http.parameters import FREE_PARAMETERS
from geoservice.ogc.block import Block
from geoservice.sensorthings.address import Address, read_address
from geoservice.sensorthings.model import ENTITIES
from geoservice.sensorthings.options import read_options
from geoservice.sensorthings.read import Reader
from geoservice.sensorthings.render import MOUNT
from layers.access import Principal
from layers.errors import BadParameter

router = APIRouter(tags=["sensorthings"])
PLAIN = "text/plain; charset=utf-8"
_REQUIREMENTS = "http://www.opengis.net/spec/iot_sensing/1.1/req"
CONFORMANCE = tuple(
    f"{_REQUIREMENTS}/{name}"
    for name in (
        "datamodel",
        "resource-path/resource-path-to-entities",
        "request-data",
        "create-update-delete",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code",
        "create-update-delete/update-entity",
        "create-update-delete/update-entity-put",
        "create-update-delete/delete-entity",
        "create-update-delete/historical-location-auto-creation",
        "batch-request/batch-request",
        "data-array/data-array",
    )
)
"""What the service root declares, in the words of the standard: requirements, not conformance classes."""
CREATION_BY_MQTT = f"{_REQUIREMENTS}/create-observations-via-mqtt/observations-creation"


@router.get(MOUNT, summary="SensorThings: the sets of entities, and what the service can do")
async def root(request: Request, house: Inside) -> Response:
    """The service root (18-088, 9.2.1): the sets with their addresses, and the requirements that are met."""
    sets = [{"name": name, "url": url(request, f"{MOUNT}/{name}")} for name in ENTITIES]
    body = {"value": sets, "serverSettings": _settings(house.settings.mqtt_endpoints)}
    return encoded(request, _bytes(body), JSON, {"Cache-Control": "no-cache"})


@router.get(
    MOUNT + "/{entity_path:path}", summary="SensorThings: entities, links, properties", openapi_extra=FREE_PARAMETERS
)
async def read(request: Request, house: Inside, asker: Asker, entity_path: str) -> Response:
    """Entities of a set, one of them, what it is linked to, its properties, by the address and options of 18-088, 9."""
    if not entity_path:
        return await root(request, house)
    address = read_address(entity_path)
    body = await answer(house, asker, address, list(request.query_params.multi_items()), _root(request))
    kept = {"Cache-Control": "no-cache" if asker.anonymous else "private, no-cache"}
    if address.form in ("property", "value") and _empty(body, address):
        return Response(status_code=204, headers=kept)
    if address.form == "value" and not isinstance(body, dict | list):
        text = body if isinstance(body, str) else json.dumps(body)
        return encoded(request, text.encode("utf-8", "replace"), PLAIN, kept)
    return encoded(request, _bytes(body), JSON, kept)


def _settings(endpoints: list[str]) -> dict[str, Any]:
    """What is met, and where: observations are taken by MQTT where the operator says that there is a broker."""
    if not endpoints:
        return {"conformance": list(CONFORMANCE)}
    return {"conformance": [*CONFORMANCE, CREATION_BY_MQTT], CREATION_BY_MQTT: {"endpoints": endpoints}}


async def answer(house: House, asker: Principal, address: Address, given: list[tuple[str, str]], base: str) -> Any:
    """What a principal is answered under an address, as a value that JSON can write.

    Raises:
        BadParameter: When options are given where there is nothing to be chosen.
        UnknownResource: When there is nothing under the address, as far as this principal may know.
    """
    if given and address.form in ("property", "value"):
        raise BadParameter("A property takes no options.", parameter=given[0][0][:60])
    options = read_options(address.entity, given)
    async with house.pools.connection(asker.clearance) as connection:
        # A page, its count and what is expanded in it are read from one snapshot.
        await connection.execution_options(isolation_level="REPEATABLE READ")
        return await Reader(connection, asker.clearance, base).answer(address, options)


def _empty(body: Any, address: Address) -> bool:
    """Whether a property has no value; that is no content and no error (18-088, 9.2.4)."""
    return body is None or (address.form == "property" and list(body.values()) == [None])


def _root(request: Request) -> str:
    return base_url(request) + MOUNT


def _bytes(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, MOUNT), "related", JSON, "OGC SensorThings API 1.1")]


BLOCK = Block("sensorthings", "https://docs.ogc.org/is/18-088/18-088.html", "draft", (), router, _links)
