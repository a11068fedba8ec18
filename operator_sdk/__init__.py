"""Interpile's operator SDK."""
