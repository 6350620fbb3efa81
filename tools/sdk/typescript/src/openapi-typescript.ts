// A conversation and a stream by openapi-typescript's types, with its own fetch client (openapi-fetch).
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from '../generated/openapi-typescript';

const baseUrl = process.env.PARLEY_URL!;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${process.env.PARLEY_KEY}` } });

async function converse(): Promise<void> {
  const models = await client.GET('/api/v1/models', { params: { query: { type: 'llm' } } });
  const llm_id = models.data?.[0]?.id;
  assert(llm_id, 'no language model is listed');

  const created = await client.POST('/api/v1/conversations', { body: { title: 'TypeScript', llm_id } });
  assert.equal(created.response.status, 201);
  const conversation: components['schemas']['Conversation'] | undefined = created.data;
  assert.equal(conversation?.title, 'TypeScript');

  const path = { conversation_id: conversation.id };
  const answer = await client.POST('/api/v1/conversations/{conversation_id}/messages', {
    params: { path },
    body: { content: 'Hello from TypeScript' },
  });
  assert(answer.data && 'content' in answer.data, 'the answer is not a message');
  assert.equal(answer.data.role, 'agent');

  const messages = await client.GET('/api/v1/conversations/{conversation_id}/messages', { params: { path } });
  assert.deepEqual(messages.data?.map((m) => m.role), ['user', 'agent']);
  assert.equal(messages.data[1]?.id, answer.data.id);
}

async function refuse(): Promise<void> {
  const missing = await client.GET('/api/v1/agents/{agent_id}', { params: { path: { agent_id: 'nobody' } } });
  assert.equal(missing.response.status, 404);
  assert(missing.error?.error, 'an error has a text');
}

async function stream(): Promise<void> {
  const { data, response } = await client.POST('/api/v1/chat', {
    body: { message: 'Hello from TypeScript', stream: true },
    parseAs: 'stream',
  });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert(data, 'the stream has no body');
  const events = (await new Response(data).text()).trim().split('\n\n');
  assert(events.length > 2 && events.at(-1)?.startsWith('event: end\n'), 'the stream does not end with `end`');
}

converse().then(refuse).then(stream);
