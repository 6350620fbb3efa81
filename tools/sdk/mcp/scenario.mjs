// Holds a chat by the WebSocket client `ws`, as a page would: with a ticket, and a person's approval of a tool's call.
import assert from "node:assert/strict";
import WebSocket from "ws";

const { PARLEY_URL, PARLEY_KEY, PARLEY_FLOW } = process.env;

async function post(path, body = undefined) {
  const response = await fetch(PARLEY_URL + path, {
    method: "POST",
    headers: { "X-API-KEY": PARLEY_KEY, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return response.json();
}

const chat = await post("/chats", { name: "Over ws", from_type: "flow", from_flow: PARLEY_FLOW });
const { ticket } = await post(`/chats/${chat.id}/tickets`);
const socket = new WebSocket(`${PARLEY_URL.replace(/^http/, "ws")}/chats/${chat.id}/ws?ticket=${ticket}`);
const heard = [];

await new Promise((resolve, reject) => {
  socket.on("error", reject);
  socket.on("close", () => reject(new Error(`closed after ${JSON.stringify(heard)}`)));
  socket.on("open", () => socket.send(JSON.stringify({ type: "message", content: "Marco" })));
  socket.on("message", (raw) => {
    const event = JSON.parse(raw);
    heard.push(event);
    if (event.event === "error") reject(new Error(event.data.detail));
    if (event.event !== "status") return;
    if (event.data.status === "wait_for_human_input") {
      assert.match(event.data.prompt, /everything_echo.*Marco/);
      socket.send(JSON.stringify({ type: "input", message: "yes" }));
    }
    if (event.data.status === "completed") resolve();
  });
});
socket.removeAllListeners("close");
socket.close();

const calls = heard.filter((event) => event.event === "tool").map((event) => event.data);
assert.deepEqual(calls.map((call) => call.state), ["waiting", "calling", "done"]);
assert.match(calls[2].result, /Marco/);
assert.ok(heard.some((event) => event.event === "message" && event.data.type === "assistant"));
