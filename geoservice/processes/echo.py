"""The echo process: gives back what it was given, so that clients can try how executions work."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from geoservice.processes.model import Execution, Process
from layers.model import Text

MOST_PAUSE = 60.0


class EchoInputs(BaseModel):
    """What is given back."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(default=None, max_length=10_000, description="Any text.")
    number: float | None = Field(default=None, allow_inf_nan=False, description="Any number.")
    items: list[str] | None = Field(default=None, max_length=1000, description="A list of texts.")
    geometry: dict[str, Any] | None = Field(default=None, description="Any object, such as a GeoJSON geometry.")
    pause: float = Field(default=0.0, ge=0, le=MOST_PAUSE, description="Seconds to wait before the answer.")


def run(execution: Execution, inputs: EchoInputs) -> None:
    """Wait if asked to, and answer each input that was given under its own name."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < inputs.pause:
        execution.tell(round(waited * 10), round(inputs.pause * 10))
        time.sleep(min(0.1, inputs.pause - waited))
    for name, value in inputs.model_dump(exclude_unset=True, exclude_none=True).items():
        execution.answer(name, value)


_ANY: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "items": {"type": "array", "items": {"type": "string"}},
    "geometry": {"type": "object"},
    "pause": {"type": "number"},
}
PROCESS = Process(
    "echo",
    Text(zh="回显", en="Echo"),
    Text(zh="原样返回输入，供客户端试用。", en="Gives back what it was given, to try how executions work."),
    EchoInputs,
    run,
    _ANY,
)
