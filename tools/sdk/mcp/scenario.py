"""Holds a chat by the asyncio client of `websockets`: a person refuses a tool's call, and a second connection goes on where the first left."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from typing import Any

import websockets

URL, KEY, FLOW = (os.environ[name] for name in ("PARLEY_URL", "PARLEY_KEY", "PARLEY_FLOW"))
SECONDS = 60  # without an event


def make_chat() -> str:
    """Makes a chat of the flow and returns its id."""
    body = json.dumps({"name": "Over websockets", "from_type": "flow", "from_flow": FLOW}).encode()
    request = urllib.request.Request(URL + "/chats", body, {"X-API-KEY": KEY, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        return json.load(response)["id"]


def connect(chat: str, after: int) -> Any:
    """Returns a connection that tells what happens after an event."""
    address = f"{URL.replace('http', 'ws', 1)}/v1/chats/{chat}/ws?after={after}"
    return websockets.connect(address, additional_headers={"X-API-KEY": KEY})


async def until(socket: Any, status: str) -> list[dict[str, Any]]:
    """Reads up to a change of state and returns what was heard."""
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["event"] != "status" or heard[-1]["data"]["status"] != status:
        heard.append(json.loads(await asyncio.wait_for(socket.recv(), SECONDS)))
        assert heard[-1]["event"] != "error", heard
    return heard


async def main() -> None:
    chat = make_chat()
    async with connect(chat, 0) as socket:
        await socket.send(json.dumps({"type": "input", "content": "too early"}))
        assert json.loads(await asyncio.wait_for(socket.recv(), SECONDS))["event"] == "error"
        await socket.send(json.dumps({"type": "message", "content": "Polo"}))
        heard = await until(socket, "wait_for_human_input")
        last = int(heard[-1]["id"])
    async with connect(chat, last) as socket:
        await socket.send(json.dumps({"type": "input", "content": "no, say it yourself"}))
        heard = await until(socket, "completed")
    numbers = [int(event["id"]) for event in heard if "id" in event]
    assert numbers == list(range(last + 1, last + 1 + len(numbers))), numbers
    calls = [event["data"] for event in heard if event["event"] == "tool"]
    assert [call["state"] for call in calls] == ["refused"], calls
    assert "say it yourself" in calls[0]["result"], calls


asyncio.run(main())
