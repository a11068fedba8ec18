"""`python -m operator_sdk.examples.host`: serve the example host."""

import sys

from operator_sdk.clock import Clock
from operator_sdk.contract.edge_link import FRAME_BYTES_MOST
from operator_sdk.examples import settings
from operator_sdk.examples.host.app import create_app


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop."""
    import uvicorn

    given = settings.read("host", argv)
    uvicorn.run(
        create_app(given, Clock.from_env()),
        host=given.address,
        port=given.port,
        log_level="warning",
        ws_max_size=FRAME_BYTES_MOST,
        timeout_keep_alive=75,  # longer than the hub keeps an idle connection
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
