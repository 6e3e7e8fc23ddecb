"""SensorThings behind a socket for conformance tests, and which of them prove what the service root declares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.sensorthings.render import MOUNT
from geoservice.settings import Settings
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.database import copied_database
from tests.support.loading import prepared
from tests.support.sensorthings import location, make_observer, named, oven, reading, stream
from tests.support.serving import serving

SETS = (
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
)
_REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
_READS, _WRITES, _MQTT = (f"test_sensorthings11{name}.py" for name in ("", "_writes", "_mqtt"))
_CHANGES = "create-update-delete"
PROOFS: dict[str, tuple[tuple[str, str], ...]] = {
    _REQUIREMENT + name: proofs
    for name, proofs in {
        "datamodel": (
            (_READS, "test_each_entity_has_its_properties_and_links"),
            (_READS, "test_relations_lead_back"),
            (_READS, "test_results_are_of_the_type_of_their_datastream"),
        ),
        "resource-path/resource-path-to-entities": ((_READS, "test_the_eight_usages_of_a_path"),),
        "request-data": (
            (_READS, "test_errors_are_told_with_their_status"),
            (_READS, "test_what_is_expanded_stands_in_place_of_its_link"),
            (_READS, "test_select_leaves_the_rest_out"),
            (_READS, "test_orderby"),
            (_READS, "test_count_top_and_skip"),
            (_READS, "test_pages_stay_whole_while_others_write"),
            (_READS, "test_operators_and_functions_of_numbers_and_times"),
            (_READS, "test_functions_of_texts_and_places"),
            (_READS, "test_filters_go_along_links"),
        ),
        _CHANGES: ((_WRITES, "test_who_may_not_write_is_told_so"),),
        f"{_CHANGES}/create-entity": ((_WRITES, "test_each_entity_is_created"),),
        f"{_CHANGES}/link-to-existing-entities": ((_WRITES, "test_new_entities_are_linked_to_those_that_are_there"),),
        f"{_CHANGES}/deep-insert": ((_WRITES, "test_deep_insertion"),),
        f"{_CHANGES}/deep-insert-status-code": ((_WRITES, "test_a_deep_insertion_that_fails_leaves_nothing"),),
        f"{_CHANGES}/update-entity": ((_WRITES, "test_patch_changes_what_it_mentions"),),
        f"{_CHANGES}/update-entity-put": ((_WRITES, "test_put_empties_what_it_does_not_mention"),),
        f"{_CHANGES}/delete-entity": ((_WRITES, "test_deletions_cascade_as_table_25_says"),),
        f"{_CHANGES}/historical-location-auto-creation": ((_WRITES, "test_a_move_is_remembered"),),
        "batch-request/batch-request": (
            (_WRITES, "test_a_batch_as_the_standard_has_it"),
            (_WRITES, "test_a_change_set_is_done_whole_or_not_at_all"),
            (_WRITES, "test_bad_parts_are_told"),
        ),
        "data-array/data-array": (
            (_READS, "test_data_arrays_say_what_entities_say"),
            (_WRITES, "test_data_arrays_create_observations"),
        ),
    }.items()
}
"""The tests that prove each requirement."""
MQTT_PROOFS = {
    f"{_REQUIREMENT}create-observations-via-mqtt/observations-creation": (
        (_MQTT, "test_observations_are_created_by_every_path"),
        (_MQTT, "test_a_night_with_a_broker_that_restarts"),
    )
}
"""The same for what is declared where a broker is named."""


@dataclass
class Room:
    """A running service with a gauge that has ten readings, and the key of an observer.

    Attributes:
        root: Address of the service root.
        gauge: Number of the thing; `level` that of its datastream: result r at r o'clock.
    """

    client: httpx.Client
    root: str
    key: str
    database: Database
    gauge: int = 0
    level: int = 0

    def get(self, path: str, **options: str) -> httpx.Response:
        """GET below the service root, or a whole address; options by name without $."""
        address = path if path.startswith("http") else f"{self.root}/{path}".rstrip("/")
        return self.client.get(address, params={f"${name}": value for name, value in options.items()} or None)

    def values(self, path: str, **options: str) -> list[Any]:
        """The entities of a set."""
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()["value"]
        return found

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request that changes something, by the observer."""
        return self.client.request(method, f"{self.root}/{path}", json=body, headers={"X-API-Key": self.key})

    def make(self, path: str, body: Any) -> int:
        """POST an entity that is well, and tell its number."""
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["@iot.id"]
        return number


@contextmanager
def running_room(settings: Settings) -> Iterator[Room]:
    """The service behind a socket, over a database of its own: an oven, and a gauge with ten readings."""
    with copied_database(settings) as database:
        prepared(database, Catalog())
        key = make_observer(database, Clearance.RESTRICTED)
        with (
            serving(create_app(database.settings, Catalog())) as address,
            httpx.Client(timeout=60) as client,
        ):
            room = Room(client, f"{address}{MOUNT}", key, database)
            room.make("Things", oven())
            level = stream("level", Observations=[reading(hour, float(hour)) for hour in range(10)])
            body = named("gauge", properties={"river": "Min"}, Locations=[location("weir", 105.1, 38.5)])
            room.gauge = room.make("Things", {**body, "Datastreams": [level]})
            room.level = room.values(f"Things({room.gauge})/Datastreams")[0]["@iot.id"]
            yield room
