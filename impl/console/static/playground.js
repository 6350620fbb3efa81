// The playground: a form for any operation of the document, its answer as it comes, and the same call as code.
const at = (id) => document.getElementById(id);
const form = at("playground"), fields = at("fields"), origin = form.dataset.origin;
// Their addresses carry hashes of their contents, which only the page knows.
const [{ check, describe }, { snippet }] = await Promise.all([import(form.dataset.schema), import(form.dataset.code)]);
const SHOWN = 1_000_000; // characters of an answer

let entries = [], operation = null, running = null, socket = null;

/** Makes an element with attributes and children. */
function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c != null));
  return e;
}

// The key outlives the page but not the tab.
at("key").value = sessionStorage.getItem("parley-playground-key") ?? "";
at("key").addEventListener("input", () => {
  sessionStorage.setItem("parley-playground-key", at("key").value.trim());
  showCode();
});

function listOperations() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean), groups = new Map();
  for (const e of entries) {
    const text = `${e.title} ${e.path} ${e.id}`.toLowerCase();
    if (!words.every((w) => text.includes(w))) continue;
    const tag = e.at.split("/")[2];
    if (!groups.has(tag)) groups.set(tag, element("optgroup", { label: tag }));
    groups.get(tag).append(element("option", { value: e.id, selected: e.id === operation?.id }, `${e.path} · ${e.title}`));
  }
  const none = groups.size === 0 ? "No operation has these words" : "Choose an operation";
  at("operation").replaceChildren(element("option", { value: "" }, none), ...groups.values());
}

/** Shows the form of an operation. */
async function choose(id) {
  stop();
  operation = null;
  at("send").disabled = true;
  fields.replaceChildren();
  at("about").textContent = "";
  if (!id) return showCode();
  at("about").textContent = "Loading …";
  const answer = await fetch(`/docs/operations/${encodeURIComponent(id)}.json`).catch(() => null);
  if (!answer?.ok) {
    at("about").textContent = "The operation could not be loaded. Choose it again.";
    return;
  }
  operation = await answer.json();
  const scopes = operation.scopes?.length ? ` Needs ${operation.scopes.join(" or ")}.` : "";
  at("about").replaceChildren(`${operation.summary}.${scopes} `, element("a", { href: operation.docs }, "Reference"));
  history.replaceState(null, "", `?operation=${encodeURIComponent(operation.id)}`);
  const needed = operation.parameters.filter((p) => p.required), others = operation.parameters.filter((p) => !p.required);
  fields.append(...needed.map(parameterField));
  if (others.length > 0) fields.append(element("details", {}, element("summary", {}, `${others.length} optional parameters`), element("div", { class: "stack" }, ...others.map(parameterField))));
  if (operation.bodies.length > 0) fields.append(...bodyFields());
  at("send").textContent = operation.socket ? "Connect" : "Send";
  at("send").disabled = false;
  showCode();
}

/** An input for a value of a schema, with the schema's rules as the browser checks them. */
function inputFor(schema, attributes) {
  if (schema.enum) {
    const choices = schema.enum.map((v) => element("option", { value: v, selected: String(v) === attributes.value }, String(v)));
    return element("select", attributes, attributes.required ? null : element("option", { value: "" }, ""), ...choices);
  }
  if (schema.type === "boolean") return inputFor({ enum: [true, false] }, attributes);
  const number = schema.type === "integer" || schema.type === "number";
  return element("input", {
    type: number ? "number" : "text", step: schema.type === "number" ? "any" : null, min: schema.minimum, max: schema.maximum,
    minlength: schema.minLength, maxlength: schema.maxLength, ...attributes,
  });
}

function parameterField(p) {
  const id = `p-${p.in}-${p.name}`;
  const input = inputFor(p.schema, { id, "data-name": p.name, "data-in": p.in, required: p.required, value: p.required ? p.example : null, placeholder: p.required ? null : p.example, "aria-describedby": `${id}-hint`, oninput: showCode });
  return element("div", {}, element("label", { for: id }, `${p.name} `, element("span", { class: "quiet" }, `${p.in}${p.required ? ", required" : ""}`)), input, element("p", { class: "hint", id: `${id}-hint` }, `${p.description ?? ""} ${describe(p.schema)}`));
}

