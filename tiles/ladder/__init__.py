"""The ladder of generalised geometry: how it is made, in parts, and kept current."""
