"""Creating, replacing, changing and deleting features over HTTP (OGC API Features Part 4)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from tests.support.editing import Office, open_office, point, square
from tests.support.loading import count


@pytest.fixture(scope="module")
def office(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(module_database, tmp_path_factory.mktemp("office")) as found:
        yield found


def test_a_feature_is_created_and_found_where_the_answer_says(office: Office) -> None:
    properties = {"code": "新|1", "name": "新点", "amount": 2, "seen": "2026-05-01"}
    made = office.create("spot", properties, point(105.5, 38.5))
    assert (made.status_code, made.content) == (201, b"")
    assert made.headers["location"] == f"http://testserver/collections/spot/items/{quote('新~11', safe='')}"
    found = office.ask("GET", made.headers["location"].removeprefix("http://testserver"))
    body = found.json()
    assert body["geometry"] == point(105.5, 38.5)
    assert body["properties"] == {
        "code": "新|1", "name": "新点", "amount": 2.0, "level": None, "secret": None, "seen": "2026-05-01"
    }  # fmt: skip
    assert made.headers["geoservice-edition"] == str(body["edition"])
    assert found.headers["etag"].startswith(made.headers["etag"].rstrip('"'))


def test_an_edit_is_an_edition_with_its_lineage(office: Office) -> None:
    before = office.editions("field")
    made = office.create("field", {"code": "f1", "amount": 3}, square(105, 38))
    assert made.status_code == 201
    assert office.editions("field") == before + 1
    edition = office.ask("GET", "/collections/field/editions?limit=1").json()["editions"][0]
    assert str(edition["number"]) == made.headers["geoservice-edition"], edition
    assert (edition["kind"], edition["inserted"], edition["updated"], edition["deleted"]) == ("edit", 1, 0, 0)
    assert office.ask("GET", "/collections/field").json()["itemCount"] == 1
    box = office.ask("GET", "/collections/field").json()["extent"]["spatial"]["bbox"][0]
    assert box == pytest.approx([105, 38, 105.01, 38.01])


def test_replace_empties_what_it_does_not_mention_and_patch_keeps_it(office: Office) -> None:
    path = "/collections/spot/items/r1"
    office.create("spot", {"code": "r1", "name": "one", "amount": 5, "secret": "s"}, point(105.1, 38.1))
    body = {"type": "Feature", "id": "r1", "geometry": point(105.2, 38.2), "properties": {"code": "r1", "name": "two"}}
    put = office.ask("PUT", path, json=body)
    assert put.status_code == 204, put.text
    replaced = office.get("spot", "r1").json()
    assert (replaced["properties"]["name"], replaced["properties"]["amount"]) == ("two", None)
    assert replaced["properties"]["secret"] is None
    assert office.ask("PATCH", path, json={"properties": {"amount": 7.5}}).status_code == 204
    patched = office.get("spot", "r1").json()
    assert patched["properties"] == {**replaced["properties"], "amount": 7.5}
    assert patched["geometry"] == point(105.2, 38.2)
    assert office.ask("PATCH", path, json={"geometry": point(105.3, 38.3)}).status_code == 204
    moved = office.get("spot", "r1").json()
    assert (moved["geometry"], moved["properties"]) == (point(105.3, 38.3), patched["properties"])
    assert office.ask("DELETE", path).status_code == 204
    assert office.get("spot", "r1").status_code == 404
    assert count(office.database, "hist.spot", "key = 'r1'") == 4


def test_an_edit_that_changes_nothing_makes_no_edition(office: Office) -> None:
    office.create("spot", {"code": "same", "amount": 1}, point(105.1, 38.1))
    before, tag = office.editions("spot"), office.get("spot", "same").headers["etag"]
    same = office.ask("PATCH", "/collections/spot/items/same", json={"properties": {"amount": 1}})
    assert same.status_code == 204
    assert "geoservice-edition" not in same.headers
    assert office.editions("spot") == before
    assert office.get("spot", "same").headers["etag"] == tag


def test_who_cannot_see_an_attribute_cannot_empty_it(office: Office) -> None:
    """An attribute above the editor's clearance is as if it did not exist: it stays, and naming it is an error."""
    path = "/collections/spot/items/p1"
    body = {"type": "Feature", "geometry": point(105.01, 38.01), "properties": {"code": "p1", "level": "internal"}}
    assert office.ask("PUT", path, "clerk", json=body).status_code == 204
    assert "secret" not in office.get("spot", "p1", "clerk").json()["properties"]
    seen = office.get("spot", "p1").json()["properties"]
    assert (seen["secret"], seen["name"]) == ("hidden 1", None)
    refused = office.ask("PATCH", path, "clerk", json={"properties": {"secret": "x"}})
    assert refused.status_code == 422
    finding = refused.json()["findings"][0]
    assert (finding["rule"], finding["property"]) == ("unknown-property", "secret")
    assert finding["message"].endswith("it has code, name, amount, level, seen.")


def test_nobody_edits_above_themselves(office: Office) -> None:
    hidden = office.ask("PATCH", "/collections/spot/items/p2", "clerk", json={"properties": {"amount": 1}})
    missing = office.ask("PATCH", "/collections/spot/items/p99", "clerk", json={"properties": {"amount": 1}})
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("p2", "p99") == missing.text
    raised = office.ask("PATCH", "/collections/spot/items/p4", "clerk", json={"properties": {"level": "restricted"}})
    assert raised.status_code == 422
    assert raised.json()["findings"][0]["rule"] == "clearance"
    assert office.get("spot", "p4", "clerk").status_code == 200
    # That a key is taken would tell of a hidden row, so the answer is the same whether it is or not.
    taken = office.create("spot", {"code": "p2"}, point(105, 38), who="clerk")
    free = office.create("spot", {"code": "p98"}, point(105, 38), who="clerk")
    assert (taken.status_code, taken.text) == (free.status_code, free.text)
    assert taken.status_code == 403


