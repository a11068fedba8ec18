"""An app served for real, on a free port of this machine."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp


@contextmanager
def served(make: Callable[[str], ASGIApp]) -> Iterator[str]:
    """Serve an app on a free port of this machine from a thread; yields its base URL.

    The app is made with that URL, for it has to know where it is. Needs uvicorn.
    """
    import uvicorn  # noqa: PLC0415 (not in the base install)

    # Said to be TCP: asyncio then sends small pieces at once, which `create_server`'s sockets make wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        make(url),
        log_level="warning",
        timeout_keep_alive=75,  # longer than any client keeps an idle connection
        timeout_graceful_shutdown=2,
        ws="auto",
        loop="asyncio",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
