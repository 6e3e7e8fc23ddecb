"""Reads a layer with GDAL's OAPIF driver and prints what it found: a program of its own, because GDAL does not let the
interpreter go while it waits for answers, and the service that is asked may be a thread of the asker.

Arguments: a JSON object with `source`, `layer` (none lists the layers) and the options of the reader.
"""

from __future__ import annotations

import json
import sys

import pyogrio


def main(text: str) -> str:
    """What was found, as JSON: names of layers, or EPSG code and rows with their geometry as hexadecimal WKB."""
    asked = json.loads(text)
    source, layer = asked.pop("source"), asked.pop("layer", None)
    if layer is None:
        return json.dumps([name for name, _ in pyogrio.list_layers(source)])
    if "bbox" in asked:
        asked["bbox"] = tuple(asked["bbox"])
    frame = pyogrio.read_dataframe(source, layer=layer, **asked)
    rows = [[code, shape.wkb_hex] for code, shape in zip(frame["code"].tolist(), frame.geometry.tolist(), strict=True)]
    return json.dumps({"crs": frame.crs.to_epsg(), "rows": rows})


if __name__ == "__main__":
    print(main(sys.argv[1]))
