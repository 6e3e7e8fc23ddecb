"""Open data sources: what there is, whom it credits, and how a copy is had (mirror, bundle or network)."""
