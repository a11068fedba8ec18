"""The hub: routes charges between operators, keeps sessions and records, and nets the money."""
