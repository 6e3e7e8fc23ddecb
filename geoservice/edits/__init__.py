"""Edits of single features over the API: reading requests, remembering answers, handing over to the one writer."""
