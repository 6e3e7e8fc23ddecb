"""Maps for notebooks: a Folium map of a layer, of what meets a filter, or of an impact; whole in itself, no network.

Everything comes from the public API of a service, with the rights of the key that is given. The map holds its library,
its data and its background, so a saved file opens on a machine that is cut off.
"""

from __future__ import annotations

from web.notebook.impact import impact_map
from web.notebook.layer import layer_map

__all__ = ["impact_map", "layer_map"]
