"""A balancer that gives every connection to the next of some servers; clients that close theirs meet all of them."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
import urllib.parse
from collections.abc import Iterator


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copies until the end of source. What arrived before a reset can still be read from a socket, other than from asyncio's streams."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _connect(near: socket.socket, address: tuple[str, int]) -> None:
    with near:
        try:
            far = socket.create_connection(address)
        except OSError as error:  # the client sees a closed connection, as from any balancer
            print(f"balancer: {address}: {error}", file=sys.stderr)
            return
        with far:
            asking = threading.Thread(target=_copy, args=(near, far), daemon=True)
            asking.start()
            _copy(far, near)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)  # what is still being asked has no reader
            asking.join()


def _balance(listener: socket.socket, addresses: list[tuple[str, int]]) -> None:
    for address in itertools.cycle(addresses):
        try:
            near, _ = listener.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_connect, args=(near, address), daemon=True).start()


@contextlib.contextmanager
def balance(urls: list[str]) -> Iterator[str]:
    """Listens before the servers and yields the address."""
    targets = [urllib.parse.urlsplit(url) for url in urls]
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        balancing = threading.Thread(target=_balance, args=(listener, [(t.hostname, t.port) for t in targets]), daemon=True)
        balancing.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            balancing.join()
