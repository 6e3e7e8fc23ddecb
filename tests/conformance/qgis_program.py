"""Draws layers in QGIS without a screen; runs under the Python that QGIS belongs to, not under ours.

Reads a JSON object from standard input: `layers` (kind and source of each, the first on top), `crs`, `extent` (west,
south, east, north in that CRS), `size` (pixels) and `image` (file to write); writes one with what QGIS said of each.
"""

from __future__ import annotations

import json
import sys

from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize  # type: ignore[import-not-found]
from qgis.PyQt.QtGui import QColor  # type: ignore[import-not-found]


def main() -> None:
    asked = json.load(sys.stdin)
    application = QgsApplication([], False)
    application.initQgis()
    layers = []
    for number, (kind, source) in enumerate(asked["layers"]):
        made = (
            QgsVectorTileLayer(source, str(number)) if kind == "tiles" else QgsRasterLayer(source, str(number), "wms")
        )
        if kind == "tiles":
            made.loadDefaultStyle()
        layers.append(made)
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(QgsCoordinateReferenceSystem(asked["crs"]))
    settings.setExtent(QgsRectangle(*asked["extent"]))
    settings.setOutputSize(QSize(*asked["size"]))
    settings.setBackgroundColor(QColor(255, 255, 255))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(asked["image"], "PNG")
    said = [{"valid": one.isValid(), "crs": one.crs().authid()} for one in layers]
    json.dump({"layers": said, "errors": [error.message for error in job.errors()]}, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
