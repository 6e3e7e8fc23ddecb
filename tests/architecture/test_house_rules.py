"""House rules that a program can check. Each check is a function, tried on a planted violation beside the real tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, committed, files_of_tests, functions, product_files, texts, trees

MOST_LINES = 500
MOST_FUNCTION_LINES = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}
# Named after a standard, "OGC API - Common", as its neighbours are named after Features and Tiles.
NAMED_AFTER_A_STANDARD = {Path("geoservice/ogc/common.py")}
COMPLEXITY = re.compile(r"noqa:[^#]*\b(C901|PLR091[1-7]|PLR1702)\b")
BLANKET = re.compile(r"#\s*noqa(?!\s*:\s*[A-Z])")

# In pieces, so that this file does not name what it forbids.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("anaconda", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
        ("cdnjs", "cloudflare", "com"),
    )
]
MACHINE = re.compile("|".join((r"(?<![\w.}])/" + name + r"/(?=[\w.])") for name in ("work", "root", "tmp", "home")))
# Homes of nobody, in tests that ask where a home would be.
FICTIONAL_HOMES = ("/home" + "/me",)


def lines_of(text: str) -> int:
    return len(text.splitlines())


def long_functions(tree: ast.Module) -> list[str]:
    return [f.name for f in functions(tree) if (f.end_lineno or f.lineno) - f.lineno + 1 > MOST_FUNCTION_LINES]


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public module, classes, functions and methods without a docstring."""
    if not ast.get_docstring(tree):
        yield "module"
    for node in tree.body:
        yield from _undocumented(node, "")


