/** Frames as lines of text that two brokers can be compared by. */

import {
  type BasicProperties,
  decodeContentHeader,
  decodeMethod,
  decodeProperties,
  FrameReader,
  frameType,
  type Method,
  type MethodName,
  methods,
} from "@leveret/core/wire";

/** What was received: a line, and whether its place among the others means anything. */
export interface Line {
  readonly text: string;
  /** The consumer that it is for: such lines come when they like, and are in order only among themselves. */
  readonly consumer: string | undefined;
}

const names = new Map<number, MethodName>();
for (const [name, { id }] of Object.entries(methods)) names.set(id, name as MethodName);

/** Whom a method of the server is for, if it comes by itself. */
function consumerOf({ name, fields }: Method): string | undefined {
  return name === "basic.deliver" || name === "basic.cancel" ? fields.consumerTag : undefined;
}

interface PendingContent {
  readonly method: Method;
  properties: BasicProperties;
  left: number;
  body: number[];
}

/** Reads what a broker sends on one connection, and makes lines of it. */
export class Transcriber {
  readonly #reader = new FrameReader(0);
  readonly #contents = new Map<number, PendingContent>();
  readonly #confirms = new Map<number, ConfirmLog>();
  readonly #lines: Line[] = [];
  readonly #isRaw: boolean;
  #header: number[] | undefined = [];
  #frames = 0;

  /** @param options - `isRaw`: everything in the order in which it came, confirms as they are. */
  constructor(options: { readonly isRaw?: boolean } = {}) {
    this.#isRaw = options.isRaw ?? false;
  }

  /** Frames that were received, heartbeats aside. */
  get frames(): number {
    return this.#frames;
  }

  receive(bytes: Uint8Array): void {
    // A broker that speaks something else answers with a protocol header in place of a frame.
    if (this.#header !== undefined) {
      this.#header.push(...bytes);
      if (this.#header.length < 8) return;
      const octets = Uint8Array.from(this.#header);
      this.#header = undefined;
      if (octets[0] === 0x41) {
        this.#frames += 1;
        this.#add(`AMQP ${[...octets.subarray(4, 8)].join(" ")}`);
        return;
      }
      this.#read(octets);
      return;
    }
    this.#read(new Uint8Array(bytes));
  }

  ended(): void {
    this.#frames += 1;
    this.#add("EOF");
  }

  /** A publish was sent on a channel in confirm mode. */
  published(channel: number): void {
    this.#confirms.get(channel)?.published();
  }

  /** Takes the lines so far: replies in their order, then what is not tied to them, then confirms. */
  take(): string[] {
    const lines = this.#lines.splice(0);
    if (this.#isRaw) return lines.map(({ text }) => text);
    const confirms = [...this.#confirms].flatMap(([channel, log]) => log.take(channel));
    const replies = lines.filter(({ consumer }) => consumer === undefined);
    const others = lines.filter(({ consumer }) => consumer !== undefined);
    others.sort((left, right) => (left.consumer ?? "").localeCompare(right.consumer ?? ""));
    return [...replies, ...others].map(({ text }) => text).concat(confirms);
  }

  #add(text: string, consumer?: string): void {
    this.#lines.push({ text, consumer });
  }

  #read(bytes: Uint8Array): void {
    this.#reader.append(bytes);
    while (this.#reader.next()) {
      const { type, channel, start, end } = this.#reader;
      const payload = this.#reader.bytes;
      if (type === frameType.method) this.#method(channel, decodeMethod(payload, start, end));
      else if (type === frameType.header) this.#contentHeader(channel, payload, start, end);
      else if (type === frameType.body) this.#contentBody(channel, payload.subarray(start, end));
    }
    this.#reader.detach();
  }

  #method(channel: number, method: Method): void {
    this.#frames += 1;
    if (method.name === "confirm.select-ok") {
      if (!this.#confirms.has(channel)) this.#confirms.set(channel, new ConfirmLog());
    }
    if (method.name === "channel.open-ok") this.#confirms.delete(channel);
    if (!this.#isRaw && (method.name === "basic.ack" || method.name === "basic.nack")) {
      const { deliveryTag, multiple } = method.fields;
      this.#confirms.get(channel)?.settled(method.name === "basic.ack" ? "ack" : "nack", deliveryTag, multiple);
      return;
    }
    if ("content" in methods[method.name]) {
      this.#contents.set(channel, { method, properties: {}, left: 0, body: [] });
      return;
    }
    this.#add(`${channel} ${describeMethod(method, this.#isRaw)}`, consumerOf(method));
  }

  #contentHeader(channel: number, payload: Uint8Array, start: number, end: number): void {
    const content = this.#contents.get(channel);
    if (content === undefined) throw new Error(`A content header on channel ${channel} without a method`);
    const header = decodeContentHeader(payload, start, end);
    content.left = header.bodySize;
    content.properties = decodeProperties(payload, header.propertiesStart, end);
    if (content.left === 0) this.#complete(channel, content);
  }

  #contentBody(channel: number, piece: Uint8Array): void {
    const content = this.#contents.get(channel);
    // The last piece of a frame may be nothing but its end.
    if (content === undefined && piece.length === 0) return;
    if (content === undefined) throw new Error(`A content body on channel ${channel} without a method`);
    content.body.push(...piece);
    content.left -= piece.length;
    if (content.left === 0) this.#complete(channel, content);
  }

