"""The steps by the package of openapi-python-client."""

import io
import json
from typing import Any

from parley_python_client import AuthenticatedClient
from parley_python_client.api.characters import (
    create_agent,
    create_completion,
    create_conversation,
    get_agent,
    list_conversations,
    list_models,
    send_message,
)
from parley_python_client.api.projects import create_project, list_project_pages, list_projects
from parley_python_client.models import (
    Agent,
    AgentCreate,
    CharactersError,
    CompletionRequest,
    Conversation,
    ConversationCreate,
    ListModelsType,
    Message,
    MessageSend,
    ProjectAnswer,
    ProjectCreationForm,
    ProjectPageList,
    ProjectsError,
    PromptMessage,
    PromptMessageRole,
)
from parley_python_client.types import UNSET, File
from steps import ATTEMPTS, FILE, KEY, LIMITED_KEY, POOR_KEY, URL, events, expect, next_cursor, run

client = AuthenticatedClient(URL, KEY)
made: dict[str, str] = {}


def agent() -> str:
    response = create_agent.sync_detailed(client=client, body=AgentCreate(name="Ada", personality_prompt="Brief"))
    expect("status", response.status_code, 201)
    assert isinstance(response.parsed, Agent)
    made["agent"] = response.parsed.id
    return "yes"


def conversation() -> str:
    models = list_models.sync(client=client, type_=ListModelsType.LLM)
    assert isinstance(models, list)
    made["model"] = models[0].id
    body = ConversationCreate(title="Python", llm_id=made["model"], agent_id=made["agent"])
    created = create_conversation.sync(client=client, body=body)
    assert isinstance(created, Conversation)
    made["conversation"] = created.id
    answer = send_message.sync(created.id, client=client, body=MessageSend(content="Hello from Python"))
    assert isinstance(answer, Message)
    expect("role", answer.role.value, "agent")
    return "yes"


def stream() -> str:
    """Only the JSON answer is generated, so the request is made by the client below it and events are read as plain JSON."""
    text, whole = "", {"content": ""}
    request: dict[str, Any] = {"url": f"/api/v1/conversations/{made['conversation']}/messages"}
    body = MessageSend(content="Hello from a stream", stream=True).to_dict()
    with client.get_httpx_client().stream("POST", json=body, **request) as response:
        expect("media type", response.headers["Content-Type"].split(";")[0], "text/event-stream")
        for name, data in events(response.iter_lines()):
            if name == "delta":
                text += json.loads(data)["content"]
            if name == "message":
                whole = json.loads(data)
    expect("deltas", text, Message.from_dict(whole).content)
    return "hand"


def pages() -> str:
    begun = set()
    for title in ("One", "Two", "Three"):
        created = create_conversation.sync(client=client, body=ConversationCreate(title=title, llm_id=made["model"]))
        assert isinstance(created, Conversation)
        begun.add(created.id)
    cursor: str | None = None
    while begun:
        page = list_conversations.sync_detailed(client=client, limit=2, cursor=cursor or UNSET)
        assert isinstance(page.parsed, list) and len(page.parsed) <= 2
        begun -= {each.id for each in page.parsed}
        cursor = next_cursor(page.headers.get("Link"))
        if not cursor:
            break
    expect("not listed", begun, set())
    return "yes"


def unauthorized() -> str:
    response = list_projects.sync_detailed(client=AuthenticatedClient(URL, "nobody"))
    expect("status", response.status_code, 401)
    assert isinstance(response.parsed, ProjectsError) and response.parsed.data.message
    return "yes"


def poor() -> str:
    body = CompletionRequest(llm_id=made["model"], messages=[PromptMessage(role=PromptMessageRole.USER, content="Hello")])
    response = create_completion.sync_detailed(client=AuthenticatedClient(URL, POOR_KEY), body=body)
    expect("status", response.status_code, 402)
    assert isinstance(response.parsed, CharactersError) and response.parsed.error
    return "yes"


def missing() -> str:
    response = get_agent.sync_detailed("nobody", client=client)
    expect("status", response.status_code, 404)
    assert isinstance(response.parsed, CharactersError) and response.parsed.error
    return "yes"


def too_many() -> str:
    limited = AuthenticatedClient(URL, LIMITED_KEY)
    for _ in range(ATTEMPTS):
        response = list_models.sync_detailed(client=limited, type_=ListModelsType.LLM)
        if response.status_code == 429:
            assert int(response.headers["Retry-After"]) > 0 and isinstance(response.parsed, CharactersError)
            return "yes"
    raise AssertionError("nothing was refused")


def upload() -> str:
    file = File(payload=io.BytesIO(FILE), file_name="dogs.txt", mime_type="text/plain")
    created = create_project.sync(client=client, body=ProjectCreationForm(project_name="Harbour", file=file))
    assert isinstance(created, ProjectAnswer)
    listed = list_project_pages.sync(created.data.id, client=client)
    assert isinstance(listed, ProjectPageList)
    expect("files", [page.filename for page in listed.data.pages.data], ["dogs.txt"])
    return "yes"


if __name__ == "__main__":
    run({"agent": agent, "conversation": conversation, "stream": stream, "pages": pages, "401": unauthorized,
         "402": poor, "404": missing, "429": too_many, "upload": upload})  # fmt: skip
