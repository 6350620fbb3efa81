"""A user's day with the projects API, through customgpt-client and OpenAI's client alone."""

from __future__ import annotations

import http.server
import io
import json
import sys
import threading
import time
from typing import Any

import openai
from customgpt_client import CustomGPT
from customgpt_client.types import File

PAGES = {
    "/": "<html lang='en'><title>Harbour</title><body><h1>Harbour</h1><p>Welcome to the harbour of Lindau, where boats leave every hour.</p>"
    "<a href='/fares'>Fares</a></body></html>",
    "/fares": "<html lang='en'><title>Fares</title><body><h1>Fares</h1><p>A crossing to Bregenz costs twelve francs for adults.</p></body></html>",
}
QUESTION, FACT = "What does a crossing to Bregenz cost?", "twelve francs"
WAIT_SECONDS = 120


class Site(http.server.BaseHTTPRequestHandler):
    """The site whose content the project answers from."""

    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((page or "nothing").encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def expect(what: str, got: object, want: object) -> None:
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def data(what: str, response: Any, status: int = 200) -> Any:
    """The data of an answer that the client could parse."""
    expect(f"{what}: status ({response.content[:300]!r})", int(response.status_code), status)
    if response.parsed is None:
        raise AssertionError(f"{what}: the client could not parse {response.content!r}")
    return response.parsed.to_dict()["data"]


def wait_until_active(project_id: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not data("get", CustomGPT.Project.get(project_id))["is_chat_active"]:
        if time.monotonic() > deadline:
            raise AssertionError("the content was not read in time")
        time.sleep(0.2)


def check_projects(site: str) -> int:
    made = data("create", CustomGPT.Project.create(project_name="Harbour", sitemap_path=site, file_data_retension=True), 201)
    project_id = made["id"]
    expect("sitemap", (made["sitemap_path"], made["type"]), (site, "SITEMAP"))
    wait_until_active(project_id)
    expect("name", data("update", CustomGPT.Project.update(project_id, project_name="Port", is_shared=True))["project_name"], "Port")
    listed = data("list", CustomGPT.Project.list())
    expect("list", (listed["total"], [p["project_name"] for p in listed["data"]]), (1, ["Port"]))
    counted = CustomGPT.Project.stats(project_id)
    stats = data("stats", counted)
    keys = "crawl_credits_used index_credits_used pages_crawled pages_found pages_indexed query_credits_used total_queries total_words_indexed"
    expect("keys of stats", sorted(json.loads(counted.content)["data"]), keys.split())
    expect("pages indexed", stats["pages_indexed"], 2)
    expect("a foreign project", int(CustomGPT.Project.get(12334).status_code), 403)
    expect("no name", int(CustomGPT.Project.create(project_name="", sitemap_path=site).status_code), 400)
    expect("no content", int(CustomGPT.Project.create(project_name="Empty").status_code), 400)
    return project_id


def check_messages(project_id: int) -> None:
    begun = data("begin", CustomGPT.Conversation.create(project_id=project_id, name="Fares"), 201)
    session = begun["session_id"]
    renamed = CustomGPT.Conversation.update(project_id=project_id, session_id=session, name="Crossings")
    expect("renamed", data("rename", renamed)["name"], "Crossings")
    answer = data("send", CustomGPT.Conversation.send(project_id=project_id, session_id=session, prompt=QUESTION))
    if FACT not in answer["openai_response"]:
        raise AssertionError(f"the answer is {answer['openai_response']!r}")
    expect("source", answer["metadata"]["request_source"], "api")
    stream = CustomGPT.Conversation.send(project_id=project_id, session_id=session, prompt=QUESTION, stream=True)
    events = [json.loads(event.data) for event in stream.events()]
    expect("order", [events[0]["status"], events[1], events[-1]["status"]], ["start", {"status": "progress", "message": ""}, "finish"])
    if FACT not in "".join(e.get("message", "") for e in events) or not events[-1]["citations"]:
        raise AssertionError(f"the stream is {events!r}")
    history = data("messages", CustomGPT.Conversation.messages(project_id=project_id, session_id=session))
    expect("messages", (history["messages"]["total"], history["messages"]["data"][0]["id"]), (2, events[-1]["id"]))
    expect("conversations", data("conversations", CustomGPT.Conversation.get(project_id=project_id))["total"], 1)
    cited = data("citation", CustomGPT.Citation.get(project_id=project_id, citation_id=answer["citations"][0]))
    expect("title of what is cited", cited["title"], "Fares")
    deleted = CustomGPT.Conversation.delete(project_id=project_id, session_id=session)
    expect("deleted", data("delete", deleted), {"deleted": True})
    expect("missing", int(CustomGPT.Conversation.messages(project_id=project_id, session_id=session).status_code), 404)


def check_content(project_id: int) -> None:
    handbook = File(payload=io.BytesIO(b"Dogs are welcome on deck, not in the cabin."), file_name="dogs.txt", mime_type="text/plain")
    source = data("add a file", CustomGPT.Source.create(project_id=project_id, file=handbook, file_data_retension=True), 201)
    expect("type", source["type"], "upload")
    pages = data("pages", CustomGPT.Page.get(project_id=project_id))["pages"]
    expect("pages", pages["total"], 3)
    page_id = next(p["id"] for p in pages["data"] if p["is_file"])
    updated = CustomGPT.PageMetadata.update(project_id=project_id, page_id=page_id, title="Dogs", description="Where dogs may go.")
    expect("title", data("metadata", updated)["title"], "Dogs")
    expect("title", data("metadata", CustomGPT.PageMetadata.get(project_id=project_id, page_id=page_id))["title"], "Dogs")
    expect("reindex", data("reindex", CustomGPT.Page.reindex(project_id=project_id, page_id=page_id)), {"updated": True})
    sources = data("sources", CustomGPT.Source.list(project_id=project_id))
    expect("sources", (len(sources["sitemaps"]), sources["uploads"]["id"]), (1, source["id"]))
    site_id = sources["sitemaps"][0]["id"]
    changed = CustomGPT.Source.update(project_id=project_id, source_id=site_id, data_refresh_frequency="weekly")
    expect("weekly", data("update a source", changed, 201)["settings"]["data_refresh_frequency"], "weekly")
    data("sync", CustomGPT.Source.synchronize(project_id=project_id, source_id=site_id), 201)
    expect("delete a page", data("delete a page", CustomGPT.Page.delete(project_id=project_id, page_id=page_id)), {"deleted": True})
    expect("delete a source", data("delete", CustomGPT.Source.delete(project_id=project_id, source_id=source["id"])), {"deleted": True})


def check_settings(project_id: int) -> None:
    changed = CustomGPT.ProjectSettings.update(
        project_id=project_id, default_prompt="Ask the port", example_questions=["When?"], enable_citations="false", persona_instructions="Be brief."
    )
    expect("settings", data("settings", changed), {"updated": True})
    got = CustomGPT.ProjectSettings.get(project_id=project_id)
    expect("prompt", data("settings", got)["default_prompt"], "Ask the port")
    settings = json.loads(got.content)["data"]  # the client drops a zero
    expect("settings", (settings["default_prompt"], settings["enable_citations"]), ("Ask the port", 0))
    user = data("user", CustomGPT.User.update(name="Ada"))
    expect("user", (user["name"], data("user", CustomGPT.User.get())["name"]), ("Ada", "Ada"))
    expect("projects", data("limits", CustomGPT.Limit.get())["current_projects_num"], 1)


def check_reports(project_id: int) -> None:
    traffic = data("traffic", CustomGPT.ReportsAnalytics.traffic(project_id=project_id, filters=["sources"]))
    expect("traffic", traffic["sources"], [{"request_source": "api", "request_source_number": 2}])
    queries = data("queries", CustomGPT.ReportsAnalytics.queries(project_id=project_id, filters=["total", "query_status"]))
    expect("queries", (queries["total"], queries["query_status"]), (2, [{"status": "success", "count": 2}]))
    both = ["total", "average_queries_per_conversation"]
    conversations = data("conversations", CustomGPT.ReportsAnalytics.conversations(project_id=project_id, filters=both))
    expect("conversations", (conversations["total"], conversations["average_queries_per_conversation"]), (1, 2))
    figures = ["queries", "conversations", "queries_per_conversation"]
    analysis = data("analysis", CustomGPT.ReportsAnalytics.analysis(project_id=project_id, filters=figures, interval="daily"))
    expect("analysis", [sum(day["queries_number"] for day in analysis[name]) for name in figures[:2]], [2, 1])


def check_plugin(project_id: int) -> None:
    words = {"model_name": "harbour", "human_name": "Harbour", "keywords": "boats", "description": "Knows the harbour."}
    made = data("plugin", CustomGPT.ProjectPlugins.create(project_id=project_id, is_active=True, **words), 201)
    expect("plugin", (made["model_name"], made["is_active"]), ("harbour", True))
    renamed = {**words, "human_name": "Port"}
    expect("renamed", data("plugin", CustomGPT.ProjectPlugins.update(project_id=project_id, is_active=True, **renamed))["human_name"], "Port")
    expect("plugin", data("plugin", CustomGPT.ProjectPlugins.get(project_id=project_id))["human_name"], "Port")


def check_openai(url: str, key: str, project_id: int) -> None:
    client = openai.OpenAI(base_url=f"{url}/api/v1/projects/{project_id}", api_key=key, max_retries=0)
    messages: Any = [{"role": "user", "content": QUESTION}]
    whole = client.chat.completions.create(model="gpt-4o", messages=messages)
    if FACT not in (whole.choices[0].message.content or ""):
        raise AssertionError(f"the completion is {whole!r}")
    cited = [a.url_citation for a in whole.choices[0].message.annotations or []]
    expect("cited", ([c.title for c in cited], [c.url.endswith("/fares") for c in cited]), (["Fares"], [True]))
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))
    expect("cited in the stream", chunks[-1].choices[0].delta.model_extra["annotations"][0]["url_citation"]["url"], cited[0].url)
    pieces = [c.choices[0].delta.content or "" for c in chunks]
    if FACT not in "".join(pieces) or len(pieces) < 3:
        raise AssertionError(f"the pieces are {pieces!r}")
    try:
        client.chat.completions.create(model="gpt-4o", messages=messages, temperature=0.2)
    except openai.InternalServerError as refused:  # as the client calls every 5xx
        expect("501", refused.status_code, 501)
    else:
        raise AssertionError("temperature was taken")


def check_errors() -> None:
    CustomGPT.api_key = ""
    refused = CustomGPT.User.get()
    expect("no key", int(refused.status_code), 401)
    expect("its words", refused.parsed.to_dict()["data"]["message"], "API Token is either missing or invalid")


def main(url: str, key: str) -> None:
    CustomGPT.base_url, CustomGPT.api_key = url, key
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    project_id = check_projects(f"http://127.0.0.1:{site.server_port}/")
    print("check_projects: passed", flush=True)
    check_messages(project_id)
    print("check_messages: passed", flush=True)
    check_reports(project_id)
    print("check_reports: passed", flush=True)
    check_plugin(project_id)
    print("check_plugin: passed", flush=True)
    check_openai(url, key, project_id)
    print("check_openai: passed", flush=True)
    check_content(project_id)
    print("check_content: passed", flush=True)
    check_settings(project_id)
    print("check_settings: passed", flush=True)
    twin = data("replicate", CustomGPT.Project.replicate(project_id), 201)
    for each in (project_id, twin["id"]):
        expect("deleted", data("delete", CustomGPT.Project.delete(each)), {"deleted": True})
    check_errors()
    print("check_errors: passed", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
