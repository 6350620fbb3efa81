// The steps by openapi-typescript's types, with its own fetch client (openapi-fetch).
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from '../generated/openapi-typescript';
import { type How, attempts, nextCursor, pass, setting } from './steps';

type Event = components['schemas']['MessageStreamEvent'];

const baseUrl = setting('PARLEY_URL');
const withKey = (key: string) => createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const client = withKey(setting('PARLEY_KEY'));

const made = { agent: '', model: '', conversation: '' };

async function agent(): Promise<How> {
  const { data, response } = await client.POST('/api/v1/agents', { body: { name: 'Ada', personality_prompt: 'Brief' } });
  assert.equal(response.status, 201);
  made.agent = data!.id;
  return 'yes';
}

async function conversation(): Promise<How> {
  const models = await client.GET('/api/v1/models', { params: { query: { type: 'llm' } } });
  made.model = models.data?.[0]?.id ?? assert.fail('no language model is listed');
  const created = await client.POST('/api/v1/conversations', { body: { title: 'TypeScript', llm_id: made.model, agent_id: made.agent } });
  assert.equal(created.response.status, 201);
  made.conversation = created.data!.id;
  const answer = await client.POST('/api/v1/conversations/{conversation_id}/messages', {
    params: { path: { conversation_id: made.conversation } },
    body: { content: 'Hello from TypeScript' },
  });
  assert(answer.data && 'content' in answer.data && answer.data.role === 'agent', 'the answer is not a message');
  return 'yes';
}

// The client hands out the bytes of a stream; the events in them are typed by the document, and cut apart here.
async function stream(): Promise<How> {
  const { data, response } = await client.POST('/api/v1/conversations/{conversation_id}/messages', {
    params: { path: { conversation_id: made.conversation } },
    body: { content: 'Hello from a stream', stream: true },
    parseAs: 'stream',
  });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  let text = '';
  let whole = '';
  for await (const event of events(data ?? assert.fail('the stream has no body'))) {
    if (event.event === 'delta') text += event.data.content;
    if (event.event === 'message') whole = event.data.content;
  }
  assert(whole.includes('Hello from a stream') && text === whole, `the deltas are ${text}, the message is ${whole}`);
  return 'hand';
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const blocks = (buffer + decoder.decode(bytes, { stream: true })).split('\n\n');
    buffer = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      if (fields.has('data')) yield { event: fields.get('event'), data: JSON.parse(fields.get('data')!) } as Event;
    }
  }
}

async function pages(): Promise<How> {
  const begun = new Set<string>();
  for (const title of ['One', 'Two', 'Three']) {
    const { data } = await client.POST('/api/v1/conversations', { body: { title, llm_id: made.model } });
    begun.add(data!.id);
  }
  let cursor: string | undefined;
  do {
    const { data, response } = await client.GET('/api/v1/conversations', { params: { query: { limit: 2, cursor } } });
    assert(data && data.length <= 2);
    for (const { id } of data) begun.delete(id);
    cursor = nextCursor(response);
  } while (cursor);
  assert.equal(begun.size, 0);
  return 'yes';
}

async function unauthorized(): Promise<How> {
  const { error, response } = await withKey('nobody').GET('/api/v1/projects');
  assert.equal(response.status, 401);
  assert(error?.data.message, 'an error has a text');
  return 'yes';
}

async function poor(): Promise<How> {
  const body = { llm_id: made.model, messages: [{ role: 'user' as const, content: 'Hello' }] };
  const { error, response } = await withKey(setting('PARLEY_POOR_KEY')).POST('/api/v1/completions', { body });
  assert.equal(response.status, 402);
  assert(error?.error, 'an error has a text');
  return 'yes';
}

async function missing(): Promise<How> {
  const { error, response } = await client.GET('/api/v1/agents/{agent_id}', { params: { path: { agent_id: 'nobody' } } });
  assert.equal(response.status, 404);
  assert(error?.error, 'an error has a text');
  return 'yes';
}

async function tooMany(): Promise<How> {
  const limited = withKey(setting('PARLEY_LIMITED_KEY'));
  for (let i = 0; i < attempts; i++) {
    const { response } = await limited.GET('/api/v1/models', { params: { query: { type: 'llm' } } });
    if (response.status === 429) {
      assert(Number(response.headers.get('Retry-After')) > 0);
      return 'yes';
    }
  }
  assert.fail('nothing was refused');
}

// Bodies are JSON unless the caller serializes them, and bytes are typed as text.
async function upload(): Promise<How> {
  const form = new FormData();
  form.set('project_name', 'Harbour');
  form.set('file', new File(['Dogs are welcome on deck.'], 'dogs.txt', { type: 'text/plain' }));
  const { data, response } = await client.POST('/api/v1/projects', { body: { project_name: 'Harbour' }, bodySerializer: () => form });
  assert.equal(response.status, 201);
  const read = await client.GET('/api/v1/projects/{project_id}/pages', { params: { path: { project_id: data!.data.id } } });
  assert.deepEqual(read.data?.data.pages.data.map(({ filename }) => filename), ['dogs.txt']);
  return 'hand';
}

pass({ agent, conversation, stream, pages, 401: unauthorized, 402: poor, 404: missing, 429: tooMany, upload });
