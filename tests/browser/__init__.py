"""The driver's page in a real browser."""
