"""What the tests of the architecture look at: the files of the checkout and the modules of the five packages."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGES = ("geoservice", "layers", "tiles", "ingest", "web")
# Run by alembic and by `python -m`, never imported.
NOT_IMPORTED = ("geoservice.db.migrations", "geoservice.__main__")


@lru_cache(maxsize=1)
def committed() -> tuple[Path, ...]:
    """All files under version control that are there."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = tuple(ROOT / name for name in run.stdout.split("\0") if name)
    assert len(files) > 100, "a check of nothing proves nothing"
    return tuple(file for file in files if file.is_file())


@lru_cache(maxsize=1)
def texts() -> dict[Path, str]:
    """Committed files that are UTF-8 text, by path below the root."""
    found = {}
    for file in committed():
        data = file.read_bytes()
        if b"\0" not in data:
            found[file.relative_to(ROOT)] = data.decode("utf-8")
    return found


def product_files() -> list[Path]:
    """Python files of the five packages, committed or not."""
    return [file for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py")) if "vendor" not in file.parts]


def files_of_tests() -> list[Path]:
    """Python files of the tests."""
    return sorted((ROOT / "tests").rglob("*.py"))


def module_name(file: Path) -> str:
    """Import name of a file of the five packages."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def product_modules() -> list[str]:
    """Names of all modules that may be imported."""
    names = [module_name(file) for file in product_files()]
    return [name for name in names if not name.startswith(NOT_IMPORTED)]


@lru_cache(maxsize=1)
def trees() -> dict[Path, ast.Module]:
    """Syntax trees of the product, by path below the root."""
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in product_files()}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods of a module, nested ones too."""
    yield from (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
