"""Hazard zones as processes: one for each method, answered by its resource."""

from __future__ import annotations

from typing import Any, cast

from pydantic import Field, create_model

from geoservice.hazards.method import HazardMethod
from geoservice.hazards.registry import METHODS
from geoservice.processes.questions import Inputs, Question, Resource, question

PREFIX = "hazard-"
_ZONE = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id", "classes"]}


def _inputs(method: HazardMethod) -> type[Inputs]:
    """The parameters of a method, and whether its zone is kept."""
    kept = Field(default=None, description="Whether the zone is kept, so that it can be named by its id.")
    level = Field(default=None, description="Clearance that a kept zone has.")
    name = f"{method.parameters.__name__.removesuffix('Parameters')}Inputs"
    bases: tuple[type[Any], ...] = (method.parameters, Inputs)
    more: dict[str, Any] = {"keep": (bool | None, kept), "clearance": (str | None, level)}
    return cast("type[Inputs]", create_model(name, __base__=bases, **more))


def _question(method: HazardMethod) -> Question:
    resource = Resource("POST", f"/hazards/zones/{method.id}", frozenset(method.parameters.model_fields))
    return question(f"{PREFIX}{method.id}", method.title, method.abstract, _inputs(method), resource, _ZONE)


ZONES: tuple[Question, ...] = tuple(_question(method) for method in METHODS.values())
"""In the order of the list of methods."""
