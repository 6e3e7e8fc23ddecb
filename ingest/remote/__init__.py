"""Remote sources: a snapshot is fetched by trusted code, then read by the confined child like any file."""
