"""Reading features: statements (pure) and their execution on a connection."""
