/** What conversations begin with. */

import type { Talk, WireConnection } from "../conversation.ts";

/** The octets of a text. */
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A connection with channel 1. */
export async function withChannel(talk: Talk): Promise<WireConnection> {
  const a = await talk.connect();
  await a.open(1);
  return a;
}

/** A connection with channel 1, and a queue of its own with messages `1` to `count`. */
export async function withMessages(talk: Talk, queue: string, count: number): Promise<WireConnection> {
  const a = await withChannel(talk);
  await a.call(1, "queue.declare", { queue, exclusive: true });
  for (let body = 1; body <= count; body += 1) a.publish(1, { routingKey: queue, body: String(body) });
  await talk.settle();
  return a;
}
