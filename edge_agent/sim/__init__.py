"""Simulated hardware that puts real bytes on buses and lines, and misbehaves when told to."""
