// A conversation and a stream by hey-api's generated SDK.
import assert from 'node:assert/strict';
import { createConversation, getAgent, listMessages, listModels, sendMessage } from '../generated/hey-api';
import { client } from '../generated/hey-api/client.gen';
import type { WebchatEndEvent, WebchatMessageEvent, WebchatRequest } from '../generated/hey-api';

client.setConfig({ baseUrl: process.env.PARLEY_URL!, auth: process.env.PARLEY_KEY! });

async function converse(): Promise<void> {
  const models = await listModels({ query: { type: 'llm' }, throwOnError: true });
  const llm_id = models.data[0]?.id;
  assert(llm_id, 'no language model is listed');

  const created = await createConversation({ body: { title: 'TypeScript', llm_id }, throwOnError: true });
  assert.equal(created.data.title, 'TypeScript');

  const path = { conversation_id: created.data.id };
  const answer = await sendMessage({ path, body: { content: 'Hello from TypeScript' }, throwOnError: true });
  assert('content' in answer.data, 'the answer is not a message');
  assert.equal(answer.data.role, 'agent');

  const messages = await listMessages({ path, throwOnError: true });
  assert.deepEqual(messages.data.map((m) => m.role), ['user', 'agent']);
  assert.equal(messages.data[1]?.id, answer.data.id);
}

async function refuse(): Promise<void> {
  const missing = await getAgent({ path: { agent_id: 'nobody' } });
  assert.equal(missing.response?.status, 404);
  assert(missing.error && 'error' in missing.error, 'an error has a text');
}

// An operation that answers JSON or a stream gets a JSON method only (hey-api 0.99), so the stream is
// read with the generated client's own `sse`; the document's event types fit what it yields.
async function stream(): Promise<void> {
  const body: WebchatRequest = { message: 'Hello from TypeScript', stream: true };
  const names: (string | undefined)[] = [];
  const { stream } = await client.sse.post<{ 200: WebchatMessageEvent['data'] | WebchatEndEvent['data'] }>({
    url: '/api/v1/chat',
    body,
    headers: { 'Content-Type': 'application/json' },
    security: [{ scheme: 'bearer', type: 'http' }],
    sseMaxRetryAttempts: 1,
    onSseEvent: (event) => names.push(event.event),
    onSseError: (error) => {
      throw error;
    },
  });
  let text = '';
  let session = '';
  for await (const data of stream) {
    if ('content' in data) text += data.content;
    else session = data.session_id;
  }
  assert(text.includes('Hello from TypeScript'), `the built-in model repeats what was said: ${text}`);
  assert.match(session, /^sess_/);
  assert.equal(names.at(-1), 'end');
  assert.equal(names.filter((name) => name === 'message').length, names.length - 1);
}

converse().then(refuse).then(stream);
