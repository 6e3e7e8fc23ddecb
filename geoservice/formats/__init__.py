"""Rows of a collection as files: one module per family of formats, fed by batches so that memory does not grow."""
