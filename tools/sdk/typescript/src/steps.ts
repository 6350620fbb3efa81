// What both programs share: the steps, in their order, and how each says that it passed.

/** Whether the generated code did it, or the program had to help it. */
export type How = 'yes' | 'hand';

export interface Steps {
  agent(): Promise<How>;
  conversation(): Promise<How>;
  stream(): Promise<How>;
  pages(): Promise<How>;
  401(): Promise<How>;
  402(): Promise<How>;
  404(): Promise<How>;
  429(): Promise<How>;
  upload(): Promise<How>;
}

const order = ['agent', 'conversation', 'stream', 'pages', 401, 402, 404, 429, 'upload'] as const;

export async function pass(steps: Steps): Promise<void> {
  for (const name of order) console.log(`step ${name} ${await steps[name]()}`);
}

export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** The cursor of the next page, from a Link header (RFC 8288). */
export function nextCursor(response: Response): string | undefined {
  const address = /<([^>]*)>; rel="next"/.exec(response.headers.get('Link') ?? '')?.[1];
  return address ? (new URL(address, response.url).searchParams.get('cursor') ?? undefined) : undefined;
}

/** The limited key may ask five times a minute, so one of these many requests is refused. */
export const attempts = 8;
