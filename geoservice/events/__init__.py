"""Telling others of new editions: subscriptions, what is to be delivered to whom, and the courier that delivers it."""
