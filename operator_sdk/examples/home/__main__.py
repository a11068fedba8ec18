"""`python -m operator_sdk.examples.home`: serve the example home."""

import sys

from operator_sdk.clock import Clock
from operator_sdk.examples import settings
from operator_sdk.examples.home.app import create_app


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop."""
    import uvicorn

    given = settings.read("home", argv)
    uvicorn.run(
        create_app(given, Clock.from_env()),
        host=given.address,
        port=given.port,
        log_level="warning",
        timeout_keep_alive=75,  # longer than the hub keeps an idle connection
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
