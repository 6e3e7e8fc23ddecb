"""Names of findings: whatever the loader may note has one in both languages."""

from __future__ import annotations

import ast
import typing
from pathlib import Path

import layers.checks
from layers.quality import RULES
from tests.architecture.checkout import ROOT

SEVERITIES = {"error", "warning", "info"}


def noted(file: Path) -> set[str]:
    """Rules that a module notes or breaches under a name that is written out."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
        if (called == "add" and len(texts) > 2) or called in ("breach", "_breach", "_finding"):
            found |= {one for one in texts[:2] if isinstance(one, str) and " " not in one} - SEVERITIES
    return found


def declared() -> set[str]:
    """Rules that a layer file may declare."""
    found = set()
    for kind in vars(layers.checks).values():
        field = getattr(kind, "model_fields", {}).get("rule")
        found |= set(typing.get_args(field.annotation)) if field is not None else set()
    return found


def test_every_finding_has_a_name_in_both_languages() -> None:
    said = {rule for file in (ROOT / "ingest").rglob("*.py") for rule in noted(file)}
    assert "truncated-name" in said
    assert len(said) > 40
    assert "coverage-overlap" in declared()
    assert (said | declared() | {"unreadable", "same-source"}) - set(RULES) == set()
    for name in RULES.values():
        assert not name.zh.isascii()
        assert name.en.isascii()