def test_a_taken_key_is_a_conflict(office: Office) -> None:
    again = office.create("spot", {"code": "p0"}, point(105, 38))
    assert again.status_code == 409
    assert "'p0' already" in again.json()["detail"]


def test_the_key_names_the_feature_for_ever(office: Office) -> None:
    renamed = office.ask("PATCH", "/collections/spot/items/p0", json={"properties": {"code": "other"}})
    assert renamed.status_code == 422
    assert renamed.json()["findings"][0]["rule"] == "key"
    assert office.get("spot", "other").status_code == 404


def test_features_of_a_layer_without_a_key_keep_their_name(office: Office) -> None:
    line = {"type": "LineString", "coordinates": [[105, 38], [105.1, 38.1]]}
    one = office.create("way", {"name": "a"}, line)
    two = office.create("way", {"name": "a"}, line)
    assert one.status_code == two.status_code == 201, one.text
    assert one.headers["location"] != two.headers["location"]
    path = one.headers["location"].removeprefix("http://testserver")
    assert office.ask("PATCH", path, json={"properties": {"name": "b"}}).status_code == 204
    assert office.ask("GET", path).json()["properties"]["name"] == "b"


def test_rows_without_geometry(office: Office) -> None:
    assert office.create("register", {"code": "t1", "amount": 4}).status_code == 201
    assert office.get("register", "t1").json()["properties"]["amount"] == 4
    assert office.create("register", {"code": "t2"}, point(1, 1)).status_code == 400


@pytest.mark.parametrize("code", [4490, 4326, 3857, 4523, 4545, 4507, 32648])
def test_content_crs(office: Office, code: int) -> None:
    """The oracle is PROJ with the axes of the authority: latitude first in EPSG:4490 and 4326, northing in zones."""
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}").transform(105.25, 38.75)
    uri = f"http://www.opengis.net/def/crs/EPSG/0/{code}"
    made = office.create("spot", {"code": f"crs{code}"}, point(x, y), headers={"Content-Crs": f"<{uri}>"})
    assert made.status_code == 201, made.text
    found = office.get("spot", f"crs{code}").json()["geometry"]["coordinates"]
    assert found == pytest.approx([105.25, 38.75], abs=1e-8)


def test_a_patch_without_geometry_does_not_touch_it_whatever_the_crs(office: Office) -> None:
    headers = {"Content-Crs": "<http://www.opengis.net/def/crs/EPSG/0/3857>"}
    patched = office.ask("PATCH", "/collections/spot/items/p3", json={"properties": {"amount": 9}}, headers=headers)
    assert patched.status_code == 204
    assert office.get("spot", "p3").json()["geometry"] == point(105.03, 38.03)


def test_an_invalid_geometry_is_refused_with_its_place_or_mended_when_asked(office: Office) -> None:
    bow = {"type": "Polygon", "coordinates": [[[105, 38], [105.1, 38.1], [105.1, 38], [105, 38.1], [105, 38]]]}
    refused = office.create("field", {"code": "bow"}, bow)
    assert refused.status_code == 422
    finding = refused.json()["findings"][0]
    assert (finding["rule"], finding["action"]) == ("valid-geometry", 0)
    assert "self-intersection at 105.05, 38.05" in finding["message"]
    assert finding["place"] == [105, 38]
    mended = office.create("field", {"code": "bow"}, bow, headers={"Prefer": "handling=lenient"})
    assert mended.status_code == 201
    stored = shapely.geometry.shape(office.get("field", "bow").json()["geometry"])
    assert stored.is_valid
    assert stored.area == pytest.approx(0.005, rel=1e-6)


@pytest.mark.parametrize(
    ("properties", "geometry", "rule", "name"),
    [
        ({"code": "x", "amount": 101}, square(105, 38), "range", "amount"),
        ({"code": "x", "amount": "many"}, square(105, 38), "type", "amount"),
        ({"name": "x"}, square(105, 38), "required", "code"),
        ({"code": "x"}, square(105, 38, 1e-5), "minimum-size", None),
        ({"code": "x"}, point(105, 38), "geometry-type", None),
        ({"code": "x"}, None, "required", None),
        ({"code": "x", "spot": "nowhere"}, square(105, 38), "referential", "spot"),
        ({"code": "x", "colour": "red"}, square(105, 38), "unknown-property", "colour"),
        ({"code": "x", "name": ["a"]}, square(105, 38), "value", "name"),
        ({"code": "x", "name": "a\u0000b"}, square(105, 38), "value", "name"),
        ({"code": "x", "amount": 10**30}, square(105, 38), "value", "amount"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused(
    office: Office, properties: dict[str, object], geometry: object, rule: str, name: str | None
) -> None:
    before = office.editions("field")
    refused = office.create("field", properties, geometry)
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    finding = refused.json()["findings"][0]
    assert (finding["rule"], finding["property"]) == (rule, name), finding
    assert office.editions("field") == before


def test_what_stands_in_another_layer_is_accepted(office: Office) -> None:
    """The other side of the rule above: the value is looked up where it stands, among rows that are not asked for."""
    assert office.create("field", {"code": "ref", "spot": "p0"}, square(105.3, 38)).status_code == 201
