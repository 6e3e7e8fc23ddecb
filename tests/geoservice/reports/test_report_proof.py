"""The seal of reports: openssl judges the signature, spoiled reports are found out, figures are computed again."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from geoservice.alerts.keys import Identity, identity
from geoservice.cli import app
from geoservice.db.credentials import Role
from geoservice.reports import verify
from geoservice.reports.carrier import Carried, opened
from geoservice.reports.errors import ContentChanged, EditionsGone, FiguresDiffer, SealBroken
from geoservice.reports.manifest import canonical
from geoservice.reports.seal import own_certificates, seal
from layers.access import Clearance
from layers.errors import BadBody
from tests.geoservice.reports.conftest import Office, question


def trusted(office: Office) -> list[bytes]:
    return own_certificates(office.database.settings.home)


def package(office: Office) -> dict[str, bytes]:
    response = office.service.get(f"/reports/{office.made['id']}?f=zip", Clearance.RESTRICTED)
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def test_openssl_checks_the_signature(office: Office, tmp_path: Path) -> None:
    files = package(office)
    for name in ("manifest.json", "manifest.sig", "certificate.pem"):
        (tmp_path / name).write_bytes(files[name])
    key = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "certificate.pem", "-pubkey", "-noout"], capture_output=True, check=True
    ).stdout
    (tmp_path / "key.pem").write_bytes(key)
    check = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "manifest.sig", "manifest.json"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "manifest.json").write_bytes(files["manifest.json"].replace(b'"zh"', b'"en"'))
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("form", ["json", "html", "pdf"])
def test_every_form_carries_the_proof(office: Office, form: str) -> None:
    carried = opened(form, office.files[form])
    assert carried.sealed.as_json() == office.files["json"]
    beside = {f"report.{name}": office.files[name] for name in ("gpkg", "xlsx")}
    verify.check_seal(Carried(carried.sealed, carried.files | beside), trusted(office))


@pytest.mark.parametrize("form", ["html", "pdf"])
def test_no_byte_of_a_file_can_be_changed(office: Office, form: str) -> None:
    content = office.files[form]
    for place in (len(content) // 5, len(content) - 30):
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        with pytest.raises((ContentChanged, SealBroken, BadBody)):
            verify.check_seal(opened(form, bytes(spoiled)), trusted(office))
    with pytest.raises((ContentChanged, BadBody)):
        verify.check_seal(opened(form, content + b"\n%more"), trusted(office))


def spoiled(office: Office, where: tuple[Any, ...], value: Any) -> bytes:
    told = json.loads(office.files["json"])
    inner = told
    for name in where[:-1]:
        inner = inner[name]
    assert inner[where[-1]] != value
    inner[where[-1]] = value
    return canonical(told)


def test_spoiled_figures_signatures_and_keys_are_found_out(office: Office, tmp_path: Path) -> None:
    figure = spoiled(office, ("answer", "zone", "area_m2"), 1.0)
    with pytest.raises(ContentChanged, match="figure was changed"):
        verify.check_seal(opened("x", figure), trusted(office))
    signature = bytearray(base64.b64decode(office.made["signature"]))
    signature[-1] ^= 1
    with pytest.raises(SealBroken):
        verify.check_seal(
            opened("x", spoiled(office, ("signature",), base64.b64encode(bytes(signature)).decode())), trusted(office)
        )
    with pytest.raises(SealBroken, match="manifest"):
        verify.check_seal(opened("x", spoiled(office, ("manifest", "title"), "other")), trusted(office))
    theirs: Identity = identity(tmp_path, "somebody.example")
    sealed = opened("x", office.files["json"]).sealed
    forged = seal(sealed.manifest, sealed.answer, theirs)
    with pytest.raises(SealBroken, match="not trusted"):
        verify.check_seal(opened("x", forged.as_json()), trusted(office))
    verify.check_seal(opened("x", forged.as_json()), [theirs.certificate])


def test_a_package_that_was_opened_up_is_found_out(office: Office) -> None:
    files = package(office)
    verify.check_seal(opened("x", zipped(files)), trusted(office))
    for changed in (
        files | {"report.gpkg": files["report.gpkg"] + b"x"},
        files | {"readme.txt": b"read me"},
        {name: body for name, body in files.items() if name != "certificate.pem"},
        files | {"contents.json": files["contents.json"].replace(b"a", b"b", 1)},
    ):
        with pytest.raises(ContentChanged):
            verify.check_seal(opened("x", zipped(changed)), trusted(office))


def asked(office: Office) -> verify.Ask:
    def ask(body: dict[str, Any]) -> dict[str, Any]:
        ((kind, inner),) = body.items()
        response = office.post(f"/{kind}", inner)
        if response.status_code != 200:
            raise BadBody(response.json()["detail"])
        found: dict[str, Any] = response.json()
        return found

    return ask


def test_the_answer_is_computed_again_and_a_wrong_one_is_named(office: Office) -> None:
    sealed = opened("x", office.files["json"]).sealed
    verify.check_figures(sealed.manifest, sealed.answer, asked(office))
    # As if our own program had signed a wrong figure: the seal holds, the figure does not.
    wrong = json.loads(json.dumps(sealed.answer))
    spot = next(n for n, one in enumerate(wrong["sections"]) if one["layer"] == "spot")
    wrong["sections"][spot]["total"]["value"] += 1
    with pytest.raises(FiguresDiffer, match=r"sections\[\d: spot\]\.total\.value: the report says 31\.0.*30\.0"):
        verify.check_figures(sealed.manifest, wrong, asked(office))


def test_editions_that_are_gone_are_not_taken_for_wrong_figures(office: Office) -> None:
    sealed = opened("x", office.files["json"]).sealed
    gone = json.loads(json.dumps(sealed.answer))
    for one in gone["sections"]:
        if one.get("edition"):
            one["edition"]["number"] += 1000
    with pytest.raises(EditionsGone):
        verify.check_figures(sealed.manifest, gone, asked(office))


def test_the_command_checks_and_says_by_its_code_what_is_wrong(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(office.database.settings.home))
    good, bad, none = (tmp_path / name for name in ("good.pdf", "bad.json", "none.json"))
    good.write_bytes(office.files["pdf"])
    bad.write_bytes(spoiled(office, ("answer", "zone", "area_m2"), 1.0))
    none.write_text("{}")
    runner = CliRunner()
    done = runner.invoke(app, ["verify", str(good), "--no-recompute"])
    assert done.exit_code == 0, done.output
    assert runner.invoke(app, ["verify", str(bad), "--no-recompute"]).exit_code == 4
    assert isinstance(runner.invoke(app, ["verify", str(none)]).exception, BadBody)
    monkeypatch.setenv("GEOSERVICE_HOME", str(tmp_path))
    assert runner.invoke(app, ["verify", str(good), "--no-recompute"]).exit_code == 3


def test_figures_of_former_editions_are_computed_as_of_then(office: Office) -> None:
    """Today another edition holds; the question as of the moment of the report has the old figures."""
    sealed = opened("x", office.files["json"]).sealed
    calls: list[Any] = []

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        calls.append(body["impact"].get("as_of"))
        found = asked(office)(body)
        if calls[-1] is None:
            for one in found["sections"]:
                if one.get("edition"):
                    one["edition"]["number"] += 1
        return found

    verify.check_figures(sealed.manifest, sealed.answer, ask)
    assert calls == [None, sealed.manifest.moment.isoformat()]


def test_a_share_shows_what_its_clearance_allows_and_ends(office: Office) -> None:
    service, place = office.service, f"/reports/{office.made['id']}"
    expires = "2999-01-01T00:00:00Z"
    assert office.post(f"{place}/shares", {"expires": expires}).status_code == 400
    soon = office.service.client.get("/reports", headers={"X-API-Key": service.keys[Clearance.RESTRICTED]})
    assert soon.status_code == 200
    with office.database.transaction(Role.WRITER) as connection:
        day = connection.execute(sa.text("SELECT now() + interval '1 day'")).scalar_one().isoformat()
    made = office.post(f"{place}/shares", {"expires": day})
    assert made.status_code == 201, made.text
    link = made.json()["url"].replace("http://testserver", "")
    token = link.rpartition("/")[2]
    assert len(base64.urlsafe_b64decode(token + "==")) >= 16
    shown = service.get(f"{link}?f=json")
    assert shown.status_code == 200, shown.text
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in shown.headers["x-robots-tag"]
    assert "no-store" in shown.headers["cache-control"]
    assert "CNRY-0-spot" in shown.text
    assert not any(f"CNRY-{level}" in shown.text for level in (1, 2))
    manifest = shown.json()["manifest"]
    assert manifest["clearance"] == "public"
    verify.check_seal(opened("x", shown.content), trusted(office))
    full = office.post(f"{place}/shares", {"expires": day, "clearance": "restricted"}).json()
    assert "CNRY-2-spot" in service.get(full["url"].replace("http://testserver", "") + "?f=json").text
    listed = service.get(f"{place}/shares", Clearance.RESTRICTED)
    assert {one["id"] for one in listed.json()["shares"]} == {made.json()["id"], full["id"]}
    assert token not in listed.text
    with office.database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.text("SELECT token FROM report.share")).scalars().all()
    assert token.encode() not in kept
    headers = {"X-API-Key": service.keys[Clearance.RESTRICTED]}
    ended = service.client.delete(f"{place}/shares/{full['id']}", headers=headers)
    assert ended.status_code == 204
    with office.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("UPDATE report.share SET expires = now() - interval '1 second'"))
    answers = [service.get(one) for one in (link, full["url"].replace("http://testserver", ""), "/shared/none")]
    assert {one.status_code for one in answers} == {404}
    assert len({one.json()["detail"] for one in answers}) == 1


def test_a_link_cannot_show_more_than_the_report(office: Office) -> None:
    made = office.post("/reports", {"compliance": {"bbox": [105, 38, 105.1, 38.1]}}, Clearance.INTERNAL)
    assert made.status_code == 201, made.text
    with office.database.transaction(Role.WRITER) as connection:
        day = connection.execute(sa.text("SELECT now() + interval '1 day'")).scalar_one().isoformat()
    body = {"expires": day, "clearance": "restricted"}
    refused = office.post(f"/reports/{made.json()['id']}/shares", body, Clearance.INTERNAL)
    assert refused.status_code == 400
    headers = {"X-API-Key": office.service.keys[Clearance.INTERNAL]}
    place = f"/reports/{made.json()['id']}"
    assert office.service.client.delete(place, headers=headers).status_code == 204
    assert office.service.get(place, Clearance.INTERNAL).status_code == 404
    assert question()