def _undocumented(node: ast.stmt, owner: str) -> Iterator[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return
    overload = any(getattr(d, "id", "") == "overload" for d in node.decorator_list)
    if not ast.get_docstring(node) and not overload:
        yield f"{owner}{node.name}"
    if isinstance(node, ast.ClassDef):
        for child in node.body:
            yield from _undocumented(child, f"{owner}{node.name}.")


EXECUTORS = {
    "text",
    "execute",
    "executemany",
    "exec_driver_sql",
    "fetch",
    "fetchrow",
    "fetchval",
    "scalar",
    "SQL",
    "copy",
}
# `text` and `scalar` are methods of other things too; what they are given there is not SQL.
TEXT_OF_SQLALCHEMY = {"sa", "sqlalchemy"}


def joined_sql(tree: ast.Module) -> list[int]:
    """Lines where SQL is made by an f-string, `+`, `%` or `str.format` and handed to what runs or wraps SQL."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and _runs_sql(node.func) and _is_joined(node.args[0])
    ]


def _runs_sql(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        if function.attr == "text":
            return isinstance(function.value, ast.Name) and function.value.id in TEXT_OF_SQLALCHEMY
        return function.attr in EXECUTORS
    return isinstance(function, ast.Name) and function.id in {"text", "SQL"}


def _is_joined(argument: ast.expr) -> bool:
    if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute):
        # "…".format(…) joins text; sql.SQL("…").format(…) quotes, and the text of its SQL is looked at by itself.
        inner = argument.func.value
        plain = isinstance(inner, ast.Constant | ast.JoinedStr)
        return (argument.func.attr in {"format", "join"} and plain) or (
            argument.func.attr == "encode" and _is_joined(inner)
        )
    if isinstance(argument, ast.BinOp):
        return isinstance(argument.op, ast.Add | ast.Mod)
    return isinstance(argument, ast.JoinedStr)


SYNC_DRIVERS = {"psycopg", "adbc_driver_postgresql", "ingest.load", "ingest.raster"}


def is_two_coloured(tree: ast.Module) -> bool:
    """Whether a module defines async functions and also imports what blocks."""
    imported = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {
        a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names if a.name == "create_engine"
    }
    blocking = any(name.split(".")[0] in SYNC_DRIVERS or name in SYNC_DRIVERS | {"create_engine"} for name in imported)
    return blocking and any(isinstance(n, ast.AsyncFunctionDef) for n in ast.walk(tree))


def strangers(text: str) -> list[str]:
    """Registry hosts and machine paths in a text."""
    found = [host for host in REGISTRIES if host in text.lower()]
    for home in FICTIONAL_HOMES:
        text = text.replace(home, "")
    return found + [match.group() for match in MACHINE.finditer(text)]


# ---------------------------------------------------------------- the tree as it is


def test_files_are_short() -> None:
    long = {str(p): lines_of(t) for p, t in texts().items() if p.suffix in {".py", ".js", ".css", ".sql", ".html"}}
    assert not {p: n for p, n in long.items() if n > MOST_LINES}


def test_functions_are_short() -> None:
    found = {str(path): names for path, tree in trees().items() if (names := long_functions(tree))}
    assert not found
    for file in files_of_tests():
        assert not long_functions(ast.parse(file.read_text(encoding="utf-8"))), file


def test_modules_say_what_they_are_about() -> None:
    vague = {f.relative_to(ROOT) for f in [*product_files(), *files_of_tests()] if {f.stem, *f.parent.parts} & VAGUE}
    assert vague == NAMED_AFTER_A_STANDARD


def test_every_test_folder_is_a_package() -> None:
    folders = {file.parent for file in files_of_tests()}
    assert not [f for f in folders if not (f / "__init__.py").is_file()], "tests/web would shadow web"


def test_everything_public_is_documented() -> None:
    found = {str(path): names for path, tree in trees().items() if (names := list(undocumented(tree)))}
    assert not found


def test_no_exception_from_the_limits_of_complexity() -> None:
    python = [file for file in committed() if file.suffix == ".py"]
    for file in python:
        text = file.read_text(encoding="utf-8")
        assert not COMPLEXITY.search(text), file
        assert not BLANKET.search(text), f"{file}: name the rule"


def test_sql_is_never_joined() -> None:
    found = {str(path): lines for path, tree in trees().items() if (lines := joined_sql(tree))}
    assert not found


def test_async_and_blocking_never_share_a_module() -> None:
    assert not [str(path) for path, tree in trees().items() if is_two_coloured(tree)]


def test_imports_are_absolute() -> None:
    for path, tree in trees().items():
        assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], path


def test_no_registry_and_no_machine_is_named() -> None:
    found = {str(path): names for path, text in texts().items() if (names := strangers(text))}
    assert not found


def test_no_unfinished_work_is_committed() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    found = {
        str(p): m.group() for p, t in texts().items() if p.suffix in {".py", ".js", ".md"} and (m := marks.search(t))
    }
    assert not found


# ---------------------------------------------------------------- negative controls: each check finds a planted fault


@pytest.mark.parametrize(
    "bad",
    [
        'c.execute(f"SELECT {x}")',
        'c.execute("SELECT " + x)',
        'c.execute("SELECT %s" % x)',
        'c.execute("SELECT {}".format(x))',
        'sa.text(f"SELECT {x}")',
        'await c.fetchval(f"SELECT {x}")',
        'c.execute(f"SELECT {x}".encode())',
        'sql.SQL(f"SELECT {x}")',
        'c.execute(" ".join(parts) + tail)',
        'c.execute(" ".join(parts))',
    ],
)
def test_joined_sql_is_seen(bad: str) -> None:
    assert joined_sql(ast.parse(f"async def read(c, x):\n    {bad}\n")) == [2]


@pytest.mark.parametrize(
    "good",
    [
        'c.execute("SELECT 1", (x,))',
        "c.execute(statement)",
        'c.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(x)))',
        'sa.text("SELECT 1")',
        "c.execute(sa.text(statement('a.sql')), {'x': x})",
        'title.text(f"about {x}")',
    ],
)
def test_bound_sql_is_not_blamed(good: str) -> None:
    assert joined_sql(ast.parse(f"def read(c, x):\n    {good}\n")) == []


def test_a_long_function_is_seen() -> None:
    body = "\n".join(f"    a = {n}" for n in range(MOST_FUNCTION_LINES))
    assert long_functions(ast.parse(f"def long():\n{body}\n")) == ["long"]
    assert long_functions(ast.parse(f"def short():\n{body[: body.rindex(chr(10))]}\n")) == []


def test_missing_docstrings_are_seen() -> None:
    code = '"""M."""\nclass A:\n    """A."""\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...\n'
    assert list(undocumented(ast.parse(code))) == ["A.b", "d"]
    assert list(undocumented(ast.parse("x = 1\n"))) == ["module"]


def test_two_colours_are_seen() -> None:
    assert is_two_coloured(ast.parse("import psycopg\nasync def a(): ...\n"))
    assert is_two_coloured(ast.parse("from sqlalchemy import create_engine\nasync def a(): ...\n"))
    assert not is_two_coloured(ast.parse("import asyncpg\nasync def a(): ...\n"))
    assert not is_two_coloured(ast.parse("import psycopg\ndef a(): ...\n"))


@pytest.mark.parametrize(
    "name", [*REGISTRIES, "/work" + "/main", "see /tmp" + "/x", '"/root' + '/.pyenv"', "/home" + "/ann"]
)
def test_strangers_are_seen(name: str) -> None:
    assert strangers(f"look at {name} for more")


@pytest.mark.parametrize("name", ["docs/tmp/x", "${HOME}/work", "the working directory", "${TMPDIR}/tmp", "/homepage"])
def test_ordinary_paths_are_not_blamed(name: str) -> None:
    assert not strangers(name)


@pytest.mark.parametrize("code", ["C901", "PLR0912", "PLR0913", "S101, PLR0915"])
def test_complexity_exceptions_are_seen(code: str) -> None:
    assert COMPLEXITY.search(f"def a():  # {'no' + 'qa'}: {code}")
    assert not COMPLEXITY.search(f"x = 1  # {'no' + 'qa'}: PLR2004")
    assert BLANKET.search(f"x = 1  # {'no' + 'qa'}")
