"""Documents of any kind as facts, tables and sections, and the way back from a page."""

from __future__ import annotations

import pytest

from web.places import as_page, crumbs, own_path, word
from web.reading import Reader

ROOT = "/base"
HOST = "https://geo.example.org/base"


def test_entries_of_one_kind_are_a_table_that_leads_on() -> None:
    body = {
        "divisions": [
            {
                "code": "1",
                "level": "county",
                "people": 1234,
                "links": [{"rel": "item", "href": f"{HOST}/gazetteer/divisions/1"}],
            },
            {"code": "2", "level": "township", "people": None, "links": []},
        ]
    }
    (part,) = Reader("zh", ROOT).section(body).parts
    assert part.title == "行政区划"
    assert part.table is not None
    assert part.table.columns == ("代码", "级别", "people")
    first, second = part.table.rows
    assert (first[0].text, first[0].href) == ("1", "/base/gazetteer/divisions/1?f=html&lang=zh")
    assert [cell.text for cell in first[1:]] == ["县级", "1,234"]
    assert [(cell.text, cell.href) for cell in second] == [("2", None), ("乡级", None), ("", None)]
    assert part.table.numeric == (False, False, True)


def test_texts_in_two_languages_are_one_fact() -> None:
    body = {"name": {"zh": "样例县", "en": "Sample County"}, "population": None, "open": True}
    for language, name, yes in (("zh", "样例县", "是"), ("en", "Sample County", "yes")):
        facts = Reader(language, ROOT).section(body).facts
        assert [fact.cells[0].text for fact in facts] == [name, yes]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (105.123456, "105.123456"),
        (38.5, "38.5"),
        (-20037508.342789, "-20,037,508.342789"),
        (12, "12"),
        (1.5e-9, "1.5e-09"),
        (0.0, "0"),
        (4_000_000, "4,000,000"),
    ],
)
def test_numbers_keep_what_coordinates_need(value: float, written: str) -> None:
    assert Reader("en", ROOT).cell("x", value).text == written


def test_moments_are_written_to_the_minute_in_one_zone() -> None:
    assert Reader("en", ROOT).cell("created", "2026-05-01T16:30:59+08:00").text == "2026-05-01 08:30 UTC"
    assert Reader("en", ROOT).cell("created", "2026-05-01T99:00:00").text == "2026-05-01T99:00:00"


def test_what_is_nested_becomes_sections() -> None:
    made = Reader("en", ROOT).section({"point": [1.5, 2.5], "inner": {"rows": [[1, 2], [3, 4]]}, "none": []})
    assert [(fact.label, [cell.text for cell in fact.cells]) for fact in made.facts] == [
        ("Point (longitude, latitude)", ["1.5", "2.5"]),
        ("none", ["There is nothing here."]),
    ]
    (inner,) = made.parts
    assert [cell.text for cell in inner.facts[0].cells] == ["1, 2", "3, 4"]


def test_addresses_become_pages_where_there_are_pages() -> None:
    assert as_page(f"{HOST}/collections/a%2Fb/items?limit=5&f=json", ROOT, "zh") == (
        "/base/collections/a%2Fb/items?limit=5&f=html&lang=zh"
    )
    assert as_page(f"{HOST}/wms?service=WMS", ROOT, "zh") == "/base/wms?service=WMS"
    assert as_page("https://elsewhere.example/other", ROOT, "zh") == "https://elsewhere.example/other"
    assert as_page(f"{HOST}/tiles/{{z}}", ROOT, "zh") == f"{HOST}/tiles/{{z}}"
    assert own_path("/basement/collections", ROOT) is None


def test_the_way_back_names_each_page_above() -> None:
    way = crumbs(f"{HOST}/collections/road/items/17?f=html", ROOT, "en", {"road": "Roads"})
    assert [(one.title, one.href.partition("?")[0]) for one in way] == [
        ("Home", "/base/"),
        ("Collections", "/base/collections"),
        ("Roads", "/base/collections/road"),
        ("Items", "/base/collections/road/items"),
    ]
    assert [one.title for one in crumbs(f"{HOST}/gazetteer/sheets/J50", ROOT, "en", {})] == ["Home"]
    assert [one.title for one in crumbs(None, ROOT, "zh", {})] == ["首页"]


def test_a_resource_is_not_called_by_a_word_of_ours() -> None:
    """A collection may be called like a kind of page."""
    assert word("collections/division", "en") is None
    assert word("collections/division/schema", "en") == "Schema"
