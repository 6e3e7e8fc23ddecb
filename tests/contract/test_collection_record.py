"""The page of a collection is its record: attributes, history, loads, requests, as far as the reader may know them."""

from __future__ import annotations

import datetime as dt

import pytest

from layers.access import Clearance
from layers.freshness import due
from tests.support.service import Service
from tests.web.test_page import Elements


def page(service: Service, name: str, clearance: Clearance | None, language: str = "en") -> str:
    answer = service.get(f"/collections/{name}?f=html&lang={language}", clearance)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.mark.parametrize(("language", "word"), [("zh", "版本历史"), ("en", "Editions")])
def test_the_record_tells_attributes_history_and_requests(service: Service, language: str, word: str) -> None:
    found = page(service, "spot", None, language)
    assert word in found
    for told in ("clearance@1", "<code>amount</code>", "/collections/spot/statistics", "f=gpkg", "/loads/1?f=html"):
        assert told in found, told
    assert [one.get("alt") for one in Elements(found).named("img")] != []


def test_a_hidden_attribute_and_hidden_numbers_are_not_in_it(service: Service) -> None:
    public, full = page(service, "spot", None), page(service, "spot", Clearance.RESTRICTED)
    assert "<code>secret</code>" in full, "a page that never tells proves nothing"
    assert "secret" not in public
    assert "CNRY" not in public
    editions = public.partition('id="history"')[2].partition("</section>")[0]
    assert "not shown" in editions or "hidden" in editions.lower()


def test_freshness_is_told_of_what_is_loaded(service: Service) -> None:
    body = service.get("/collections/spot").json()
    committed = dt.datetime.fromisoformat(body["edition"]["committed"])
    # A mean Gregorian year.
    assert dt.datetime.fromisoformat(body["freshness"]["due"]) - committed == dt.timedelta(days=365.2425)
    assert body["freshness"]["overdue"] is False


@pytest.mark.parametrize(
    ("cycle", "days"),
    [("P1D", 1), ("P2W", 14), ("PT36H", 1.5), ("P1M", 30.436875), ("P1Y1D", 366.2425), ("soon", None)],
)
def test_when_the_next_edition_is_due(cycle: str, days: float | None) -> None:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    expected = None if days is None else moment + dt.timedelta(days=days)
    assert due(cycle, moment) == expected


def test_a_cycle_beyond_the_calendar_is_never_over() -> None:
    assert due("P9999Y", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) is None
