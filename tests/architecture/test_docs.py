"""The documentation says what is: nothing of the product is missing from it, and it names nothing that is not there."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer.main
from fastapi.routing import APIRoute
from starlette.routing import Match

from geoservice import documentation
from geoservice.cli import app
from geoservice.ogc.blocks import BLOCKS
from geoservice.settings import Settings
from layers.catalog import read_catalog
from layers.errors import GeoError
from layers.model import (
    Attribute,
    Authority,
    Exposure,
    Hazard,
    Licence,
    Portal,
    RasterLayer,
    Release,
    TableLayer,
    VectorLayer,
)
from layers.sources import SourceMapping
from layers.style import RasterStyle, VectorStyle
from tests.architecture.checkout import DOCS, ROOT, trees

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WORDS = {page: page.read_text(encoding="utf-8") for page in PAGES}
ALL = "\n".join(WORDS.values())
REQUIRED = {
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/README.zh.md", "docs/architecture.md",
    "docs/schema.md", "docs/operator.md", "docs/api.md", "docs/portal.md", "docs/adding-a-layer.md", "docs/errors.md",
    "docs/settings.md", "docs/cli.md", "docs/layers.md",
}  # fmt: skip
SPAN = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CALL = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?geoservice(?: |$)")
OWN_VARIABLES = {"GEOSERVICE_" + name.upper() for name in Settings.model_fields}
OF_TESTS = {
    name
    for file in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"environ(?:\.get)?[(\[]\"(GEOSERVICE_[A-Z_]+)\"", file.read_text(encoding="utf-8"))
}
"""What tests read from the surroundings; CONTRIBUTING.md may name it."""


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return [body for kind, body in BLOCK.findall(WORDS[page]) if kind == language]


def command_lines(page: Path) -> Iterator[str]:
    """Commands a page tells its reader to type, in blocks and in the text."""
    for block in blocks(page, "bash"):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())
    yield from SPAN.findall(BLOCK.sub("", WORDS[page]))


def wrong_in_command(line: str) -> str | None:
    """What is wrong with a line that calls `geoservice`; None when it is right or calls something else."""
    if not CALL.match(line):
        return None
    words = shlex.split(line.split("|", maxsplit=1)[0], comments=True)
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words.pop(0)
    command: Any = typer.main.get_command(app)
    rest = iter(words[1:])
    for word in rest:
        children = getattr(command, "commands", {})
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if word in children:
            command = children[word]
        elif word.startswith("-") and word.partition("=")[0] not in {*known, "--help", "-h"}:
            return f"{line}: there is no option {word}"
        elif children and word.startswith("-") and "=" not in word and _takes_value(command, word):
            # An option of a group; what follows is its value and no command.
            next(rest, None)
        elif children and not word.startswith("-") and word != "...":
            return f"{line}: there is no command {word}"
    return None


def _takes_value(command: Any, option: str) -> bool:
    """Whether an option of a command is followed by a value."""
    found = [p for p in command.params if option in (*p.opts, *p.secondary_opts)]
    return bool(found) and not found[0].is_flag


def routes() -> set[tuple[str, str]]:
    """Method and path of all routes."""
    found = set()
    for block in BLOCKS:
        for route in block.router.routes:
            assert isinstance(route, APIRoute)
            path = re.sub(r":path}", "}", route.path)
            found |= {(method, path) for method in route.methods - {"HEAD", "OPTIONS"}}
    return found


def documented_routes(text: str) -> set[tuple[str, str]]:
    """Method and path of all requests that a text names in code."""
    return set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)", text))


def unanswered(line: str) -> str | None:
    """What is wrong with a `curl` line (no route, a parameter the route does not know); None when it is answered."""
    words = shlex.split(line)
    address = urlsplit(next(word for word in words if word.startswith("http")))
    method = (
        words[words.index("-X") + 1] if "-X" in words else "POST" if {"-d", "--data-binary"} & set(words) else "GET"
    )
    scope = {"type": "http", "method": method, "path": address.path, "root_path": ""}
    for block in BLOCKS:
        for route in block.router.routes:
            if isinstance(route, APIRoute) and route.matches(dict(scope))[0] is Match.FULL:
                unknown = parse_qs(address.query).keys() - _query_names(route.dependant)
                return f"{line}: {sorted(unknown)}" if unknown else None
    return f"{line}: nothing answers"


# ---------------------------------------------------------------- nothing is missing


def test_all_pages_are_there() -> None:
    assert {str(page.relative_to(ROOT)) for page in PAGES} >= REQUIRED


@pytest.mark.parametrize("name", documentation.PAGES)
def test_made_pages_are_current(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    assert page == documentation.PAGES[name](), f"run: {documentation.RENEW}"


def test_pages_are_rewritten_only_when_they_changed(tmp_path: Path) -> None:
    assert {file.name for file in documentation.write(tmp_path)} == set(documentation.PAGES)
    assert documentation.write(tmp_path) == []
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    assert documentation.write(tmp_path) == [tmp_path / "cli.md"]


def test_every_setting_is_documented_and_used() -> None:
    page = WORDS[DOCS / "settings.md"]
    used = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "geoservice").rglob("*.py")))
    for name, field in Settings.model_fields.items():
        assert f"| `GEOSERVICE_{name.upper()}` |" in page
        assert field.description
        assert re.search(rf"(settings|self)\.{name}\b", used), f"nothing reads the setting {name}"


def test_every_command_is_documented() -> None:
    page = WORDS[DOCS / "cli.md"]
    for path, command in documentation.every_command():
        assert f"## {path}\n" in page
        assert command.help, path
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help"
            assert all(f"`{option}`" in page for option in parameter.opts if option.startswith("-"))


def test_every_error_is_documented() -> None:
    page = WORDS[DOCS / "errors.md"]
    for kind in documentation.every_error():
        assert f"`{kind.__name__}` | {kind.title} |" in page


def test_every_layer_is_documented() -> None:
    page = WORDS[DOCS / "layers.md"]
    for layer in read_catalog():
        assert f"### {layer.name}\n" in page
        assert layer.title.zh in page


def test_every_route_is_documented_and_no_other() -> None:
    assert documented_routes(WORDS[DOCS / "api.md"]) == routes()


def test_every_parameter_of_a_route_is_documented() -> None:
    page = WORDS[DOCS / "api.md"]
    for block in BLOCKS:
        for route in block.router.routes:
            assert isinstance(route, APIRoute)
            for name in _query_names(route.dependant):
                assert f"`{name}`" in page or f"`{name}=" in page, f"{route.path}: {name}"


def _query_names(dependant: Any) -> set[str]:
    return {field.alias for field in dependant.query_params}.union(*map(_query_names, dependant.dependencies))


@pytest.mark.parametrize(
    "model",
    [
        VectorLayer, TableLayer, RasterLayer, Attribute, Authority, Licence, Release, Portal, Exposure, Hazard,
        SourceMapping, VectorStyle, RasterStyle,
    ],
)  # fmt: skip
def test_every_key_of_a_layer_file_is_documented(model: Any) -> None:
    page = WORDS[DOCS / "adding-a-layer.md"]
    # Theme and name come from the file's place; `mode` has one value only.
    names = {field.alias or name for name, field in model.model_fields.items()} - {"theme", "name", "mode"}
    assert not [name for name in sorted(names) if f"`{name}`" not in page]


def test_every_script_and_package_is_in_the_readme() -> None:
    readme = WORDS[ROOT / "README.md"]
    for script in sorted((ROOT / "scripts").iterdir()):
        assert re.search(rf"\b{script.name}\b", readme), script.name
        assert os.access(script, os.X_OK), script.name
    assert all(f"{name}/" in readme for name in documentation.PACKAGES)


# ---------------------------------------------------------------- nothing is named that is not there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    assert not [wrong for line in command_lines(page) if (wrong := wrong_in_command(line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_requests_would_be_answered(page: Path) -> None:
    lines = [line for line in command_lines(page) if line.startswith("curl ")]
    assert not [wrong for line in lines if (wrong := unanswered(line))]
    assert lines or page not in {ROOT / "README.md", DOCS / "api.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(WORDS[page]):
        place, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT)
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_exist(page: Path) -> None:
    known = OWN_VARIABLES | OF_TESTS if page.name == "CONTRIBUTING.md" else OWN_VARIABLES
    assert set(re.findall(r"\bGEOSERVICE_[A-Z_]+\b", WORDS[page])) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_exist(page: Path) -> None:
    for name in re.findall(r"\bscripts/(\w+)", WORDS[page]):
        assert (ROOT / "scripts" / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_product_exist(page: Path) -> None:
    folders = "|".join((*documentation.PACKAGES, "docs", "tests"))
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", WORDS[page]):
        assert (ROOT / name).exists() or name == "web/static/vendor", f"{page.name}: {name}"


def test_sentences_that_operators_look_up_are_said() -> None:
    """The table "What to do when" quotes the product; the quoted words stand in its code."""
    code = " ".join(" ".join(re.sub(r'"\s*\n\s*f?"', "", p.read_text(encoding="utf-8")).split()) for p in _python())
    section = WORDS[DOCS / "operator.md"].split("## What to do when")[1]
    quoted = re.findall(r"(?<!\*)\*([^*|]+)\*(?!\*)", section)
    assert len(quoted) >= 10
    for sentence in quoted:
        for part in re.split(r" … | …$", re.sub(r" \bn$", " …", sentence)):
            assert part in code, part


def _python() -> list[Path]:
    return [ROOT / path for path in trees()]


def test_tests_are_run_as_the_readme_says() -> None:
    first, second = blocks(ROOT / "README.md", "bash")[:2]
    assert (first.strip(), second.strip()) == ("scripts/demo", "scripts/test")
    for readme in ("README.md", "docs/README.zh.md"):
        assert blocks(ROOT / readme, "bash")[:2] == [first, second]
    steps = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in steps if line.startswith("scripts/")] == [
        "scripts/install", "scripts/check", second.strip(),
    ]  # fmt: skip
    for name in ("demo", "test"):
        assert "scripts/install" in (ROOT / "scripts" / name).read_text(encoding="utf-8"), "one command is enough"


def test_both_readmes_show_the_same() -> None:
    ours, chinese = (blocks(page, "bash") for page in (ROOT / "README.md", DOCS / "README.zh.md"))
    assert [b for b in ours if "curl" in b] == [b for b in chinese if "curl" in b]


# ---------------------------------------------------------------- negative controls


@pytest.mark.parametrize(
    "line",
    [
        "geoservice fly",
        "geoservice db fly",
        "geoservice serve --fast",
        "geoservice db url --role owner --pasword",
        "GEOSERVICE_PORT=1 geoservice serve --ports 1",
    ],
)
def test_wrong_commands_are_seen(line: str) -> None:
    assert wrong_in_command(line)


@pytest.mark.parametrize(
    "line",
    ["geoservice db url --role owner", "geoservice key create --name 'a b' | tee x", "psql --fast", "geoservice/cli"],
)
def test_right_commands_are_not_blamed(line: str) -> None:
    assert wrong_in_command(line) is None


def test_requests_to_nowhere_are_seen() -> None:
    assert unanswered("curl http://127.0.0.1:8000/collektions")
    assert unanswered("curl 'http://127.0.0.1:8000/collections/country/items?limits=2'")
    assert unanswered("curl -d '{}' http://127.0.0.1:8000/collections")


def test_a_new_error_changes_the_page() -> None:
    class Newcomer(GeoError):
        """Something new happened. And more about it."""

        title = "New"

    assert "| &emsp;`Newcomer` | New | 500 | 2 | Something new happened. And more about it. |" in (
        documentation.render_errors([GeoError, Newcomer])
    )


def test_missing_routes_are_seen() -> None:
    assert documented_routes("`GET /a/{b}?f=json` and `POST /c`, not GET /d") == {("GET", "/a/{b}"), ("POST", "/c")}
