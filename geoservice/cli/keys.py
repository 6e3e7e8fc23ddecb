"""`geoservice key`: make, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.security.keys import make_key
from geoservice.settings import Settings, load_settings
from layers.access import (
    ALERT,
    EDIT_ANY,
    LOAD_ANY,
    OBSERVE,
    RELEASE,
    SITUATION,
    Clearance,
    edit_right,
    is_editable,
    load_right,
    theme_right,
)
from layers.catalog import read_catalog
from layers.errors import BadParameter
from layers.model import Layer
from layers.system import api_key

commands = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="key")


@commands.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who or what will use the key.")],
    clearance: Annotated[str, typer.Option(help="public, internal or restricted.")] = "public",
    may_load: Annotated[
        bool, typer.Option("--may-load", help="Also let its holder load data, up to the clearance.")
    ] = False,
    may_edit: Annotated[
        bool, typer.Option("--may-edit", help="Also let its holder create, change and delete single features.")
    ] = False,
    may_observe: Annotated[
        bool,
        typer.Option("--may-observe", help="Also let its holder send readings of datastreams, up to the clearance."),
    ] = False,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="With --may-load or --may-edit: only this layer. May be repeated; default: all."),
    ] = None,
    theme: Annotated[
        list[str] | None, typer.Option(help="With --may-edit: only the layers of this theme. May be repeated.")
    ] = None,
) -> None:
    """Make a key and print it once; only its digest is kept."""
    try:
        level = Clearance.parse(clearance)
    except ValueError as error:
        raise BadParameter(f"{error}.") from None
    settings = load_settings()
    if layer and not may_load and not may_edit:
        raise BadParameter("--layer limits the rights to load and edit; give it with --may-load or --may-edit.")
    if theme and not may_edit:
        raise BadParameter("--theme limits the right to edit; give it together with --may-edit.")
    rights = _load_rights(settings, level, layer or []) if may_load else []
    rights += _edit_rights(settings, level, layer or [], theme or []) if may_edit else []
    rights += [OBSERVE] if may_observe else []
    made = make_key()
    values = {"id": made.id, "name": name, "digest": made.digest, "clearance": int(level), "rights": rights}
    with open_database(settings).transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    typer.echo(made.text)


def _load_rights(settings: Settings, level: Clearance, names: list[str]) -> list[str]:
    """The rights of a key that may load: all layers, or the ones named, which must not lie above its clearance."""
    return sorted({load_right(found.name) for found in _layers(settings, level, names, "loads")}) or [LOAD_ANY]


def _edit_rights(settings: Settings, level: Clearance, names: list[str], themes: list[str]) -> list[str]:
    """The rights of a key that may edit: all layers, the ones named, those of the themes named."""
    known = {found.theme for found in read_catalog(settings.layers_dir)}
    stranger = next((theme for theme in themes if theme not in known), None)
    if stranger is not None:
        raise BadParameter(f"There is no theme {stranger!r}; there are {', '.join(sorted(known))}.")
    layers = _layers(settings, level, names, "edits")
    fixed = next((found for found in layers if not is_editable(found)), None)
    if fixed is not None:
        raise BadParameter(f"{fixed.id} has no features that could be edited: rasters and series are loaded.")
    rights = {edit_right(found.name) for found in layers} | {theme_right(theme) for theme in themes}
    return sorted(rights) or [EDIT_ANY]


def _layers(settings: Settings, level: Clearance, names: list[str], doing: str) -> list[Layer]:
    """The layers named, none of which may lie above the clearance of the key."""
    catalog = read_catalog(settings.layers_dir)
    layers = [catalog.layer(name) for name in names]
    above = next((found for found in layers if found.clearance > level), None)
    if above is not None:
        raise BadParameter(f"{above.id} is {above.clearance.label}; a key that {doing} it needs that clearance.")
    return layers


@commands.command("list")
def list_keys() -> None:
    """List the keys: id, name, clearance, rights, state. The keys themselves are not kept."""
    table = Table("id", "name", "clearance", "rights", "created", "revoked")
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        for row in connection.execute(sa.select(api_key).order_by(api_key.c.created)):
            revoked = row.revoked.isoformat(" ", "seconds") if row.revoked else ""
            created = row.created.isoformat(" ", "seconds")
            table.add_row(row.id, row.name, Clearance(row.clearance).label, " ".join(row.rights), created, revoked)
    Console().print(table)


@commands.command("allow")
def allow(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")],
    rights: Annotated[
        list[str],
        typer.Argument(
            help="`alert`: hand in alerts and write drafts of them; `release`: release them; `situation`: report "
            "units, plot marks, hold exercises."
        ),
    ],
) -> None:
    """Give a key rights that are no matter of layers; it has those it had."""
    known = (ALERT, RELEASE, SITUATION)
    stranger = next((right for right in rights if right not in known), None)
    if stranger is not None:
        raise BadParameter(f"The rights are {', '.join(known)}; {stranger[:40]!r} is none of them.")
    valid = api_key.c.id == key_id, api_key.c.revoked.is_(None)
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        held = connection.execute(sa.select(api_key.c.rights).where(*valid).with_for_update()).scalar()
        if held is None:
            raise BadParameter(f"There is no valid key with the id {key_id!r}; `geoservice key list` shows them.")
        everything = sorted({*held, *rights})
        connection.execute(sa.update(api_key).where(*valid).values(rights=everything))
    typer.echo(f"Key {key_id} may now: {' '.join(everything)}.")


@commands.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")]) -> None:
    """Revoke a key; running services refuse it within seconds."""
    statement = (
        sa.update(api_key).where(api_key.c.id == key_id, api_key.c.revoked.is_(None)).values(revoked=sa.func.now())
    )
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        if connection.execute(statement).rowcount == 0:
            raise BadParameter(f"There is no valid key with the id {key_id!r}; `geoservice key list` shows them.")
    typer.echo(f"Key {key_id} is revoked.")
