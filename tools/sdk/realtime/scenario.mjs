// What a program with OpenAI's realtime clients for Node does, in both shapes; it fails on the first difference.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { OpenAIRealtimeWS as Beta } from "openai/beta/realtime/ws";
import { OpenAIRealtimeWS as Today } from "openai/realtime/ws";

const model = "gpt-4o-realtime-preview-2024-12-17";
const tool = {
  type: "function",
  name: "get_weather",
  parameters: { type: "object", required: ["city"], properties: { city: { type: "string" } } },
};
const api = new OpenAI({ maxRetries: 0 });

// connect returns a connection with its events in order.
async function connect(Client, name, query = "") {
  const client = query ? new OpenAI({ maxRetries: 0, baseURL: api.baseURL + query }) : api;
  const rt = new Client({ model: name }, client);
  const events = [];
  let wake = () => {};
  rt.on("event", (event) => { events.push(event); wake(); });
  rt.on("error", (error) => { if (!error.error) { events.push({ type: "broken", error }); wake(); } });
  let read = 0;
  const until = async (type) => {
    const seen = [];
    for (;;) {
      while (read < events.length) {
        const event = events[read++];
        seen.push(event);
        assert.ok(event.type === type || !["error", "broken"].includes(event.type), JSON.stringify(event) + event.error);
        if (event.type === type) return seen;
      }
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  const last = async (type) => (await until(type)).at(-1);
  return { rt, until, last };
}

const say = (rt, text) => rt.send({
  type: "conversation.item.create",
  item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
});

async function talk(Client, delta, settings) {
  const { rt, until, last } = await connect(Client, model);
  const { session } = await last("session.created");
  rt.send({ type: "session.update", session: { ...settings, tools: [tool], instructions: "Be brief." } });
  assert.equal((await last("session.updated")).session.instructions, "Be brief.");
  say(rt, "Hello!");
  rt.send({ type: "response.create" });
  const events = await until("response.done");
  const text = events.filter((e) => e.type === delta).map((e) => e.delta).join("");
  const done = events.at(-1).response;
  assert.equal(done.status, "completed");
  assert.ok(text && done.output[0].content[0].text === text);
  rt.send({ type: "response.create", response: { tool_choice: "required" } });
  const call = (await last("response.done")).response.output[0];
  assert.equal(call.type, "function_call");
  rt.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: call.call_id, output: '{"degrees": 4}' } });
  rt.send({ type: "response.create", response: { tool_choice: "none" } });
  assert.equal((await last("response.done")).response.status, "completed");
  rt.send({ type: "response.cancel" });
  assert.equal((await last("error")).error.code, "response_cancel_not_active");
  rt.close();
  return session.id;
}

async function goOn(Client, sessionID) {
  const { rt, last } = await connect(Client, model, `?session_id=${sessionID}`);
  assert.equal((await last("session.created")).session.id, sessionID);
  const stored = await api.get(`/realtime/sessions/${sessionID}`);
  rt.send({ type: "conversation.item.delete", item_id: stored.items[0].id });
  assert.equal((await last("conversation.item.deleted")).item_id, stored.items[0].id);
  say(rt, "Still there?");
  rt.send({ type: "response.create" });
  assert.equal((await last("response.done")).response.status, "completed");
  rt.close();
}

async function cancel(Client) {
  const { rt, last } = await connect(Client, "slow");
  await last("conversation.created");
  say(rt, "Go on!");
  rt.send({ type: "response.create" });
  await last("response.content_part.added");
  rt.send({ type: "response.cancel" });
  assert.equal((await last("response.done")).response.status, "cancelled");
  rt.close();
}

// tone is 16 bits, 24,000 samples a second, as base64.
function tone(milliseconds, amplitude) {
  const samples = Int16Array.from({ length: 24 * milliseconds }, (_, i) => amplitude * Math.sin(i / 10));
  return Buffer.from(samples.buffer).toString("base64");
}

// speak says something by hand, hears the answer, and cuts it to what was heard.
async function speak(Client, delta, settings) {
  const sound = delta.replace("text", "audio");
  const { rt, until, last } = await connect(Client, model);
  const beta = settings.modalities;
  await last("conversation.created");
  rt.send({ type: "session.update", session: beta
    ? { modalities: ["text", "audio"], turn_detection: null }
    : { type: "realtime", output_modalities: ["audio"], audio: { input: { turn_detection: null } } } });
  await last("session.updated");
  rt.send({ type: "input_audio_buffer.append", audio: tone(400, 9000) });
  rt.send({ type: "input_audio_buffer.commit" });
  await last("input_audio_buffer.committed");
  rt.send({ type: "response.create" });
  const events = await until("response.done");
  const done = events.at(-1).response;
  const bytes = events.filter((e) => e.type === sound).reduce((n, e) => n + Buffer.from(e.delta, "base64").length, 0);
  assert.equal(done.status, "completed");
  assert.ok(bytes > 0 && done.output[0].content[0].transcript);
  assert.equal(done.usage.output_token_details.audio_tokens, bytes / 2400);
  rt.send({ type: "conversation.item.truncate", item_id: done.output[0].id, content_index: 0, audio_end_ms: 0 });
  assert.equal((await last("conversation.item.truncated")).audio_end_ms, 0);
  rt.close();
}

async function secret() {
  const made = await api.realtime.clientSecrets.create({ session: { type: "realtime", model, instructions: "Be kind." } });
  assert.ok(made.value.startsWith("ek_"));
  const { session, protocol } = await fromPage(made.value);
  assert.equal(session.instructions, "Be kind.");
  assert.equal(protocol, "realtime");
}

// fromPage connects as OpenAI's client does in a browser: the secret among the subprotocols.
async function fromPage(secretText) {
  const { WebSocket } = await import("ws");
  const url = api.baseURL.replace("https://", "wss://") + "/realtime?model=" + model;
  const socket = new WebSocket(url, ["realtime", "openai-insecure-api-key." + secretText], { origin: "https://page.example" });
  const event = await new Promise((resolve, reject) => {
    socket.once("message", (data) => resolve(JSON.parse(data.toString())));
    socket.once("error", reject);
  });
  const protocol = socket.protocol;
  socket.close();
  return { session: event.session, protocol };
}

const shapes = [
  [Beta, "response.text.delta", { modalities: ["text"], temperature: 0.7 }],
  [Today, "response.output_text.delta", { type: "realtime", output_modalities: ["text"] }],
];
for (const [Client, delta, settings] of shapes) {
  await goOn(Client, await talk(Client, delta, settings));
  await cancel(Client);
  await speak(Client, delta, settings);
}
await secret();
