// The steps by hey-api's generated SDK.
import assert from 'node:assert/strict';
import { createAgent, createCompletion, createConversation, createProject, getAgent, listConversations, listModels, listProjectPages, listProjects, sendMessage } from '../generated/hey-api';
import { formDataBodySerializer } from '../generated/hey-api/client';
import { client } from '../generated/hey-api/client.gen';
import type { MessageStreamEvent, ProjectAnswer, ProjectCreationForm } from '../generated/hey-api';
import { type How, attempts, nextCursor, pass, setting } from './steps';

client.setConfig({ baseUrl: setting('PARLEY_URL'), auth: setting('PARLEY_KEY') });

const made = { agent: '', model: '', conversation: '' };

async function agent(): Promise<How> {
  const { data, response } = await createAgent({ body: { name: 'Ada', personality_prompt: 'Brief' }, throwOnError: true });
  assert.equal(response.status, 201);
  made.agent = data.id;
  return 'yes';
}

async function conversation(): Promise<How> {
  const models = await listModels({ query: { type: 'llm' }, throwOnError: true });
  made.model = models.data[0]?.id ?? assert.fail('no language model is listed');
  const created = await createConversation({ body: { title: 'TypeScript', llm_id: made.model, agent_id: made.agent }, throwOnError: true });
  made.conversation = created.data.id;
  const path = { conversation_id: made.conversation };
  const answer = await sendMessage({ path, body: { content: 'Hello from TypeScript' }, throwOnError: true });
  assert('content' in answer.data && answer.data.role === 'agent', 'the answer is not a message');
  return 'yes';
}

// An operation that answers JSON or a stream gets a JSON method only, so the stream is read with the
// generated client's own `sse`; the document's event types fit what it yields.
async function stream(): Promise<How> {
  const names: (string | undefined)[] = [];
  const { stream } = await client.sse.post<{ 200: MessageStreamEvent['data'] }>({
    url: '/api/v1/conversations/{conversation_id}/messages',
    path: { conversation_id: made.conversation },
    body: { content: 'Hello from a stream', stream: true },
    headers: { 'Content-Type': 'application/json' },
    security: [{ scheme: 'bearer', type: 'http' }],
    sseMaxRetryAttempts: 1,
    onSseEvent: (event) => names.push(event.event),
    onSseError: (error) => {
      throw error;
    },
  });
  let text = '';
  let whole = '';
  for await (const data of stream) {
    if ('role' in data) whole = data.content;
    else if ('content' in data) text += data.content;
  }
  assert.equal(names.at(-1), 'message');
  assert(whole.includes('Hello from a stream') && text === whole, `the deltas are ${text}, the message is ${whole}`);
  return 'hand';
}

async function pages(): Promise<How> {
  const begun = new Set<string>();
  for (const title of ['One', 'Two', 'Three']) {
    const { data } = await createConversation({ body: { title, llm_id: made.model }, throwOnError: true });
    begun.add(data.id);
  }
  let cursor: string | undefined;
  do {
    const { data, response } = await listConversations({ query: { limit: 2, cursor }, throwOnError: true });
    assert(data.length <= 2);
    for (const { id } of data) begun.delete(id);
    cursor = nextCursor(response);
  } while (cursor);
  assert.equal(begun.size, 0);
  return 'yes';
}

async function unauthorized(): Promise<How> {
  const { error, response } = await listProjects({ auth: 'nobody' });
  assert.equal(response?.status, 401);
  assert(error && 'data' in error && error.data.message, 'an error has a text');
  return 'yes';
}

async function poor(): Promise<How> {
  const body = { llm_id: made.model, messages: [{ role: 'user' as const, content: 'Hello' }] };
  const { error, response } = await createCompletion({ body, auth: setting('PARLEY_POOR_KEY') });
  assert.equal(response?.status, 402);
  assert(error && 'error' in error, 'an error has a text');
  return 'yes';
}

async function missing(): Promise<How> {
  const { error, response } = await getAgent({ path: { agent_id: 'nobody' } });
  assert.equal(response?.status, 404);
  assert(error && 'error' in error, 'an error has a text');
  return 'yes';
}

async function tooMany(): Promise<How> {
  for (let i = 0; i < attempts; i++) {
    const { response } = await listModels({ query: { type: 'llm' }, auth: setting('PARLEY_LIMITED_KEY') });
    if (response?.status === 429) {
      assert(Number(response.headers.get('Retry-After')) > 0);
      return 'yes';
    }
  }
  assert.fail('nothing was refused');
}

// An operation that takes JSON or a form gets a JSON method only, so the form is sent with the generated client and its serializer.
async function upload(): Promise<How> {
  const body: ProjectCreationForm = { project_name: 'Harbour', file: new File(['Dogs are welcome on deck.'], 'dogs.txt', { type: 'text/plain' }) };
  const { data, response } = await client.post<{ 201: ProjectAnswer }, unknown, true>({
    ...formDataBodySerializer,
    url: '/api/v1/projects',
    body,
    headers: { 'Content-Type': null },
    security: [{ scheme: 'bearer', type: 'http' }],
    throwOnError: true,
  });
  assert.equal(response.status, 201);
  const read = await listProjectPages({ path: { project_id: data.data.id }, throwOnError: true });
  assert.deepEqual(read.data.data.pages.data.map(({ filename }) => filename), ['dogs.txt']);
  return 'hand';
}

pass({ agent, conversation, stream, pages, 401: unauthorized, 402: poor, 404: missing, 429: tooMany, upload });
