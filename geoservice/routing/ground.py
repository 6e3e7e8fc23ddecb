"""From a question to the ground that it is asked on: which network, whose graph, which closures."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.request import find_place
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.features.past import instant_asked
from geoservice.routing.answers import Words
from geoservice.routing.asked import Asked, ClosureRequest
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.keeper import Networks
from geoservice.routing.read import Source
from geoservice.routing.travel import Travel
from layers.access import Decision, decide
from layers.catalog import Catalog
from layers.errors import BadBody, UnknownLayer
from layers.model import Text, VectorLayer
from layers.network import Network


@dataclass(frozen=True)
class Office:
    """What questions are answered with: connections, networks, and the context of whoever asks."""

    context: AnalysisContext
    pools: Pools
    reading: Reading
    networks: Networks


@dataclass(frozen=True)
class Ground:
    """Whose network it is, and the traveller on it with the closures in force."""

    layer: VectorLayer
    travel: Travel
    words: Words


async def ground_of(office: Office, asked: Asked) -> Ground:
    """Find network, graph and closures of a question.

    Raises:
        UnknownLayer: When there is no such network that the asker may see.
        BadBody: When the network has no such mode.
        BadParameter: When the instant is none.
        UnknownFeature: When a closure names a feature that there is not.
        NetworkUnavailable: When the graph is not ready.
    """
    layer, network, decision = network_asked(office.context, asked.network)
    mode = asked.mode or next(iter(network.modes))
    if mode not in network.modes:
        listed = ", ".join(network.modes)
        raise BadBody(f"The network of {layer.name} has the modes {listed}; {mode[:40]!r} is none.", where="mode")
    closures, instant = await _looked_up(office, layer, asked)
    graph = await office.networks.graph(Source(layer, network, decision, instant), office.reading)
    effect = await asyncio.to_thread(effect_of, graph, closures)
    return Ground(layer, Travel(graph, mode, asked.preference, effect), words_of(office.context.catalog, layer))


def network_asked(context: AnalysisContext, name: str | None) -> tuple[VectorLayer, Network, Decision]:
    """The layer of a network by its collection id, or the first one that the asker may see.

    Raises:
        UnknownLayer: When there is none.
    """
    for layer, network, decision in networks_of(context):
        if name in (None, layer.name):
            return layer, network, decision
    told = f"There is no network {name[:60]!r}" if name else "There is no network"
    raise UnknownLayer(f"{told}; /routing lists those there are.")


def networks_of(context: AnalysisContext) -> list[tuple[VectorLayer, Network, Decision]]:
    """The networks that the asker may see, in the order of the catalogue."""
    found = []
    for layer in context.catalog:
        if isinstance(layer, VectorLayer) and layer.network is not None:
            decision = decide(context.principal, "read", layer)
            if decision.allowed:
                found.append((layer, layer.network, decision))
    return found


def words_of(catalog: Catalog, layer: VectorLayer) -> Words:
    """Names of the classes of a network's roads."""
    listed = layer.attributes[layer.network.class_].list if layer.network is not None else None
    kinds: Mapping[str, Text] = {}
    if listed is not None:
        kinds = {code.code: Text(zh=code.zh, en=code.en) for code in catalog.codelist(listed).codes.values()}
    return Words(kinds)


async def _looked_up(office: Office, layer: VectorLayer, asked: Asked) -> tuple[list[Closure], dt.datetime | None]:
    clearance = office.context.principal.clearance
    closures, instant = [], None
    if asked.closures:
        async with office.pools.connection(clearance) as connection:
            closures = [await _closure(connection, wanted, office.context) for wanted in asked.closures]
    if asked.as_of is not None:
        async with office.pools.raw(clearance) as raw:
            instant = await instant_asked(raw, layer, asked.as_of, None)
    return closures, instant


async def _closure(connection: AsyncConnection, wanted: ClosureRequest, context: AnalysisContext) -> Closure:
    place = await find_place(connection, wanted.zone, context)
    return Closure(place.geometry, wanted.factor, place.origin)
