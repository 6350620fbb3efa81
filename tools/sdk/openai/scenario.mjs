// What a program with OpenAI's client for Node does, end to end; it fails on the first difference.
import assert from "node:assert/strict";
import OpenAI from "openai";

const baseURL = process.env.PARLEY_URL;
const model = "parley-builtin";
const messages = [{ role: "user", content: "Hello!" }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", required: ["city"], properties: { city: { type: "string" } } },
    },
  },
];
const client = (apiKey) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const api = client(process.env.PARLEY_KEY);

async function models() {
  const ids = [];
  for await (const m of api.models.list()) ids.push(m.id);
  assert.ok(ids.includes(model) && ids.includes("parley-builtin-embedding"));
  assert.equal((await api.models.retrieve(model)).id, model);
}

async function chat() {
  const whole = await api.chat.completions.create({ model: "gpt-4o-mini", messages, seed: 7, top_p: 0.5 });
  assert.equal(whole.model, model);
  assert.equal(whole.choices[0].finish_reason, "stop");
  let text = "";
  let usage;
  const stream = await api.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(usage, whole.usage);
  const { data, response } = await api.chat.completions.create({ model, messages }).withResponse();
  assert.match(response.headers.get("parley-turn"), /^turn_/);
  assert.equal(data.choices[0].message.content, text);
}

async function toolCalls() {
  const first = await api.chat.completions.create({ model, messages, tools, tool_choice: "required" });
  const call = first.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)), ["city"]);
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  const streamed = await api.chat.completions.stream({ model, messages, tools, tool_choice: "required" }).finalMessage();
  assert.deepEqual(streamed.tool_calls[0].function.arguments, call.function.arguments);
  const runner = api.chat.completions.runTools({
    model,
    messages: [...messages, first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "clear sky" }],
    tools: [{ ...tools[0], function: { ...tools[0].function, function: () => "clear sky", parse: JSON.parse } }],
  });
  assert.match(await runner.finalContent(), /clear sky/);
}

async function embeddings() {
  const input = ["cats and dogs", "dogs and cats"];
  const packed = await api.embeddings.create({ model: "parley-builtin-embedding", input });
  const floats = await api.embeddings.create({ model: "parley-builtin-embedding", input, encoding_format: "float" });
  assert.equal(packed.data.length, 2);
  assert.equal(packed.data[0].embedding.length, 384);
  packed.data[1].embedding.forEach((v, i) => assert.ok(Math.abs(v - floats.data[1].embedding[i]) < 1e-6));
}

async function responses() {
  const first = await api.responses.create({ model, input: "Hello!", metadata: { a: "b" } });
  assert.deepEqual([first.status, first.model, first.metadata], ["completed", model, { a: "b" }]);
  assert.equal((await api.responses.retrieve(first.id)).output_text, first.output_text);
  const events = [];
  for await (const e of await api.responses.create({ model, input: "Hello!", stream: true })) events.push(e);
  assert.deepEqual(events.map((e) => e.sequence_number), [...events.keys()]);
  const made = events.at(-1).response;
  assert.equal(made.output[0].content[0].text, first.output_text);
  const resumed = [];
  for await (const e of await api.responses.retrieve(made.id, { stream: true, starting_after: 3 })) resumed.push(e);
  assert.deepEqual(resumed, events.slice(4));
  const after = await api.responses.create({ model, input: "What did I say before?", previous_response_id: first.id });
  assert.match(after.output_text, /Hello!/);
  const items = [];
  for await (const i of api.responses.inputItems.list(first.id)) items.push([i.role, i.content[0].text]);
  assert.deepEqual(items, [["user", "Hello!"]]);
  await api.responses.delete(first.id);
  await assert.rejects(api.responses.retrieve(first.id), OpenAI.NotFoundError);
}

async function responseTools() {
  const tool = { type: "function", strict: false, ...tools[0].function };
  const first = await api.responses.create({ model, input: "Hello!", tools: [tool], tool_choice: "required" });
  const [call] = first.output;
  assert.deepEqual([call.type, call.name, Object.keys(JSON.parse(call.arguments))], ["function_call", "get_weather", ["city"]]);
  const streamed = await api.responses.stream({ model, input: "Hello!", tools: [tool], tool_choice: "required" }).finalResponse();
  assert.equal(streamed.output[0].arguments, call.arguments);
  const result = { type: "function_call_output", call_id: call.call_id, output: "clear sky" };
  const after = await api.responses.create({ model, input: [result], previous_response_id: first.id, tools: [tool] });
  assert.match(after.output_text, /clear sky/);
  const sent = [{ role: "user", content: "Hello!" }, ...first.output, result];
  assert.match((await api.responses.create({ model, input: sent })).output_text, /clear sky/);
}

async function background() {
  const first = await api.responses.create({ model, input: "Hello!", background: true });
  assert.deepEqual([first.status, first.background], ["in_progress", true]);
  let last;
  for await (const e of await api.responses.retrieve(first.id, { stream: true })) last = e;
  assert.equal(last.type, "response.completed");
  assert.equal((await api.responses.retrieve(first.id)).status, "completed");
  assert.equal((await api.responses.cancel(first.id)).status, "completed");
}

async function errors() {
  const refused = async (kind, code, call) => {
    const error = await call().then(() => assert.fail(`no ${kind.name}`), (e) => e);
    assert.ok(error instanceof kind, `${error} is no ${kind.name}`);
    assert.equal(error.code, code);
  };
  const ask = (key, members) => () => client(key).chat.completions.create({ model, messages, ...members });
  await refused(OpenAI.AuthenticationError, "invalid_api_key", ask("sk-nothing"));
  await refused(OpenAI.BadRequestError, "unsupported_value", ask(api.apiKey, { n: 2 }));
  await refused(OpenAI.RateLimitError, "insufficient_quota", ask(process.env.PARLEY_POOR_KEY));
  await refused(OpenAI.NotFoundError, "model_not_found", () => api.models.retrieve("no-such-model"));
  await refused(OpenAI.RateLimitError, "rate_limit_exceeded", async () => {
    for (let i = 0; i < 6; i++) await client(process.env.PARLEY_SLOW_KEY).models.list();
  });
}

for (const check of [models, chat, toolCalls, embeddings, responses, responseTools, background, errors]) {
  await check();
  console.log(`node ${check.name}: passed`);
}
