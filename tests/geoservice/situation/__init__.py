"""Tests of the live situation."""
