"""What a campaign of fifteen seeds must have reached: what never happens was never tested."""

MUST_BE_REACHED: tuple[str, ...] = ()
