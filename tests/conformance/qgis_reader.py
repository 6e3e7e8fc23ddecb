"""Reads features in QGIS without a screen; runs under the Python that QGIS belongs to, not under ours.

Reads a JSON object from standard input and writes one. `connect` (the address of a landing page) adds the service as a
user does, and lists what the browser of QGIS offers of it: name and source of each collection. `source` and `provider`
read a layer: `crs` turns its features into another system, `extent` (west, south, east, north in the layer's own)
and `where` (an expression, which the layer keeps as its filter) choose among them.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeatureRequest,
    QgsRectangle,
    QgsSettings,
    QgsVectorLayer,
)

CONNECTION = "service"


def offered(landing: str) -> list[tuple[str, str]]:
    """Name and source of what the browser lists under a new connection."""
    settings = QgsSettings()
    settings.setValue(f"qgis/connections-wfs/{CONNECTION}/url", landing)
    settings.setValue(f"qgis/WFS/{CONNECTION}/version", "OGC_API_FEATURES")
    providers = QgsApplication.dataItemProviderRegistry().providers()
    (provider,) = [one for one in providers if one.name() == "WFS"]
    root = provider.createDataItem("", None)
    (connection,) = [one for one in root.createChildren() if one.name() == CONNECTION]
    return [(one.name(), one.uri()) for one in connection.createChildren()]


def read(asked: dict[str, Any]) -> dict[str, Any]:
    """What a layer says of itself, and its features."""
    layer = QgsVectorLayer(asked["source"], "layer", asked["provider"])
    if not layer.isValid():
        return {"valid": False, "errors": layer.dataProvider().error().summary() if layer.dataProvider() else ""}
    if "where" in asked and not layer.setSubsetString(asked["where"]):
        return {"valid": False, "errors": f"the filter was not taken: {asked['where']}"}
    request = QgsFeatureRequest()
    if "extent" in asked:
        request.setFilterRect(QgsRectangle(*asked["extent"]))
    if "crs" in asked:
        request.setDestinationCrs(QgsCoordinateReferenceSystem(asked["crs"]), QgsCoordinateTransformContext())
    rows = [[feature["code"], feature["name"], feature.geometry().asWkt(9)] for feature in layer.getFeatures(request)]
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "fields": [field.name() for field in layer.fields()],
        "rows": rows,
    }


def main() -> None:
    """Do what is asked."""
    asked = json.load(sys.stdin)
    application = QgsApplication([], False)
    application.initQgis()
    found = offered(asked["connect"]) if "connect" in asked else read(asked)
    json.dump(found, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
