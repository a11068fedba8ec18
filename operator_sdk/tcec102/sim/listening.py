"""Ports of this machine."""

import socket


def listen(address: str, port: int) -> socket.socket:
    """Take a port, 0 for a free one."""
    # Said to be TCP: asyncio then sends small pieces at once.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((address, port))
    taken.listen(1024)
    return taken


def url_of(taken: socket.socket) -> str:
    """Where it is."""
    address, port = taken.getsockname()[:2]
    return f"http://{address}:{port}"
