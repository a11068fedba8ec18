"""The typed calls about tariffs and where they apply."""
