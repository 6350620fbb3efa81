"""Adjusts the document to what Schemathesis cannot know. The server is tested as it is.

Two things are rewritten in the copy that Schemathesis reads:

* SSE events. The document describes `data` as the JSON value that the line carries, because SDK generators make
  types of it. Schemathesis reads an event as {event, data, id, retry} with `data` as text, and looks into
  the text only where the schema is a string with `contentSchema`. So it gets that schema, with the same
  value inside.
* Values that only the server knows: ids of models, and the key where it may stand in a body. An unknown model is a
  400 and a second key a 401 by decision; without help every positive request would only show that. So
  `llm_id`, `sd_model_id` and `api_key` become enums of what the server under test has: valid requests then
  reach a model, others must be refused.

* Enums that admit null. The code generator takes no null among booleans, so the document says `nullable` alone,
  which Schemathesis overlooks beside an enum.

The key that a run authenticates with is spared: an operation that would change or end it is sent to another one
(`PARLEY_OWN_KEY`, `PARLEY_SPARE_KEY`), or the rest of the run would only see 401; likewise the plan of that key, for 429.
The header `Parley-End-User`, whose values only the server can make, is not sent.
A good `Idempotency-Key` gets a new end in every request: the tests of ours hold what a repeated one does.

One kind of failure is dropped: a body that is valid by its schema but breaks a rule that the document's introduction
sets for all bodies (no NUL characters, no member names beyond 1,024 bytes) is refused with 400. Schemas cannot
state rules for members that they do not name. Such bodies are sent all the same: whatever the server
does with them, it must not be a 5xx. The same holds for webhooks at hosts that are not public, which only the server can
tell, for forms whose parts have names that no header can carry, and for OAuth clients that name themselves twice, by the
header of the run and in the form, which RFC 6749 forbids (section 2.3).

Two things are no violations: a header that the document does not name, and in forms, whose parts are all text, a value
that reads as what is asked for ("false" for a number is 0, as that API's clients send it).
"""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

KNOWN: dict[str, list[str]] = json.loads(os.environ["PARLEY_KNOWN_VALUES"])
OWN_KEY, SPARE_KEY = os.environ["PARLEY_OWN_KEY"], os.environ["PARLEY_SPARE_KEY"]
OWN_PLAN, SPARE_PLAN = "unlimited", "spare"  # what the run's keys have, and what it may redefine
GOOD_KEY = re.compile(r"[\x21-\x7e]{1,255}")
NAME_BYTES_MAX = 1024  # as sent: Schemathesis escapes whatever is not ASCII


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    describe_event_data_as_text(raw_schema["components"]["schemas"])
    admit_null_in_enums(raw_schema)
    name_known_values(raw_schema)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.path_parameters and case.path_parameters.get("key_id") == OWN_KEY:
        case.path_parameters["key_id"] = SPARE_KEY
    if case.path_parameters and case.path_parameters.get("plan_name") == OWN_PLAN:
        case.path_parameters["plan_name"] = SPARE_PLAN
    make_key_fresh(case)
    drop_made_up_visitor(case)
    if os.environ.get("PARLEY_BALANCED"):  # the balancer gives each connection to the next server
        case.headers["Connection"] = "close"


def make_key_fresh(case: schemathesis.Case) -> None:
    """Gives a good Idempotency-Key a new end: the document's one example would be one key for all bodies."""
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and GOOD_KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key[:200]}-{uuid.uuid4()}"


def drop_made_up_visitor(case: schemathesis.Case) -> None:
    """Takes away an end user's token: only the server can make one, and another is a 401 by decision."""
    for name in [name for name in case.headers or {} if name.lower() == "parley-end-user"]:
        del case.headers[name]


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case, response: Response
) -> bool:
    if isinstance(failure, AcceptedNegativeData):
        in_form = (case.media_type or "").startswith("multipart/") and "Incorrect type" in failure.message
        return not in_form and "in header - object with unexpected properties" not in failure.message
    if not isinstance(failure, RejectedPositiveData) or response.status_code not in (400, 422):
        return True
    by_name = "is not a valid form" in response.text and not has_plain_names(case.body)
    twice = "in the header or in the form, not in both" in response.text
    return not (breaks_rules(case.body) or by_name or twice or "url of a webhook" in response.text)


def has_plain_names(body: Any) -> bool:
    """Tells whether the parts of a form have names that a header can carry."""
    return isinstance(body, dict) and all(name.isascii() and name.isprintable() for name in body)


def breaks_rules(value: Any) -> bool:
    """Tells whether a JSON value breaks the document's rules for all bodies, somewhere inside."""
    if isinstance(value, dict):
        return any(len(json.dumps(name)) > NAME_BYTES_MAX or breaks_rules(name) for name in value) or breaks_rules(
            list(value.values())
        )
    if isinstance(value, list):
        return any(breaks_rules(item) for item in value)
    return isinstance(value, str) and "\x00" in value


def describe_event_data_as_text(schemas: dict[str, Any]) -> None:
    """Turns the `data` of each event schema from a JSON value into text that holds one."""
    for schema in schemas.values():
        properties = schema.get("properties", {})
        if {"data", "retry"} <= properties.keys():
            properties["data"] = as_text(properties["data"], schemas)


def as_text(data: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Describes text that holds a JSON value, or is one of the literals that the value's alternatives name."""
    if "$ref" in data and "oneOf" in (union := schemas[data["$ref"].rsplit("/", 1)[-1]]):
        data = union
    branches = data.get("oneOf", [])
    literals = [b for b in branches if schemas[b["$ref"].rsplit("/", 1)[-1]].get("type") == "string"]
    if literals:
        data = data | {"oneOf": [b for b in branches if b not in literals]}
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {"anyOf": [*literals, text]} if literals else text


def admit_null_in_enums(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            admit_null_in_enums(item)
    elif isinstance(node, dict):
        if node.get("nullable") is True and isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
        for value in node.values():
            admit_null_in_enums(value)


def name_known_values(node: Any) -> None:
    """Makes each member of a known name, in schemas, examples and links, one that the server has."""
    if isinstance(node, list):
        for item in node:
            name_known_values(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name not in KNOWN:
                name_known_values(value)
            elif isinstance(value, str):
                node[name] = KNOWN[name][0]
            else:
                value["enum"] = KNOWN[name]
                value["example"] = KNOWN[name][0]
