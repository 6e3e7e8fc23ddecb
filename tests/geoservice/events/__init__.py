"""Subscriptions, messages and mails."""
