"""The life of alerts: the same in every order of arrival, and nobody ends what is not theirs."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.alerting import Board, Message, Name, ending, ends, phase

NOON = dt.datetime(2026, 6, 18, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SENDERS = ("a@x", "b@x")


def message(number: int = 0, kind: Any = "Alert", hour: int = 0, **more: Any) -> Message:
    name = Name(more.pop("sender", "a@x"), f"m{number}", NOON + hour * HOUR)
    fresh = Message(name, "Actual", kind, f"digest {number}", frozenset(), name.sent, NOON + 24 * HOUR)
    return replace(fresh, **more)


FIRST = message()
UPDATE = message(1, "Update", 1, references=frozenset({FIRST.name}))
CANCEL = message(2, "Cancel", 2, references=frozenset({FIRST.name, UPDATE.name}))


@st.composite
def traffic(draw: st.DrawFn) -> list[Message]:
    """Some messages that refer to one another at random: also to later ones, to themselves, to others' and to none."""
    number = draw(st.integers(1, 7))
    names = [
        Name(draw(st.sampled_from(SENDERS)), f"m{i}", NOON + draw(st.integers(0, 5)) * HOUR) for i in range(number)
    ]
    stray = Name("a@x", "never came", NOON)
    found = []
    for i, name in enumerate(names):
        kind: Any = draw(st.sampled_from(["Alert", "Update", "Cancel", "Ack", "Error"]))
        status: Any = draw(st.sampled_from(["Actual", "Exercise"]))
        about = draw(st.sets(st.sampled_from([*names, stray]), max_size=3))
        until = name.sent + draw(st.integers(-1, 6)) * HOUR
        found.append(Message(name, status, kind, f"digest {i}", frozenset(about), name.sent, until))
    return found


def board(messages: list[Message]) -> Board:
    found = Board()
    for one in messages:
        found, _ = found.accept(one)
    return found


@given(traffic(), st.randoms(use_true_random=False), st.integers(-1, 12))
def test_any_order_and_any_repetition_ends_in_the_same_state(messages: list[Message], chance: Any, hour: int) -> None:
    shuffled = [*messages, *messages]
    chance.shuffle(shuffled)
    at = NOON + hour * HOUR
    assert board(shuffled).phases(at) == board(messages).phases(at)
    assert board(shuffled).contested == {}


@given(traffic(), st.integers(-1, 12))
def test_who_is_active_is_told_by_the_plain_words_of_the_standard(messages: list[Message], hour: int) -> None:
    at = NOON + hour * HOUR
    known = board(messages).phases(at)
    for one in messages:
        over = any(
            other.kind in ("Update", "Cancel")
            and other.status == one.status
            and other.name.sender == one.name.sender
            and other is not one
            and one.name in other.references
            and one.name.sent <= other.name.sent <= at
            for other in messages
        )
        warns = one.kind in ("Alert", "Update")
        assert (known[one.name] == "active") == (warns and not over and one.name.sent <= at < one.ends)


@given(traffic())
def test_what_ended_never_comes_back(messages: list[Message]) -> None:
    found = board(messages)
    for before, after in zip(range(-1, 12), range(12), strict=False):
        early, late = found.phases(NOON + before * HOUR), found.phases(NOON + after * HOUR)
        for name, was in early.items():
            if was in ("expired", "updated", "cancelled"):
                assert late[name] in ("expired", "updated", "cancelled")


def test_a_cancel_that_came_first_counts_when_the_alert_comes() -> None:
    found = board([CANCEL, FIRST])
    assert found.phases(NOON + 1.5 * HOUR)[FIRST.name] == "active"
    assert found.phases(NOON + 2 * HOUR)[FIRST.name] == "cancelled"


def test_an_update_takes_the_place_of_the_alert_and_a_cancel_ends_both() -> None:
    found = board([FIRST, UPDATE, CANCEL])
    assert found.phases(NOON + 1.5 * HOUR) == {FIRST.name: "updated", UPDATE.name: "active", CANCEL.name: "notice"}
    assert found.phases(NOON + 3 * HOUR) == {FIRST.name: "updated", UPDATE.name: "cancelled", CANCEL.name: "notice"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": Name("b@x", "m2", CANCEL.name.sent)},
        {"status": "Exercise"},
        {"status": "Test"},
        {"kind": "Ack"},
        {"kind": "Error"},
        {"references": frozenset({Name("a@x", "m0", NOON + HOUR)})},
        {"name": Name("a@x", "m2", NOON - HOUR)},
    ],
)
def test_others_exercises_and_wrong_names_end_nothing(change: dict[str, Any]) -> None:
    assert ends(CANCEL, FIRST)
    assert not ends(replace(CANCEL, **change), FIRST)


def test_other_content_under_a_known_name_changes_nothing_and_is_found() -> None:
    forged = replace(FIRST, digest="other", ends=NOON)
    found, verdict = board([FIRST]).accept(forged)
    assert verdict == "contested"
    assert found.phases(NOON)[FIRST.name] == "active"
    assert found.contested == {("a@x", "m0"): frozenset({FIRST.digest, "other"})}
    assert board([FIRST]).accept(FIRST)[1] == "unchanged"


def test_what_was_over_by_itself_is_not_said_to_be_cancelled() -> None:
    brief = replace(FIRST, ends=NOON + HOUR)
    assert phase(brief, ending(brief, [CANCEL]), NOON + 3 * HOUR) == "expired"


def test_an_alert_holds_from_when_it_says() -> None:
    later = replace(FIRST, begins=NOON + 3 * HOUR)
    assert phase(later, None, NOON + HOUR) == "ahead"
    assert phase(later, None, NOON + 3 * HOUR) == "active"
    assert phase(FIRST, None, FIRST.ends) == "expired"
