"""Whole collections as files: made by a job of the queue, kept for a while, handed out to whoever asked for them."""
