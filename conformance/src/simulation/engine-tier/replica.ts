/**
 * What went into an engine, to be given to a second one in other pieces: the same bytes in any chunking must give the
 * same events and the same output.
 */

import {
  type ConnectionConfig,
  ConnectionEngine,
  type ConnectionEvent,
  type Content,
  ProtocolError,
} from "@leveret/core";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis } from "../world.ts";

type Input =
  | { readonly type: "bytes"; readonly bytes: Uint8Array; readonly now: Millis }
  | { readonly type: "command"; readonly command: (engine: ConnectionEngine) => void }
  | { readonly type: "take" };

/** Records the life of an engine. */
export class Recording {
  readonly #config: ConnectionConfig;
  readonly #began: Millis;
  readonly #inputs: Input[] = [];
  #events = "";
  readonly #output: number[] = [];

  constructor(config: ConnectionConfig, began: Millis) {
    this.#config = config;
    this.#began = began;
  }

  bytes(bytes: Uint8Array, now: Millis): void {
    this.#inputs.push({ type: "bytes", bytes: bytes.slice(), now });
  }

  command(command: (engine: ConnectionEngine) => void): void {
    this.#inputs.push({ type: "command", command });
  }

  event(event: ConnectionEvent): void {
    this.#events += `${describe(event)}\n`;
  }

  /** Output was taken. When it is taken makes a difference: no heartbeat is due while other output waits. */
  output(segments: readonly Uint8Array[]): void {
    this.#inputs.push({ type: "take" });
    for (const segment of segments) for (const octet of segment) this.#output.push(octet);
  }

  /** Plays everything to a second engine, with the bytes cut anew, and compares what it does. */
  check(random: Random): void {
    const engine = new ConnectionEngine(this.#config, this.#began);
    let events = "";
    const output: number[] = [];
    const drain = (): void => {
      for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent())
        events += `${describe(event)}\n`;
    };
    const take = (): void => {
      for (const segment of engine.takeOutput()) for (const octet of segment) output.push(octet);
    };
    for (const input of this.#inputs) {
      if (input.type === "bytes") receiveInPieces(engine, input.bytes, input.now, random, drain);
      else if (input.type === "command") input.command(engine);
      else take();
      drain();
    }
    invariant(events === this.#events, "the same bytes give the same events", () =>
      firstDifference(this.#events, events),
    );
    invariant(output.join() === this.#output.join(), "the same bytes give the same output", () =>
      firstDifferentOctet(this.#output, output),
    );
  }
}

const longestPiece = 40;

function receiveInPieces(
  engine: ConnectionEngine,
  bytes: Uint8Array,
  now: Millis,
  random: Random,
  drain: () => void,
): void {
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + random.int(1, longestPiece));
    engine.receive(bytes.subarray(start, end), now);
    drain();
    start = end;
  }
}

/** An event as text. What an event refers to by identity is told by what can be seen of it. */
function describe(event: ConnectionEvent): string {
  return JSON.stringify(event, (key, value: unknown) => {
    if (value instanceof Error) return `${value.name} ${value.message}`;
    if (value instanceof Uint8Array) return [...value].join(".");
    if (typeof value === "bigint") return `${value}n`;
    if (key === "content") {
      const content = value as Content;
      return { body: content.body, properties: propertiesOf(content) };
    }
    return value;
  });
}

/** Properties are decoded when somebody looks; those of a connection that was tampered with may not be decodable. */
function propertiesOf(content: Content): unknown {
  try {
    return content.properties;
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
}

function firstDifferentOctet(expected: readonly number[], actual: readonly number[]): string {
  const at = expected.findIndex((octet, index) => octet !== actual[index]);
  const around = (octets: readonly number[]) => octets.slice(Math.max(0, at - 8), at + 32).join(" ");
  return `${expected.length} octets became ${actual.length}; at ${at}: ${around(expected)} became ${around(actual)}`;
}

function firstDifference(expected: string, actual: string): string {
  const [a, b] = [expected.split("\n"), actual.split("\n")];
  const line = a.findIndex((text, index) => text !== b[index]);
  return `event ${line}: ${a[line]} became ${b[line]}`;
}
