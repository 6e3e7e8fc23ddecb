"""Links to reports are opened at a pace; one for a lower clearance is bound by the size of a zone like any answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from geoservice.house import House
from geoservice.reports.pace import Pace
from layers.access import Clearance
from tests.geoservice.reports.conftest import Office

READS = 3


def soon() -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()


def house_of(office: Office) -> House:
    app: Any = office.service.client.app
    house: House = app.state.house
    return house


def link_to(office: Office) -> str:
    body = {"expires": soon(), "clearance": "restricted"}
    made = office.post(f"/reports/{office.made['id']}/shares", body)
    assert made.status_code == 201, made.text
    return str(made.json()["url"]).removeprefix("http://testserver")


@pytest.fixture
def paced(links: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Few reads, and a clock that stands still."""
    monkeypatch.setattr(house_of(links).reports, "_opened", Pace(READS, lambda: 0.0))
    monkeypatch.setattr(house_of(links).reports, "_missed", Pace(READS, lambda: 0.0))
    return links


def test_a_link_is_opened_so_often_and_no_more(paced: Office) -> None:
    one, other = link_to(paced), link_to(paced)
    found = [paced.service.get(f"{one}?f=json") for _ in range(READS + 1)]
    assert [answer.status_code for answer in found] == [200] * READS + [429]
    assert found[-1].headers["retry-after"]
    assert paced.service.get(f"{other}?f=json").status_code == 200, "each link has a pace of its own"
    own = f"/reports/{paced.made['id']}?f=json"
    assert paced.service.get(own, Clearance.RESTRICTED).status_code == 200, "the owner is not held up"


def test_without_a_pace_a_link_is_opened_as_often_as_one_likes(links: Office) -> None:
    """The negative control: it is the pace that refuses."""
    link = link_to(links)
    assert {links.service.get(f"{link}?f=json").status_code for _ in range(READS + 2)} == {200}


def test_links_that_show_nothing_are_guessed_slowly(paced: Office) -> None:
    link = link_to(paced)
    found = [paced.service.get(f"/shared/guess-{number}") for number in range(READS + 1)]
    assert [answer.status_code for answer in found] == [404] * READS + [429]
    assert paced.service.get(f"{link}?f=json").status_code == 200, "who holds a link is not held up by guessing"


def test_a_pace_fills_up_again_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    pace = Pace(6, lambda: now[0])
    assert [pace.allows(b"a") for _ in range(7)] == [True] * 6 + [False]
    now[0] = 10.0
    assert [pace.allows(b"a") for _ in range(2)] == [True, False]
    now[0] = 1e6
    assert [pace.allows(b"a") for _ in range(7)] == [True] * 6 + [False], "rest is not saved up beyond a minute"
    monkeypatch.setattr("geoservice.reports.pace._MOST_NAMES", 2)
    for name in (b"b", b"c"):
        assert pace.allows(name)
    assert len(pace._left) == 2


@pytest.mark.parametrize(("most", "status"), [(300.0, 413), (500.0, 201)])
def test_a_link_for_a_lower_clearance_is_bound_by_the_size_of_the_zone(
    links: Office, monkeypatch: pytest.MonkeyPatch, most: float, status: int
) -> None:
    # The zone has 0.2 by 0.2 degrees at 38 degrees north: 390 km2.
    house = house_of(links)
    monkeypatch.setattr(house, "settings", house.settings.model_copy(update={"impact_max_km2": most}))
    place = f"/reports/{links.made['id']}/shares"
    answer = links.post(place, {"expires": soon(), "clearance": "public"})
    assert answer.status_code == status, answer.text
    if status == 413:
        assert "300 km2" in answer.json()["detail"]
        assert links.post(place, {"expires": soon(), "clearance": "restricted"}).status_code == 201, "nothing is asked"
