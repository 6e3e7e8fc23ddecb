"""Processes that put a question to a resource of this service: one answer, one access decision, one set of limits.

A question has no code of its own that answers. It says which resource does, and which of its inputs are query
parameters there, parts of the path or members of the body. So whatever the resource answers, refuses or hides, the
process answers, refuses and hides as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, model_validator

from geoservice.http.texts import storable
from geoservice.processes.model import Call, Execution, Process
from layers.access import decide
from layers.errors import BadBody
from layers.model import Text

ANSWER = "answer"
"""Name of the only output of a question."""


class Inputs(BaseModel):
    """Inputs of a question; the resource itself judges their values."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _require_writable(cls, given: Any) -> Any:
        """Refuse half characters, which JSON can spell and no request to a resource can carry."""
        if not storable(json.dumps(given, ensure_ascii=False)):
            raise ValueError("texts without half characters were expected")
        return given


@dataclass(frozen=True)
class Resource:
    """What answers a question.

    Attributes:
        method: GET or POST.
        path: Its path, with names of inputs in braces.
        body: Inputs that are members of the body; all others are query parameters.
        renamed: Inputs that have another name there.
    """

    method: str
    path: str
    body: frozenset[str] = frozenset()
    renamed: Mapping[str, str] | None = None

    def call(self, given: Mapping[str, Any]) -> Call:
        """The request that asks for given inputs."""
        names = self.renamed or {}
        in_path = {name: quote(str(value), safe="") for name, value in given.items() if f"{{{name}}}" in self.path}
        members = {names.get(name, name): value for name, value in given.items() if name in self.body}
        rest = {name: value for name, value in given.items() if name not in in_path and name not in self.body}
        query = {names.get(name, name): _written(value) for name, value in rest.items()}
        return Call(self.method, self.path.format(**in_path), query, members if self.method == "POST" else None)


@dataclass(frozen=True)
class Question(Process):
    """A process that a resource answers."""

    resource: Resource = Resource("GET", "/")

    def call(self, inputs: BaseModel) -> Call:
        """The request for its inputs, as they were given."""
        return self.resource.call(inputs.model_dump(mode="json", exclude_unset=True, exclude_none=True))


def question(
    name: str, title: Text, abstract: Text, inputs: type[Inputs], resource: Resource, shape: Mapping[str, Any]
) -> Question:
    """A process of a resource.

    Args:
        name: Id of the process.
        title: For people.
        abstract: What it answers.
        inputs: What it takes.
        resource: What answers.
        shape: JSON Schema of the answer.
    """

    def run(execution: Execution, given: Inputs) -> None:
        if execution.ask is None:
            raise BadBody(f"{name} is not answered here.")
        answer: Any = asyncio.run(execution.ask(execution.principal, made.call(given)))
        seen = (layer.name for layer in execution.catalog if decide(execution.principal, "read", layer).allowed)
        # What the answer shows is of layers that its owner saw; it is gone as soon as one of them is above them.
        execution.answer(ANSWER, answer, layers=tuple(seen))

    made = Question(name, title, abstract, inputs, run, {ANSWER: shape}, resource=resource)
    return made


def _written(value: Any) -> str:
    """A value as a query parameter writes it: lists with commas, objects as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_written, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
