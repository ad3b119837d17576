/** The messages that the benchmark moves: what both sides know of them, and how each knows the other's. */

/** What a message looks like. */
export interface Shape {
  /** Bytes of the body. */
  readonly size: number;
  /** Whether it has properties, a table of headers among them. */
  readonly rich: boolean;
}

/** Messages come in cycles of this many different bodies, in order. */
export const cycle = 16;

/** Every so many messages the whole body is compared, else its size, its first and its last byte. */
const wholeBodyEvery = 256;

export const exchange = "bench";
export const routingKey = "sink";
/** What is published to this key comes back to whoever consumes from `replyQueue`, on the null broker. */
export const echoKey = "echo";
export const replyQueue = "amq.rabbitmq.reply-to";

/** Five properties, with a table of three headers. */
export const richProperties = {
  contentType: "application/vnd.bench",
  headers: { tenant: "acme", attempt: 3, traced: true },
  deliveryMode: 2,
  correlationId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  /** Seconds since 1970. */
  timestamp: 1_700_000_000,
} as const;

/** The bodies of each size, made once: filling 16 MiB costs as much as receiving a hundred messages of one. */
const made = new Map<number, readonly Buffer[]>();

/** The bodies of a cycle, which nobody writes to. Their first and last byte tell which one they are. */
export function bodiesOf(size: number): readonly Buffer[] {
  const known = made.get(size);
  if (known !== undefined) return known;
  const bodies = Array.from({ length: cycle }, (_, index) => {
    const body = Buffer.alloc(size);
    for (let at = 0; at < size; at += 1) body[at] = (at * 7) & 0xff;
    body[0] = index;
    body[size - 1] = index;
    return body;
  });
  made.set(size, bodies);
  return bodies;
}

/** Tells whether messages arrive complete, in order and unharmed. */
export class Inspector {
  readonly #bodies: readonly Buffer[];
  readonly #size: number;
  /** Messages that were inspected. */
  count = 0;

  constructor(size: number) {
    this.#size = size;
    this.#bodies = bodiesOf(size);
  }

  /** @throws Error when it is not the body that is next. */
  inspect(body: Uint8Array): void {
    const index = this.count & (cycle - 1);
    if (body.length !== this.#size || body[0] !== index || body[this.#size - 1] !== index) this.#refuse(body);
    if (this.count % wholeBodyEvery === 0 && !this.#bodies[index]!.equals(body)) this.#refuse(body);
    this.count += 1;
  }

  #refuse(body: Uint8Array): never {
    throw new Error(`message ${this.count} is not the one that was sent: ${body.length} bytes, first ${body[0]}`);
  }
}

/** The queue that the null broker delivers `count` messages from, to as many consumers in turn. */
export function deliveryQueue(shape: Shape, count: number, consumers = 1): string {
  return `deliver.${shape.size}.${shape.rich ? "rich" : "bare"}.${count}.${consumers}`;
}

/** The queue that the null broker never runs out of messages of, for `basic.get`. */
export function getQueue(shape: Shape): string {
  return `get.${shape.size}.${shape.rich ? "rich" : "bare"}.0.1`;
}

/** What the name of such a queue says; `undefined` for other names. */
export function parseQueue(name: string): { shape: Shape; count: number; consumers: number } | undefined {
  const [, size, properties, count, consumers] = /^(?:deliver|get)\.(\d+)\.(rich|bare)\.(\d+)\.(\d+)$/.exec(name) ?? [];
  if (size === undefined) return undefined;
  return {
    shape: { size: Number(size), rich: properties === "rich" },
    count: Number(count),
    consumers: Number(consumers),
  };
}
