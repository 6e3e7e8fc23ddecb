"""Maps drawn on the server: what is on them, and the confined renderer that draws them; no HTTP."""
