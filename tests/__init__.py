"""Tests of every package; `make test` runs them all."""