function bodyFields() {
  const box = element("div", { class: "stack" });
  const types = element("select", { id: "type", onchange: () => (showBody(box), showCode()) }, ...operation.bodies.map((b) => element("option", {}, b.type)));
  const label = element("label", {}, "Content type ", types);
  label.hidden = operation.bodies.length < 2;
  queueMicrotask(() => (showBody(box), showCode()));
  return [label, box];
}

const chosenBody = () => operation?.bodies.find((b) => b.type === at("type")?.value);

function showBody(box) {
  const body = chosenBody();
  if (body.type.includes("json")) {
    const hint = element("p", { class: "hint", id: "body-hint", "aria-live": "polite" });
    const text = element("textarea", { id: "body", rows: 12, class: "mono", spellcheck: "false", "aria-describedby": "body-hint", oninput: () => (judge(), showCode()) });
    text.value = JSON.stringify(body.example ?? {}, null, 2);
    const judge = () => {
      const wrong = check(body.schema, text.value);
      text.setAttribute("aria-invalid", String(wrong.length > 0));
      hint.classList.toggle("bad", wrong.length > 0);
      hint.textContent = wrong.length > 0 ? wrong.slice(0, 5).join(" ") : "It has the form that the document asks for.";
    };
    box.replaceChildren(element("label", {}, "Body ", text), hint);
    judge();
    return;
  }
  const required = body.schema.required ?? [];
  box.replaceChildren(...Object.entries(body.schema.properties ?? {}).map(([name, schema]) => {
    const id = `f-${name}`, attributes = { id, "data-part": name, required: required.includes(name), "aria-describedby": `${id}-hint`, oninput: showCode };
    const given = body.example?.[name];
    const input = schema.format === "binary" ? element("input", { type: "file", ...attributes }) : inputFor(schema, { ...attributes, value: given == null || typeof given === "object" ? null : String(given) });
    return element("div", {}, element("label", { for: id }, name, element("span", { class: "quiet" }, required.includes(name) ? " required" : "")), input, element("p", { class: "hint", id: `${id}-hint` }, `${schema.description ?? ""} ${describe(schema)}`));
  }));
}

/** What the form says, as a request. */
function request() {
  let path = operation.path;
  const query = new URLSearchParams(), headers = {};
  for (const input of fields.querySelectorAll("[data-in]")) {
    const { name, in: where } = input.dataset, value = input.value;
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "" && where === "query") query.append(name, value);
    else if (value !== "" && where === "header") headers[name] = value;
  }
  const key = at("key").value.trim(), body = chosenBody();
  if (key) headers.Authorization = `Bearer ${key}`;
  const made = { method: operation.method, url: path + (query.size > 0 ? `?${query}` : ""), headers, json: null, parts: null, socket: operation.socket, operation: operation.id };
  if (!body) return made;
  if (body.type.includes("json")) {
    made.json = at("body")?.value ?? "";
    headers["Content-Type"] = body.type;
    return made;
  }
  made.urlencoded = body.type.includes("urlencoded");
  made.parts = [...fields.querySelectorAll("[data-part]")].flatMap((input) => {
    if (input.type === "file") return [...input.files].map((file) => [input.dataset.part, file]);
    return input.value === "" ? [] : [[input.dataset.part, input.value]];
  });
  return made;
}

function payload(r) {
  if (r.json !== null) return r.json;
  if (!r.parts) return undefined;
  const data = r.urlencoded ? new URLSearchParams() : new FormData();
  for (const [name, value] of r.parts) data.append(name, value);
  return data;
}

function showCode() {
  at("code").textContent = operation ? snippet(at("language").value, request(), origin) : "Choose an operation.";
}

function begin(text) {
  at("status").textContent = text;
  at("status").className = "quiet";
  at("answer").textContent = "";
  at("answer").hidden = false;
  at("headers").hidden = true;
  at("send").disabled = true;
  at("stop").hidden = false;
}

function end(text, good) {
  at("status").textContent = text;
  at("status").className = good ? "notice good" : "notice bad";
  at("send").disabled = operation === null;
  at("stop").hidden = true;
}

function stop() {
  running?.abort();
  socket?.close();
}