  #complete(channel: number, { method, properties, body }: PendingContent): void {
    this.#contents.delete(channel);
    const text = new TextDecoder().decode(Uint8Array.from(body));
    const shown = text.length > 40 ? `${text.length} characters` : JSON.stringify(text);
    const line = `${channel} ${describeMethod(method, this.#isRaw)} ${describeValue(properties)} ${shown}`;
    this.#add(line, consumerOf(method));
  }
}

/** Which publishes were settled how: how they are put together is up to the broker. */
class ConfirmLog {
  readonly #open = new Set<number>();
  #settled: { readonly outcome: "ack" | "nack"; readonly sequence: number }[] = [];
  #next = 1;

  published(): void {
    this.#open.add(this.#next);
    this.#next += 1;
  }

  settled(outcome: "ack" | "nack", tag: number, multiple: boolean): void {
    const sequences = multiple ? [...this.#open].filter((sequence) => sequence <= tag) : [tag];
    for (const sequence of sequences) {
      if (!this.#open.delete(sequence)) this.#settled.push({ outcome, sequence: -sequence });
      else this.#settled.push({ outcome, sequence });
    }
  }

  take(channel: number): string[] {
    const settled = this.#settled.sort((left, right) => left.sequence - right.sequence);
    this.#settled = [];
    return (["ack", "nack"] as const).flatMap((outcome) => {
      const sequences = settled.filter((entry) => entry.outcome === outcome).map(({ sequence }) => sequence);
      return sequences.length === 0 ? [] : [`${channel} confirmed by ${outcome}: ${sequences.join(" ")}`];
    });
  }
}

/** A method and its fields. */
function describeMethod({ name, fields }: Method, withDeliveryTags = true): string {
  if (name === "connection.close" || name === "channel.close") {
    const { replyCode, replyText, classId, methodId } = fields;
    const blamed = names.get(classId * 65_536 + methodId) ?? `${classId},${methodId}`;
    return `${name} ${replyCode} ${scrub(JSON.stringify(replyText))} (${blamed})`;
  }
  // Delivery tags tell in which order queues were served, which is up to them.
  const telling = Object.entries(fields).filter(
    ([field]) => withDeliveryTags || name !== "basic.deliver" || field !== "deliveryTag",
  );
  const shown = telling.map(([field, value]) => `${field}=${describeValue(value)}`);
  return [name, ...shown].join(" ");
}

function describeValue(value: unknown): string {
  return scrub(
    JSON.stringify(value, (key, inner: unknown) => {
      if (key === "time" || key === "timestamp") return "TIME";
      if (typeof inner === "bigint") return `${inner}n`;
      if (isPlainTable(inner)) return sorted(inner);
      return inner;
    }),
  );
}

function isPlainTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The order of headers differs between versions. */
function sorted(table: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** Takes out what is random. */
function scrub(text: string): string {
  return text
    .replace(/amq\.rabbitmq\.reply-to\.[^"']+/g, "amq.rabbitmq.reply-to.*")
    .replace(/amq\.(gen|ctag)-[\w-]{22}/g, "amq.$1-*");
}
