"""What a program with OpenAI's realtime client for Python does, in both shapes; it fails on the first difference.

It is the asyncio client: the other one reads and writes one TLS connection from two threads, which the ssl
module of Python 3.11 does not survive. When a session ticket of TLS 1.3 arrives while the request is written, about one
connection in a hundred on a busy machine is lost ("connection closed while reading HTTP status line", or "[SSL]
internal error"); with TLS 1.2 or asyncio, none in 20,000.
"""

from __future__ import annotations

import asyncio
import base64
import math
import struct
import json
from typing import Any

from openai import AsyncOpenAI

MODEL = "gpt-4o-realtime-preview-2024-12-17"
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}},
}
api = AsyncOpenAI(max_retries=0)


async def until(connection: Any, kind: str) -> list[Any]:
    """Returns the events up to the first of a type."""
    seen = []
    while True:
        event = await connection.recv()
        seen.append(event)
        assert event.type != "error" or kind == "error", event
        if event.type == kind:
            return seen


async def say(connection: Any, text: str) -> None:
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )


async def talk(resource: Any, shape: str, settings: dict[str, Any]) -> str:
    """Has a conversation with a question, a function call, mistakes and an answer beside it; returns the session's id."""
    delta = "response.text.delta" if shape == "beta" else "response.output_text.delta"
    async with resource.connect(model=MODEL) as connection:
        created = (await until(connection, "session.created"))[-1]
        await connection.session.update(session=settings | {"tools": [TOOL], "instructions": "Be brief."})
        assert (await until(connection, "session.updated"))[-1].session.instructions == "Be brief."
        await say(connection, "Hello!")
        await connection.response.create()
        events = await until(connection, "response.done")
        done = events[-1].response
        text = "".join(e.delta for e in events if e.type == delta)
        assert done.status == "completed" and text and done.output[0].content[0].text == text, done
        assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0
        kinds = [e.type for e in events]
        assert kinds.index("response.created") < kinds.index("rate_limits.updated") < kinds.index("response.output_item.added")
        await connection.response.create(response={"tool_choice": "required"})
        call = (await until(connection, "response.done"))[-1].response.output[0]
        assert call.type == "function_call" and json.loads(call.arguments), call
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": '{"degrees": 4}'}
        )
        await connection.response.create(response={"tool_choice": "none"})
        assert (await until(connection, "response.done"))[-1].response.status == "completed"
        await connection.response.cancel()
        assert (await until(connection, "error"))[-1].error.code == "response_cancel_not_active"
        await connection.response.create(response={"conversation": "none", "metadata": {"topic": "aside"}, "tools": []})
        aside = (await until(connection, "response.done"))[-1].response
        assert aside.metadata == {"topic": "aside"} and aside.conversation_id is None, aside
        return created.session.id


async def go_on(resource: Any, session_id: str, before: str) -> None:
    """Connects to the session again, finds what was said, and deletes it."""
    async with resource.connect(model=MODEL, extra_query={"session_id": session_id}) as connection:
        created = (await until(connection, "session.created"))[-1]
        assert created.session.id == session_id and created.session.instructions == "Be brief."
        await connection.conversation.item.retrieve(item_id=before)
        assert (await until(connection, "conversation.item.retrieved"))[-1].item.id == before
        await connection.conversation.item.delete(item_id=before)
        assert (await until(connection, "conversation.item.deleted"))[-1].item_id == before
        await say(connection, "Still there?")
        await connection.response.create()
        assert (await until(connection, "response.done"))[-1].response.status == "completed"


async def cancel(resource: Any) -> None:
    """Cancels an answer that would go on for ever."""
    async with resource.connect(model="slow") as connection:
        await say(connection, "Go on!")
        await connection.response.create()
        await until(connection, "response.content_part.added")
        await connection.response.cancel()
        done = (await until(connection, "response.done"))[-1].response
        assert done.status == "cancelled" and done.status_details.reason == "client_cancelled", done


def tone(milliseconds: int, amplitude: int) -> str:
    """Returns 16 bits, 24,000 samples a second, as base64."""
    samples = (int(amplitude * math.sin(i / 10)) for i in range(24 * milliseconds))
    return base64.b64encode(b"".join(struct.pack("<h", s) for s in samples)).decode()


async def speak(resource: Any, shape: str) -> None:
    """Says something, hears the answer, and cuts it to what was heard."""
    prefix = "response" if shape == "beta" else "response.output"
    join = "." if shape == "beta" else "_"
    async with resource.connect(model=MODEL) as connection:
        heard = {"model": "whisper-1"}
        settings = {"input_audio_transcription": heard} if shape == "beta" else {"type": "realtime", "audio": {"input": {"transcription": heard}}}
        await connection.session.update(session=settings)
        await until(connection, "session.updated")
        for sound in (tone(400, 9000), tone(700, 0)):
            await connection.input_audio_buffer.append(audio=sound)
        events = await until(connection, "response.done")
        kinds = [e.type for e in events]
        order = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "response.created")
        assert [kinds.index(k) for k in order] == sorted(kinds.index(k) for k in order), kinds
        words = next(e for e in events if e.type == "conversation.item.input_audio_transcription.completed")
        assert words.transcript == "How are you?", words
        sound = b"".join(base64.b64decode(e.delta) for e in events if e.type == f"{prefix}{join}audio.delta")
        done = events[-1].response
        said = "".join(e.delta for e in events if e.type == f"{prefix}{join}audio_transcript.delta")
        assert done.status == "completed" and sound and done.output[0].content[0].transcript == said, done
        assert done.usage.output_token_details.audio_tokens == len(sound) / 2400, done.usage
        await connection.conversation.item.truncate(item_id=done.output[0].id, content_index=0, audio_end_ms=500)
        assert (await until(connection, "conversation.item.truncated"))[-1].audio_end_ms == 500
        await connection.input_audio_buffer.clear()
        await until(connection, "input_audio_buffer.cleared")


async def first_item(session_id: str) -> str:
    return (await api.get(f"/realtime/sessions/{session_id}", cast_to=object))["items"][0]["id"]


async def secrets() -> None:
    """Makes ephemeral secrets and connects with one."""
    session = {"type": "realtime", "model": "gpt-realtime", "output_modalities": ["text"], "instructions": "Be kind."}
    made = await api.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 60}, session=session)
    assert made.value.startswith("ek_") and made.session.instructions == "Be kind."
    older = await api.beta.realtime.sessions.create(modalities=["text"], instructions="Be kind.")
    assert older.client_secret.value.startswith("ek_")
    async with AsyncOpenAI(api_key=made.value, max_retries=0).realtime.connect(model="gpt-realtime") as connection:
        assert (await until(connection, "session.created"))[-1].session.instructions == "Be kind."


async def main() -> None:
    shapes = {
        "beta": (api.beta.realtime, {"modalities": ["text"], "temperature": 0.7}),
        "today": (api.realtime, {"type": "realtime", "output_modalities": ["text"]}),
    }
    for shape, (resource, settings) in shapes.items():
        session_id = await talk(resource, shape, settings)
        await go_on(resource, session_id, await first_item(session_id))
        await cancel(resource)
        await speak(resource, shape)
    await secrets()


asyncio.run(main())