async function send() {
  const r = request(), began = performance.now();
  const took = () => `${Math.round(performance.now() - began)} ms`;
  running = new AbortController();
  begin("Sending …");
  try {
    const answer = await fetch(r.url, { method: r.method, headers: r.headers, body: payload(r), signal: running.signal, credentials: r.headers.Authorization ? "omit" : "same-origin", cache: "no-store" });
    const line = `${answer.status} ${answer.statusText}`;
    at("headers").hidden = false;
    at("headers").querySelector("pre").textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    at("status").textContent = `${line}, receiving …`;
    await receive(answer);
    end(`${line} · ${took()}`, answer.ok);
  } catch (error) {
    end(running.signal.aborted ? `Stopped after ${took()}.` : `The request did not get through: ${error.message}`, false);
  }
}

/** Shows the body as it comes; JSON is indented when it is whole. */
async function receive(answer) {
  const type = answer.headers.get("Content-Type") ?? "", out = at("answer");
  if (!answer.body) return;
  if (type && !/json|text|yaml|javascript|xml|csv/.test(type)) {
    out.textContent = `${(await answer.blob()).size} bytes of ${type}`;
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const text = document.createTextNode("");
  out.replaceChildren(text);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (text.length < SHOWN) text.appendData(value.slice(0, SHOWN - text.length));
    if (type.includes("event-stream")) out.scrollTop = out.scrollHeight;
  }
  if (/\bjson\b|\+json/.test(type) && text.length < SHOWN) {
    try {
      text.data = JSON.stringify(JSON.parse(text.data), null, 2);
    } catch {
      // It is shown as it came.
    }
  }
  if (text.length === 0) text.data = "(no body)";
}

/** A WebSocket: a page can set no headers, so the key goes where the operation takes it from pages. */
async function connect() {
  const r = request(), key = at("key").value.trim(), url = new URL(r.url, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  begin("Connecting …");
  const protocols = [];
  if (operation.credentials.includes("query ticket") && key && !url.searchParams.has("ticket")) {
    const answer = await fetch(`${url.pathname.replace(/\/ws$/, "")}/tickets`, { method: "POST", headers: { Authorization: `Bearer ${key}` } });
    if (!answer.ok) return end(`No ticket for the connection: ${answer.status}`, false);
    url.searchParams.set("ticket", (await answer.json()).ticket);
  } else if (key) {
    protocols.push("realtime", `openai-insecure-api-key.${key}`);
  }
  socket = new WebSocket(url, protocols);
  let opened = false;
  const log = (mark, data) => {
    let text = String(data);
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // It is shown as it came.
    }
    at("answer").append(`${mark} ${text}\n`);
    at("answer").scrollTop = at("answer").scrollHeight;
  };
  at("say").onclick = () => {
    socket.send(at("message").value);
    log("→", at("message").value);
  };
  socket.onopen = () => {
    opened = true;
    at("status").textContent = "Connected.";
    at("talk").hidden = false;
    at("message").value = operation.id === "connectRealtime" ? '{"type": "response.create", "response": {"instructions": "Say hello."}}' : "";
  };
  socket.onmessage = (e) => log("←", e.data);
  socket.onclose = (e) => {
    at("talk").hidden = true;
    end(opened ? `Closed: ${e.code} ${e.reason}` : "The connection was refused. The key, the parameters or the scope do not admit it.", opened && e.code <= 1001);
  };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation(); // this form is never sent itself
  if (!operation || at("send").disabled) return;
  const wrong = fields.querySelector(":invalid");
  if (wrong) {
    wrong.closest("details")?.setAttribute("open", "");
    wrong.reportValidity();
    return;
  }
  if (operation.socket) connect();
  else send();
});
at("stop").addEventListener("click", stop);
at("filter").addEventListener("input", listOperations);
at("operation").addEventListener("change", () => choose(at("operation").value));
at("language").addEventListener("change", showCode);
at("copy").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(at("code").textContent).catch(() => {});
});

try {
  entries = (await (await fetch("/docs/search.json")).json()).filter((e) => e.path !== "Guide");
  listOperations();
  const wanted = new URLSearchParams(location.search).get("operation") ?? "sendWebchatMessage";
  if (entries.some((e) => e.id === wanted)) {
    await choose(wanted);
    at("operation").value = wanted;
  }
} catch {
  at("about").textContent = "The list of operations could not be loaded. Reload the page.";
}
