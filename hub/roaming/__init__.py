"""Authorize, three ways to start, stop, relay live sessions, take charge records, bring settlements home."""
