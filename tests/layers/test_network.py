"""The network of a layer file: what it must name, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from layers.catalog import read_catalog
from layers.errors import DefinitionError
from layers.model import VectorLayer
from tests.support.roads import NETWORK, street_layer


def test_the_roads_of_the_catalogue_are_a_network_of_their_classes() -> None:
    catalog = read_catalog()
    road = catalog.layer("road")
    assert isinstance(road, VectorLayer)
    assert road.network is not None
    classes = set(catalog.codelist("road-class@1").codes)
    for mode in road.network.modes.values():
        assert set(mode.speeds) <= classes
    assert set(road.network.modes["car"].speeds) == classes - {"path"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"network": {**NETWORK, "class": "stranger"}}, "unknown attribute"),
        ({"network": {**NETWORK, "oneway": "name"}}, "type boolean"),
        ({"network": {**NETWORK, "limit": "name"}}, "integer or number"),
        ({"network": {**NETWORK, "modes": {}}}, "at least 1"),
        ({"network": {**NETWORK, "modes": {"car": {"speeds": {"fast": 0}}}}}, "greater than 0"),
        ({"network": {**NETWORK, "tolerance": "1 mm"}}, "one of the units"),
        ({"geometry": "polygon", "style": {"fill": "#aabbcc"}}, "only lines"),
    ],
)
def test_a_wrong_network_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        street_layer(**changes)


def test_a_direction_that_not_everybody_sees_is_refused() -> None:
    attributes = {name: dict(a.model_dump(exclude_none=True)) for name, a in street_layer().attributes.items()}
    attributes["oneway"]["clearance"] = "restricted"
    with pytest.raises(DefinitionError, match="direction"):
        street_layer(attributes=attributes)
