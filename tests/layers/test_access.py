"""The access decision: a table of who may do what, checked against its rule written out by hand."""

from __future__ import annotations

import pytest

from layers.access import ANONYMOUS, LOAD_ANY, Clearance, Principal, decide, load_right
from tests.support.loading import trial_layer

PUBLIC, INTERNAL, RESTRICTED = Clearance
SPOT = load_right("spot")


@pytest.mark.parametrize(
    ("clearance", "rights", "layer_clearance", "reads", "loads"),
    [
        (PUBLIC, (), "public", True, False),
        (RESTRICTED, (), "public", True, False),
        (PUBLIC, (LOAD_ANY,), "public", True, True),
        (PUBLIC, (LOAD_ANY,), "internal", False, False),
        (INTERNAL, (LOAD_ANY,), "internal", True, True),
        (INTERNAL, (SPOT,), "internal", True, True),
        (INTERNAL, (load_right("area"),), "internal", True, False),
        (INTERNAL, (SPOT,), "restricted", False, False),
        (RESTRICTED, ("load:",), "public", True, False),
        (RESTRICTED, ("load:*", "loads", "LOAD"), "public", True, False),
    ],
)
def test_loading_takes_a_right_and_the_clearance(
    clearance: Clearance, rights: tuple[str, ...], layer_clearance: str, reads: bool, loads: bool
) -> None:
    layer = trial_layer("spot", clearance=layer_clearance)
    asker = Principal("k1", clearance, frozenset(rights))
    assert decide(asker, "read", layer).allowed is reads
    assert decide(asker, "load", layer).allowed is loads


def test_nobody_loads_anonymously() -> None:
    layer = trial_layer("spot")
    for asker in (ANONYMOUS, Principal(ANONYMOUS.id, Clearance.RESTRICTED, frozenset({LOAD_ANY}))):
        assert not decide(asker, "load", layer).allowed
        assert not asker.loads


def test_a_loader_is_shown_what_a_reader_is_shown() -> None:
    layer = trial_layer("spot")
    asker = Principal("k1", Clearance.PUBLIC, frozenset({LOAD_ANY}))
    load, read = decide(asker, "load", layer), decide(asker, "read", layer)
    assert (load.attributes, load.rule) == (read.attributes, read.rule)
    assert "secret" not in load.attributes
    assert asker.loads
