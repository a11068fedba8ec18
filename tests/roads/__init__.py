"""Tests that kill, cut, delay or duplicate something on the way."""
