"""Every error of the product has a status, a title and a meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from geoservice.cli import FAILURES
from geoservice.documentation import every_error
from geoservice.http.problems import STATUS, status_of
from layers import errors
from layers.errors import GeoError

ERRORS = tuple(every_error())


def without_own_row(kinds: Iterable[type[GeoError]]) -> Iterator[type[GeoError]]:
    """Errors of the vocabulary without a row of their own, and errors elsewhere whose only row is that of GeoError."""
    for kind in kinds:
        parents = [parent for parent in kind.__mro__ if parent in STATUS and parent is not GeoError]
        own = kind in STATUS if kind.__module__ == errors.__name__ else bool(parents)
        if not own and kind is not GeoError:
            yield kind


def mute(kinds: Iterable[type[GeoError]]) -> Iterator[type[GeoError]]:
    """Errors without a title or a meaning of their own."""
    for kind in kinds:
        if "title" not in vars(kind) or not vars(kind)["title"] or not vars(kind).get("__doc__"):
            yield kind


def test_all_are_found() -> None:
    names = {kind.__name__ for kind in ERRORS}
    assert {"GeoError", "BadParameter", "SourceMismatch", "ClusterError", "CredentialsMissing", "NoOrigin"} <= names
    assert len(names) == len(ERRORS), "two errors of one name could not be told apart in the documentation"


def test_every_error_has_its_row() -> None:
    assert not list(without_own_row(ERRORS))


def test_no_row_is_for_nobody() -> None:
    assert set(STATUS) <= set(ERRORS)


def test_every_error_speaks() -> None:
    assert not list(mute(ERRORS))
    titles = [kind.title for kind in ERRORS]
    assert len(set(titles)) == len(titles), "titles tell errors apart"


@pytest.mark.parametrize("kind", ERRORS)
def test_status_is_one_of_http(kind: type[GeoError]) -> None:
    status = status_of(kind("It did not work."))
    client = {400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 422, 423, 428, 429, 460}
    assert status in client | {500, 502, 503, 507}
    if issubclass(kind, FAILURES):
        assert status >= 500, "what no other wording avoids is not the client's fault"


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_keep_sentence_and_facts(kind: type[GeoError]) -> None:
    error = kind("A sentence.", fact=1)
    assert (str(error), error.detail, error.facts) == ("A sentence.", "A sentence.", {"fact": 1})


def test_an_error_without_row_or_words_is_seen() -> None:
    class Orphan(GeoError):
        pass

    class Child(errors.SourceError):
        """A kind of a known error."""

        title = "Child"

    assert list(without_own_row([Orphan, Child])) == [Orphan]
    assert list(mute([Orphan, Child])) == [Orphan]
