"""Reference pages made from the code: settings, errors, commands, layers.

The renderers are pure. `python -m geoservice.documentation` writes their pages into `docs/` of the checkout; a test
asserts that the pages are current.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from geoservice.cli import EXIT_BAD_INPUT, EXIT_FAILED, FAILURES, app
from geoservice.http.problems import status_of
from geoservice.settings import Settings
from layers import reference
from layers.catalog import read_catalog
from layers.errors import GeoError

PACKAGES = ("geoservice", "layers", "tiles", "ingest", "web")
RENEW = "python -m geoservice.documentation"
_NOT_IMPORTED = ("__main__", "geoservice.db.migrations")
_NOTE = f"This page is made from the code by `{RENEW}`; change the code, not the page.\n"

_SETTINGS = f"""\
# Settings

Every setting is an environment variable. Flags of `geoservice serve` and `geoservice demo` win over it. A value that
is not acceptable stops the command with exit code 2 and one sentence per setting; values are not repeated, because they
may be secret. An empty variable counts as not set.

{_NOTE}"""

_ERRORS = f"""\
# Errors

Every error that geoservice raises on purpose is one of these classes. Over HTTP it becomes a problem details document
(RFC 9457, `application/problem+json`) with `title`, `status`, `detail` (one sentence that says what was expected) and
facts such as `parameter`; on the command line its sentence goes to standard error and the exit code tells the kind:
0 done, {EXIT_FAILED} something is broken or away, {EXIT_BAD_INPUT} the input or the configuration is not acceptable,
130 interrupted.

An indented class is a kind of the class above it and takes its status unless it has its own. What answers 500 says no
more than "Internal error" to the client; the sentence is in the log. `geoservice db status`, `geoservice doctor` and
`geoservice sources fetch` also leave with {EXIT_FAILED} when what they looked at or fetched is not in order.

{_NOTE}"""

_COMMANDS = f"""\
# Commands

`geoservice` is installed into the virtual environment (`.venv/bin/geoservice`). Each command builds its settings from
the environment (see [settings](settings.md)). Exit codes: 0 done, {EXIT_FAILED} something is broken or away,
{EXIT_BAD_INPUT} the input is not acceptable, 130 interrupted.

{_NOTE}"""


def render_settings() -> str:
    """The page of all settings."""
    schemas = Settings.model_json_schema()["properties"]
    rows = [
        (f"`GEOSERVICE_{name.upper()}`", _kind(schemas[name]), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _page(_SETTINGS, _table(("variable", "type and limits", "default", "meaning"), rows))


def render_errors(classes: Sequence[type[GeoError]] | None = None) -> str:
    """The page of all error classes with HTTP status and exit code, children below their parents."""
    known = tuple(every_error()) if classes is None else tuple(classes)
    rows = [_error(kind, depth) for kind, depth in _family(GeoError, known, 0)]
    return _page(_ERRORS, _table(("class", "title", "HTTP", "exit", "when"), rows))


def render_commands() -> str:
    """The page of all commands with their arguments and options."""
    sections = [line for path, command in every_command() for line in _command(path, command)]
    return _page(_COMMANDS, sections)


def render_layers() -> str:
    """The page of all layers of the product."""
    return reference.render(read_catalog())


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": render_settings,
    "errors.md": render_errors,
    "cli.md": render_commands,
    "layers.md": render_layers,
}
"""File name below `docs/` and what makes it."""


def every_module() -> Iterator[str]:
    """Names of all modules of the product that may be imported (migrations and `__main__` are run, not imported)."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield name
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and not module.name.startswith("geoservice.db.migrations"):
                yield module.name


def every_error() -> Iterator[type[GeoError]]:
    """All error classes of the product, wherever they are defined; imports every module to find them."""
    for name in every_module():
        importlib.import_module(name)
    found: list[type[GeoError]] = [GeoError, *_descendants(GeoError)]
    yield from (kind for kind in found if kind.__module__.partition(".")[0] in PACKAGES)


def every_command() -> Iterator[tuple[str, Any]]:
    """All commands and groups as (`geoservice db start`, command object), parents first."""
    yield from _walk("geoservice", typer.main.get_command(app))


def write(folder: Path) -> list[Path]:
    """Write the pages into a folder.

    Returns:
        The files whose content changed.
    """
    rendered = {folder / name: render() for name, render in PAGES.items()}
    changed = {f: text for f, text in rendered.items() if not f.exists() or f.read_text(encoding="utf-8") != text}
    for file, text in changed.items():
        file.write_text(text, encoding="utf-8")
    return list(changed)


def main() -> None:
    """Renew the pages in `docs/` beside the packages."""
    changed = write(Path(__file__).resolve().parent.parent / "docs")
    print("\n".join(f"written: {file.name}" for file in changed) or "all pages are current")


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _walk(f"{path} {name}", child)


def _descendants(kind: type[GeoError]) -> Iterator[type[GeoError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _family(kind: type[GeoError], known: Sequence[type[GeoError]], depth: int) -> Iterator[tuple[type[GeoError], int]]:
    yield kind, depth
    for child in sorted((c for c in known if kind in c.__bases__), key=lambda c: c.__name__):
        yield from _family(child, known, depth + 1)


def _kind(schema: dict[str, Any]) -> str:
    schema = next((s for s in schema.get("anyOf", ()) if s.get("type") != "null"), schema)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = "path" if schema.get("format") == "path" else schema.get("type", "string")
    limits = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    words = [f"{sign} {schema[name]:,}" for name, sign in limits if name in schema]
    return ", ".join([{"string": "text", "object": "JSON object"}.get(kind, kind), *words])


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "`{}`" if field.default_factory is dict else _summary(field.default_factory)
    if field.default is None:
        return "none"
    return "required" if field.default is PydanticUndefined else f"`{field.default}`"


def _summary(thing: Any) -> str:
    """First paragraph of a docstring in one line, without its full stop; `computed` for a nameless function."""
    text = inspect.getdoc(thing)
    return " ".join(text.partition("\n\n")[0].split()).removesuffix(".") if text else "computed"


def _error(kind: type[GeoError], depth: int) -> tuple[str, ...]:
    code = EXIT_FAILED if issubclass(kind, FAILURES) else EXIT_BAD_INPUT
    status = status_of(kind(""))
    return f"{'&emsp;' * depth}`{kind.__name__}`", kind.title, str(status), str(code), f"{_summary(kind)}."


def _command(path: str, command: Any) -> Iterator[str]:
    yield f"## {path}"
    yield ""
    yield (command.help or "").strip()
    yield ""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = [path, *(["COMMAND"] if hasattr(command, "commands") else []), *(["[OPTIONS]"] if options else [])]
    usage += [_argument_name(p) for p in arguments]
    yield f"    {' '.join(usage)}"
    yield ""
    if arguments or options:
        rows = [(f"`{_argument_name(p)}`", "", p.help or "") for p in arguments]
        rows += [(_flags(p), _option_default(p), p.help or "") for p in options]
        yield from _table(("argument or option", "default", "meaning"), rows)
        yield ""


def _argument_name(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _flags(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


def _option_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if isinstance(value, bool):
        switch = parameter.opts if value else parameter.secondary_opts
        return f"`{switch[0]}`" if parameter.secondary_opts else ""
    return "" if value is None or callable(value) else f"`{getattr(value, 'value', value)}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _page(intro: str, lines: Iterable[str]) -> str:
    return "\n".join([intro, *lines]).rstrip() + "\n"


if __name__ == "__main__":
    main()
