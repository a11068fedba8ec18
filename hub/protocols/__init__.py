"""Protocols translate and carry; they decide nothing and do not know each other."""
