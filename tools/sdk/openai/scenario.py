"""What a program with OpenAI's client for Python does, end to end; it fails on the first difference."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
import urllib.request

import openai
from pydantic import BaseModel

URL = os.environ["PARLEY_URL"]
MODEL = "parley-builtin"
HELLO = [{"role": "user", "content": "Hello!"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}},
    },
}


def client(key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=URL, api_key=key, max_retries=0)


def expect(what: str, got: object, want: object) -> None:
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def check_models(api: openai.OpenAI) -> None:
    ids = [m.id for m in api.models.list()]
    expect("models", {MODEL, "parley-builtin-embedding"} <= set(ids), True)
    expect("one model", api.models.retrieve(MODEL).id, MODEL)


def check_chat(api: openai.OpenAI) -> None:
    whole = api.chat.completions.create(model="gpt-4o-mini", messages=HELLO, seed=7, top_p=0.5, metadata={"a": "b"})
    expect("model behind the alias", whole.model, MODEL)
    expect("finish", whole.choices[0].finish_reason, "stop")
    expect("usage", whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens)
    text, usage = "", None
    for chunk in api.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    expect("streamed text", text, whole.choices[0].message.content)
    expect("streamed usage", usage.total_tokens, whole.usage.total_tokens)
    with api.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        expect("accumulated text", stream.get_final_completion().choices[0].message.content, text)


def check_tools(api: openai.OpenAI) -> None:
    first = api.chat.completions.create(model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="required")
    call = first.choices[0].message.tool_calls[0]
    expect("call", (call.function.name, list(json.loads(call.function.arguments))), ("get_weather", ["city"]))
    expect("finish", first.choices[0].finish_reason, "tool_calls")
    with api.chat.completions.stream(model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="required") as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    expect("streamed call", (streamed.id, streamed.function.arguments), (call.id, call.function.arguments))
    result = {"role": "tool", "tool_call_id": call.id, "content": "clear sky"}
    after = api.chat.completions.create(model=MODEL, messages=[*HELLO, first.choices[0].message, result], tools=[TOOL])
    expect("result is used", "clear sky" in after.choices[0].message.content, True)


class Step(BaseModel):
    explanation: str
    number: int


def check_structured(api: openai.OpenAI) -> None:
    parsed = api.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Step)
    expect("structured answer", isinstance(parsed.choices[0].message.parsed, Step), True)


def check_embeddings(api: openai.OpenAI) -> None:
    # The client asks for base64 by itself and decodes it.
    texts = ["cats and dogs", "dogs and cats"]
    vectors = [d.embedding for d in api.embeddings.create(model="parley-builtin-embedding", input=texts).data]
    floats = api.embeddings.create(model="parley-builtin-embedding", input=texts, encoding_format="float").data
    expect("vectors", (len(vectors), len(vectors[0])), (2, 384))
    near = all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(vectors[1], floats[1].embedding, strict=True))
    expect("both encodings", near, True)


def check_responses(api: openai.OpenAI) -> None:
    first = api.responses.create(model=MODEL, input="Hello!", instructions="Be brief.", metadata={"a": "b"})
    expect("status", (first.status, first.model, first.metadata), ("completed", MODEL, {"a": "b"}))
    expect("read again", api.responses.retrieve(first.id), first)
    events = list(api.responses.create(model=MODEL, input="Hello!", stream=True))
    expect("sequence", [e.sequence_number for e in events], list(range(len(events))))
    made = events[-1].response
    expect("streamed text", (events[-1].type, made.output_text), ("response.completed", first.output_text))
    resumed = list(api.responses.retrieve(made.id, stream=True, starting_after=3))
    expect("resumed", resumed, events[4:])
    with api.responses.stream(model=MODEL, input="Hello!") as stream:
        expect("accumulated text", stream.get_final_response().output_text, made.output_text)
    after = api.responses.create(model=MODEL, input="What did I say before?", previous_response_id=first.id)
    expect("follows", "Hello!" in after.output_text, True)
    items = list(api.responses.input_items.list(first.id))
    expect("items", [(i.role, i.content[0].text) for i in items], [("user", "Hello!")])
    parsed = api.responses.parse(model=MODEL, input="Hello!", text_format=Step)
    expect("structured answer", isinstance(parsed.output_parsed, Step), True)
    api.responses.delete(first.id)
    try:
        api.responses.retrieve(first.id)
        raise AssertionError("a deleted response is still there")
    except openai.NotFoundError as error:
        expect("deleted", error.code, "response_not_found")


def check_response_tools(api: openai.OpenAI) -> None:
    tool = {"type": "function", **TOOL["function"], "strict": False}
    first = api.responses.create(model=MODEL, input="Hello!", tools=[tool], tool_choice="required")
    call = first.output[0]
    expect("call", (call.type, call.name, list(json.loads(call.arguments))), ("function_call", "get_weather", ["city"]))
    with api.responses.stream(model=MODEL, input="Hello!", tools=[tool], tool_choice="required") as stream:
        expect("streamed call", stream.get_final_response().output[0].arguments, call.arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "clear sky"}
    after = api.responses.create(model=MODEL, input=[result], previous_response_id=first.id, tools=[tool])
    expect("result is used", "clear sky" in after.output_text, True)
    sent = [{"role": "user", "content": "Hello!"}, *first.output, result]
    expect("outputs as inputs", "clear sky" in api.responses.create(model=MODEL, input=sent).output_text, True)


def check_background(api: openai.OpenAI) -> None:
    first = api.responses.create(model=MODEL, input="Hello!", background=True)
    expect("begun", (first.status, first.background), ("in_progress", True))
    last = list(api.responses.retrieve(first.id, stream=True))[-1]
    expect("followed", last.type, "response.completed")
    expect("retrieved", api.responses.retrieve(first.id).status, "completed")
    expect("cancelled too late", api.responses.cancel(first.id).status, "completed")


def parley(key: str, path: str, body: object = None) -> dict:
    """Calls what the server has beside OpenAI's API."""
    request = urllib.request.Request(URL.removesuffix("/").removesuffix("/v1") + path, headers={"Authorization": f"Bearer {key}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def check_citations(api: openai.OpenAI) -> None:
    persona = {"name": "Clerk", "personality_prompt": "Exact", "appearance_prompt": "Uniform", "age": 40}
    agent = parley(api.api_key, "/api/v1/agents", persona)["id"]
    fact = {"name": "tides.md", "content": "# Tides\n\nThe highest tide at Husum was six metres."}
    document = parley(api.api_key, f"/api/v1/agents/{agent}/documents", fact)["id"]
    for _ in range(600):
        if parley(api.api_key, f"/api/v1/agents/{agent}/documents/{document}")["status"] == "ready":
            break
        time.sleep(0.2)
    asked = "How high was the highest tide at Husum?"
    messages = [{"role": "user", "content": asked}]
    whole = api.chat.completions.create(model=agent, messages=messages).choices[0].message
    expect("cited", [a.url_citation.url for a in whole.annotations], [f"urn:parley:document:{document}"])
    with api.chat.completions.stream(model=agent, messages=messages) as stream:
        streamed = stream.get_final_completion().choices[0].message
    expect("cited in a stream", streamed.annotations, whole.annotations)
    response = api.responses.create(model=agent, input=asked)
    annotations = response.output[0].content[0].annotations
    expect("file", [(a.type, a.file_id) for a in annotations], [("file_citation", document)])
    events = list(api.responses.create(model=agent, input=asked, stream=True))
    told = [e.annotation for e in events if e.type == "response.output_text.annotation.added"]
    expect("told", [a.file_id for a in told], [document])
    expect("complete", events[-1].response.output[0].content[0].annotations, annotations)


def check_errors(api: openai.OpenAI) -> None:
    def refused(kind: type[openai.APIStatusError], code: str | None, key: str, **request: object) -> None:
        try:
            client(key).chat.completions.create(**({"model": MODEL, "messages": HELLO} | request))
        except kind as error:
            expect(f"code of {kind.__name__}", error.code, code)
            return
        raise AssertionError(f"no {kind.__name__}")

    good = api.api_key
    refused(openai.AuthenticationError, "invalid_api_key", "sk-nothing")
    refused(openai.BadRequestError, "unsupported_value", good, n=2)
    refused(openai.BadRequestError, "missing_required_parameter", good, messages=[{"role": "user"}])
    refused(openai.RateLimitError, "insufficient_quota", os.environ["PARLEY_POOR_KEY"])
    slow = client(os.environ["PARLEY_SLOW_KEY"])
    try:
        for _ in range(6):
            slow.models.list()
        raise AssertionError("no limit")
    except openai.RateLimitError as error:
        expect("limit", (error.code, error.response.headers["retry-after"].isdigit()), ("rate_limit_exceeded", True))
    try:
        api.models.retrieve("no-such-model")
        raise AssertionError("no NotFoundError")
    except openai.NotFoundError as error:
        expect("unknown model", (error.code, error.param), ("model_not_found", "model"))


async def check_async(key: str) -> None:
    async with openai.AsyncOpenAI(base_url=URL, api_key=key, max_retries=0) as api:
        stream = await api.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
        expect("asynchronous stream", bool(text), True)


def main() -> None:
    api = client(os.environ["PARLEY_KEY"])
    for check in (check_models, check_chat, check_tools, check_structured, check_embeddings, check_responses, check_response_tools, check_background, check_citations, check_errors):
        check(api)
        print(f"python {check.__name__}: passed")
    asyncio.run(check_async(api.api_key))


if __name__ == "__main__":
    main()
