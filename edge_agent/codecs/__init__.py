"""Bytes to values and back, pure: what a pile and a meter say, and nothing of how it travels."""
