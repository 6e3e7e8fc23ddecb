"""What a process is, and what it is handed when it is carried out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError

from geoservice.settings import Settings
from layers.access import Principal
from layers.catalog import Catalog
from layers.errors import BadBody
from layers.model import Text

MANIFEST = "manifest.json"
"""File of a result folder that names what came of an execution; it is written last."""
Tell = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Call:
    """A question in the words of the resource that answers it.

    Attributes:
        method: GET or POST.
        path: Path of the resource below the landing page, quoted.
        query: Its query parameters.
        body: What is posted, as JSON.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | None


Ask = Callable[[Principal, Call], Coroutine[Any, Any, Any]]
"""Puts a question to the service for a principal, and gives the answer (JSON)."""


@dataclass(frozen=True)
class Output:
    """One result.

    Attributes:
        media: Media type.
        file: Name of a file in the folder of the results; None when the result is a value.
        value: The result itself, as JSON.
        layers: Collections of which it shows rows: whoever fetches it must still be allowed to read them.
        facts: What else is worth knowing: rows, editions.
    """

    media: str
    file: str | None = None
    value: Any = None
    layers: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Execution:
    """One run of a process for one principal.

    It may be killed at any moment and begun again: what lies in the folder is still there then, so that long work can
    be done in parts. Only what was published counts as a result.

    Attributes:
        principal: For whom; decide on every layer anew.
        catalog: The layers.
        settings: The settings.
        engine: Connections of the reader of the principal's clearance.
        schema: Schema names to replace, where readers see views instead of tables (`schema_translate_map`).
        folder: Where result files are written.
        inputs_folder: Where files that came with the request lie; None without any.
        tell: Told how much is done, and of how much if that is known.
        ask: Puts a question to the service; None where nothing answers.
        outputs: What was published so far.
    """

    principal: Principal
    catalog: Catalog
    settings: Settings
    engine: sa.Engine
    schema: Mapping[str, str] | None
    folder: Path
    inputs_folder: Path | None
    tell: Tell
    ask: Ask | None = None
    outputs: dict[str, Output] = field(default_factory=dict)

    @property
    def rasters(self) -> Path:
        """Folder of the raster files."""
        return self.settings.home / "rasters"

    def publish(self, name: str, path: Path, media: str, *, layers: tuple[str, ...] = (), **facts: Any) -> None:
        """Name a file of the folder as a result."""
        self.outputs[name] = Output(media, path.relative_to(self.folder).as_posix(), None, layers, facts)

    def answer(self, name: str, value: Any, *, layers: tuple[str, ...] = ()) -> None:
        """Give a value (JSON) as a result."""
        self.outputs[name] = Output("application/json", None, value, layers)

    def conclude(self) -> None:
        """Write down what was published, durably; parts that nobody named are removed."""
        kept = {output.file for output in self.outputs.values() if output.file is not None}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(self.folder).as_posix() not in kept:
                path.unlink()
        write_manifest(self.folder, self.outputs)


@dataclass(frozen=True)
class Process:
    """Something that can be asked for.

    Attributes:
        id: Its name in addresses.
        title: For people.
        abstract: What it does.
        inputs: What it takes; unknown members are refused.
        run: Does it.
        outputs: Names of its results, with JSON schemas.
        immediate: Whether it is quick enough to be done while the client waits.
    """

    id: str
    title: Text
    abstract: Text
    inputs: type[BaseModel]
    run: Callable[[Execution, Any], None]
    outputs: Mapping[str, Mapping[str, Any]]
    immediate: bool = True


def checked(process: Process, inputs: Mapping[str, Any]) -> BaseModel:
    """The inputs as the process takes them.

    Raises:
        BadBody: When they are not, naming each that is wrong.
    """
    try:
        return process.inputs.model_validate(inputs)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = [{"input": ".".join(map(str, one["loc"])) or "inputs", "message": one["msg"]} for one in found[:20]]
        named = "; ".join(f"{one['input']}: {one['message']}" for one in wrong[:3])
        raise BadBody(f"The inputs of {process.id} are not what it takes: {named}.", inputs=wrong) from None


def write_manifest(folder: Path, outputs: Mapping[str, Output]) -> None:
    """Write the manifest of a folder so that it is there whole or not at all."""
    text = json.dumps({name: vars(output) for name, output in outputs.items()}, ensure_ascii=False)
    draft = folder / f".{MANIFEST}"
    with draft.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Output] | None:
    """What came of an execution; None when there are no results, or not any more."""
    try:
        entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {name: Output(**{**entry, "layers": tuple(entry["layers"])}) for name, entry in entries.items()}
