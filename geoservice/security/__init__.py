"""Who asks, and with which headers we answer."""
