"""Whether a kept tile is current: judged from numbers and boxes, compared with a judge that reads the story itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geoservice.tiles.journal import LONG_AGO, Journal, Stamp

TILE = (10.0, 10.0, 20.0, 20.0)
INSIDE, TOUCHING, OUTSIDE = (12.0, 12.0, 13.0, 13.0), (20.0, 5.0, 30.0, 10.0), (21.0, 10.0, 30.0, 20.0)


def story(*boxes: tuple[float, ...] | None) -> Journal:
    """A layer that has a ladder, and one entry per edition: edition 10 with entry 1, edition 20 with entry 2, ..."""
    journal = Journal(edition=10 * len(boxes), ladder=True, charted=10 * len(boxes), change=len(boxes), learnt=7.0)
    for number, box in enumerate(boxes, 1):
        journal.add([(number, 10 * number, *(box or (None,) * 4))], float(number))
    return journal


def from_rows(edition: int) -> Stamp:
    return Stamp(edition, 0, laddered=False, stepped=False, ladder=False, live=True)


def from_ladder(change: int) -> Stamp:
    return Stamp(0, change, laddered=True, stepped=True, ladder=True, live=False)


def test_the_latest_number_is_current_without_a_look_at_boxes() -> None:
    journal = story(None, INSIDE)
    assert journal.stale_since(from_rows(20), TILE) is None
    assert journal.stale_since(from_ladder(2), TILE) is None
    # Drawn from a state that is not known here yet.
    assert journal.stale_since(from_rows(30), TILE) is None
    assert journal.stale_since(from_ladder(3), TILE) is None


def test_a_later_box_that_meets_the_tile_makes_it_stale() -> None:
    for box in (INSIDE, TOUCHING, None):
        journal = story(None, box, OUTSIDE)
        assert journal.stale_since(from_rows(10), TILE) == 2.0
        assert journal.stale_since(from_ladder(1), TILE) == 2.0
        assert journal.stale_since(from_rows(20), TILE) is None
    journal = story(None, OUTSIDE, OUTSIDE)
    assert journal.stale_since(from_rows(10), TILE) is None
    assert journal.renewed(from_rows(10)).edition == 30
    assert journal.renewed(from_ladder(1)).change == 3


def test_before_an_edition_has_told_what_it_changed_everything_has() -> None:
    journal = story(None, OUTSIDE)
    journal.edition = 30
    assert journal.stale_since(from_rows(20), TILE) == 7.0
    assert journal.stale_since(from_rows(30), TILE) is None
    # The ladder does not show it yet.
    assert journal.stale_since(from_ladder(2), TILE) is None


def test_a_ladder_that_comes_or_goes_makes_what_is_drawn_otherwise_stale() -> None:
    journal = story(None, OUTSIDE)
    without = Stamp(20, 2, laddered=False, stepped=True, ladder=False, live=True)
    assert journal.stale_since(without, TILE) == 7.0
    journal.ladder = False
    assert journal.stale_since(without, TILE) is None
    assert journal.stale_since(from_ladder(2), TILE) == 7.0


def test_what_is_older_than_the_oldest_entry_is_stale() -> None:
    journal = Journal(edition=50, ladder=True, charted=50, change=5)
    journal.add([(4, 40, *OUTSIDE), (5, 50, *OUTSIDE)], 1.0)
    assert journal.stale_since(from_rows(30), TILE) == LONG_AGO
    assert journal.stale_since(from_ladder(3), TILE) == LONG_AGO
    assert journal.stale_since(from_rows(40), TILE) is None
    assert Journal(edition=1, charted=1).stale_since(from_rows(0), TILE) == LONG_AGO


def test_clusters_are_as_old_as_the_older_of_what_they_show() -> None:
    journal = story(None, OUTSIDE, INSIDE, OUTSIDE)

    def clusters(edition: int, change: int) -> Stamp:
        return Stamp(edition, change, laddered=True, stepped=True, ladder=True, live=True)

    assert journal.stale_since(clusters(30, 3), TILE) is None
    assert journal.stale_since(clusters(20, 3), TILE) == 3.0
    assert journal.stale_since(clusters(30, 2), TILE) == 3.0
    assert journal.renewed(clusters(30, 3)) == clusters(40, 4)
    # Single features are the rows of today, though the ladder has not counted them yet.
    journal.edition = 50
    assert journal.stale_since(clusters(40, 4), TILE) == 7.0


boxes = st.sampled_from([None, INSIDE, TOUCHING, OUTSIDE])


@given(st.lists(st.tuples(st.integers(1, 3), boxes), min_size=1, max_size=12), st.data())
def test_any_story_is_judged_as_it_was(told: list[tuple[int, tuple[float, ...] | None]], data: st.DataObject) -> None:
    """Editions with several boxes each; the oracle walks through all that came after."""
    journal, entry, edition = Journal(ladder=True), 0, 0
    lines = []
    for step, box in told:
        edition += step - 1
        entry += step
        lines.append((entry, edition, box))
        journal.add([(entry, edition, *(box or (None,) * 4))], 0.0)
    journal.edition = journal.charted = edition
    journal.change = entry
    seen = data.draw(st.sampled_from(lines))
    later = [box for number, _, box in lines if number > seen[0]]
    assert (journal.stale_since(from_ladder(seen[0]), TILE) is None) == all(box == OUTSIDE for box in later)
    after = [box for _, number, box in lines if number > seen[1]]
    assert (journal.stale_since(from_rows(seen[1]), TILE) is None) == all(box == OUTSIDE for box in after)
