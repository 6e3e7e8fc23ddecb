"""Alembic migrations of the system tables (schema `meta`); layer tables follow the catalogue instead."""
