"""`geoservice doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer

from geoservice.db.doctor import Finding, Level, examine
from geoservice.settings import load_settings

EXIT_BROKEN = 1
SIGNS = {Level.OK: "ok  ", Level.NOTE: "note", Level.PROBLEM: "FAIL"}


def register(root: typer.Typer) -> None:
    """Add the command to the root application."""
    root.command()(doctor)


def doctor(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is broken.")] = False,
) -> None:
    """Examine the installation; exit code 1 when something is broken."""
    findings = examine(load_settings())
    for finding in findings:
        if not quiet or finding.level is Level.PROBLEM:
            _show(finding)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    typer.echo("Nothing is broken." if not problems else f"{problems} problem(s).")
    if problems:
        raise typer.Exit(EXIT_BROKEN)


def _show(finding: Finding) -> None:
    typer.echo(f"{SIGNS[finding.level]}  {finding.subject}: {finding.message}")
    if finding.remedy:
        typer.echo(f"      mend: {finding.remedy}")
