"""The steps by the package of openapi-generator's python."""

import json

from parley_generator import (
    AgentCreate,
    ApiClient,
    ApiException,
    CharactersApi,
    CharactersError,
    CompletionRequest,
    Configuration,
    ConversationCreate,
    MessageDeltaEvent,
    MessageFinalEvent,
    MessageSend,
    MessageStreamEvent,
    ProjectAnswer,
    ProjectsApi,
    ProjectsError,
    PromptMessage,
)
from steps import ATTEMPTS, FILE, KEY, LIMITED_KEY, POOR_KEY, URL, events, expect, next_cursor, run


def with_key(key: str, retries: int | None = None) -> ApiClient:
    return ApiClient(Configuration(host=URL, access_token=key, retries=retries))


client = with_key(KEY)
characters, projects = CharactersApi(client), ProjectsApi(client)
made: dict[str, str] = {}


def agent() -> str:
    response = characters.create_agent_with_http_info(AgentCreate(name="Ada", personality_prompt="Brief"))
    expect("status", response.status_code, 201)
    made["agent"] = response.data.id
    return "yes"


def conversation() -> str:
    made["model"] = characters.list_models("llm")[0].id
    body = ConversationCreate(title="Python", llm_id=made["model"], agent_id=made["agent"])
    made["conversation"] = characters.create_conversation(body).id
    expect("role", characters.send_message(made["conversation"], MessageSend(content="Hello from Python")).role, "agent")
    return "yes"


def stream() -> str:
    """The generated method hands out the open response; what is left to do is to cut it into events, which the document types."""
    body = MessageSend(content="Hello from a stream", stream=True)
    response = characters.send_message_without_preload_content(made["conversation"], body)
    expect("media type", response.headers["Content-Type"].split(";")[0], "text/event-stream")
    text, whole = "", ""
    for name, data in events(line.decode() for line in response):
        event = MessageStreamEvent.from_json(json.dumps({"event": name, "data": json.loads(data)})).actual_instance
        if isinstance(event, MessageDeltaEvent):
            text += event.data.content
        if isinstance(event, MessageFinalEvent):
            whole = event.data.content
    assert "Hello from a stream" in whole
    expect("deltas", text, whole)
    return "hand"


def pages() -> str:
    begun = {characters.create_conversation(ConversationCreate(title=title, llm_id=made["model"])).id for title in ("One", "Two", "Three")}
    cursor: str | None = None
    while begun:
        page = characters.list_conversations_with_http_info(cursor=cursor, limit=2)
        assert len(page.data) <= 2
        begun -= {each.id for each in page.data}
        cursor = next_cursor((page.headers or {}).get("Link"))
        if not cursor:
            break
    expect("not listed", begun, set())
    return "yes"


def unauthorized() -> str:
    try:
        ProjectsApi(with_key("nobody")).list_projects()
    except ApiException as refused:
        expect("status", refused.status, 401)
        assert isinstance(refused.data, ProjectsError) and refused.data.data.message
        return "yes"
    raise AssertionError("nobody was let in")


def poor() -> str:
    body = CompletionRequest(llm_id=made["model"], messages=[PromptMessage(role="user", content="Hello")])
    try:
        CharactersApi(with_key(POOR_KEY)).create_completion(body)
    except ApiException as refused:
        expect("status", refused.status, 402)
        assert isinstance(refused.data, CharactersError) and refused.data.error
        return "yes"
    raise AssertionError("nobody paid")


def missing() -> str:
    try:
        characters.get_agent("nobody")
    except ApiException as refused:
        expect("status", refused.status, 404)
        assert isinstance(refused.data, CharactersError) and refused.data.error
        return "yes"
    raise AssertionError("nobody was found")


def too_many() -> str:
    """Left alone, the client waits as long as `Retry-After` says and asks again."""
    limited = CharactersApi(with_key(LIMITED_KEY, retries=0))
    try:
        for _ in range(ATTEMPTS):
            limited.list_models("llm")
    except ApiException as refused:
        expect("status", refused.status, 429)
        assert int((refused.headers or {})["Retry-After"]) > 0 and isinstance(refused.data, CharactersError)
        return "yes"
    raise AssertionError("nothing was refused")


def upload() -> str:
    """An operation that takes JSON or a form gets a JSON method only, so the form is sent by the client below it."""
    call = client.param_serialize(
        "POST", "/api/v1/projects", header_params={"Accept": "application/json", "Content-Type": "multipart/form-data"},
        post_params=[("project_name", "Harbour")], files={"file": ("dogs.txt", FILE)}, auth_settings=["bearerKey"],
    )  # fmt: skip
    response = client.call_api(*call)
    response.read()
    created = client.response_deserialize(response, {"201": "ProjectAnswer"}).data
    assert isinstance(created, ProjectAnswer)
    expect("files", [page.filename for page in projects.list_project_pages(created.data.id).data.pages.data], ["dogs.txt"])
    return "hand"


if __name__ == "__main__":
    run({"agent": agent, "conversation": conversation, "stream": stream, "pages": pages, "401": unauthorized,
         "402": poor, "404": missing, "429": too_many, "upload": upload})  # fmt: skip
