"""A balancer that gives every connection to the next of some servers; clients that close theirs meet all of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import urllib.parse
from collections.abc import Iterator


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _balance(urls: list[str], ready: threading.Event, port: list[int], stop: asyncio.Event) -> None:
    turns = itertools.cycle([urllib.parse.urlsplit(url) for url in urls])

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = next(turns)
        try:
            far, to_far = await asyncio.open_connection(target.hostname, target.port)
            await asyncio.gather(_copy(reader, to_far), _copy(far, writer))
            to_far.close()
        except OSError:
            pass  # the client sees a closed connection, as from any balancer
        finally:
            writer.close()

    listener = await asyncio.start_server(connect, "127.0.0.1", 0)
    port.append(listener.sockets[0].getsockname()[1])
    ready.set()
    await stop.wait()
    listener.close()


@contextlib.contextmanager
def balance(urls: list[str]) -> Iterator[str]:
    """Listens before the servers and yields the address."""
    loop, ready, port = asyncio.new_event_loop(), threading.Event(), []
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_balance(urls, ready, port, stop),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{port[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
