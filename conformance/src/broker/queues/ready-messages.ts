/** The messages of a queue that wait for a consumer, in the order in which they leave. */

import { Deque } from "../lib/deque.ts";
import { Heap } from "../lib/heap.ts";
import { type QueueEntry, sizeOf } from "./entry.ts";

/** A line of messages. */
interface Line {
  readonly length: number;
  push(entry: QueueEntry): void;
  /** Takes back an entry that was taken. */
  putBack(entry: QueueEntry): void;
  peek(): QueueEntry | undefined;
  take(): QueueEntry | undefined;
  [Symbol.iterator](): Iterator<QueueEntry>;
}

/** A line of a classic queue: what comes back takes its old place. */
class ClassicLine implements Line {
  readonly #fresh = new Deque<QueueEntry>();
  /** What came back. All positions of the fresh ones ascend, so the smaller of two heads is the first of all. */
  readonly #returned = new Heap<QueueEntry>((entry) => entry.position);

  get length(): number {
    return this.#fresh.length + this.#returned.length;
  }

  push(entry: QueueEntry): void {
    this.#fresh.push(entry);
  }

  putBack(entry: QueueEntry): void {
    this.#returned.push(entry);
  }

  peek(): QueueEntry | undefined {
    const returned = this.#returned.peek();
    const fresh = this.#fresh.peek();
    if (returned === undefined) return fresh;
    return fresh === undefined || returned.position < fresh.position ? returned : fresh;
  }

  take(): QueueEntry | undefined {
    const first = this.peek();
    if (first === undefined) return undefined;
    return first === this.#returned.peek() ? this.#returned.take() : this.#fresh.take();
  }

  *[Symbol.iterator](): Generator<QueueEntry, void, undefined> {
    const returned = [...this.#returned].sort((left, right) => left.position - right.position);
    let next = 0;
    for (const fresh of this.#fresh) {
      for (; (returned[next]?.position ?? Number.POSITIVE_INFINITY) < fresh.position; next += 1) {
        yield returned[next] as QueueEntry;
      }
      yield fresh;
    }
    yield* returned.slice(next);
  }
}

/** A line of a quorum queue: what comes back leaves first, in the order in which it came back. */
class QuorumLine implements Line {
  readonly #fresh = new Deque<QueueEntry>();
  readonly #returned = new Deque<QueueEntry>();

  get length(): number {
    return this.#fresh.length + this.#returned.length;
  }

  push(entry: QueueEntry): void {
    this.#fresh.push(entry);
  }

  putBack(entry: QueueEntry): void {
    this.#returned.push(entry);
  }

  peek(): QueueEntry | undefined {
    return this.#returned.peek() ?? this.#fresh.peek();
  }

  take(): QueueEntry | undefined {
    return this.#returned.take() ?? this.#fresh.take();
  }

  *[Symbol.iterator](): Generator<QueueEntry, void, undefined> {
    yield* this.#returned;
    yield* this.#fresh;
  }
}

/** Which of several lines comes next. */
export interface Lanes {
  /** The number of lines. */
  readonly count: number;
  /** The line of a message. A higher one goes first. */
  laneOf(priority: number): number;
  /** After so many messages of a higher line, a lower one has its turn; `undefined`: never while the higher has any. */
  readonly turns: number | undefined;
  /** What comes back to a quorum queue goes before all lines, and not only before its own. */
  readonly returnsFirst: boolean;
}

/** One line for all. */
export const oneLane: Lanes = { count: 1, laneOf: () => 0, turns: undefined, returnsFirst: false };

/** A classic queue with `x-max-priority`. */
export function priorityLanes(maxPriority: number): Lanes {
  const laneOf = (priority: number): number => Math.min(priority, maxPriority);
  return { count: maxPriority + 1, laneOf, turns: undefined, returnsFirst: false };
}

/** A quorum queue of RabbitMQ 4.0: priorities above 4 are high, and two of them go for one of the others. */
export const quorumTwoLanes: Lanes = {
  count: 2,
  laneOf: (priority) => (priority > 4 ? 1 : 0),
  turns: 2,
  returnsFirst: true,
};

/** A quorum queue of RabbitMQ 4.3: 32 levels, strictly. */
export const quorumStrictLanes: Lanes = {
  count: 32,
  laneOf: (priority) => Math.min(priority, 31),
  turns: undefined,
  returnsFirst: false,
};

/** All waiting messages of one queue. */
export class ReadyMessages {
  readonly #lanes: Lanes;
  readonly #lines: readonly Line[];
  /** The line before all others, where there is one. */
  readonly #first: Line | undefined;
  /** All of them, the first one in front, then from the highest to the lowest. */
  readonly #inOrder: readonly Line[];
  #length = 0;
  #bytes = 0;
  /** How many in a row were taken from the highest line. */
  #streak = 0;

  /** @param kind - How messages come back. */
  constructor(kind: "classic" | "quorum", lanes: Lanes) {
    this.#lanes = lanes;
    this.#lines = Array.from({ length: lanes.count }, () =>
      kind === "classic" ? new ClassicLine() : new QuorumLine(),
    );
    this.#first = kind === "quorum" && lanes.returnsFirst ? new QuorumLine() : undefined;
    this.#inOrder = [...(this.#first === undefined ? [] : [this.#first]), ...[...this.#lines].reverse()];
  }

  get length(): number {
    return this.#length;
  }

  /** The size of all bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  push(entry: QueueEntry): void {
    this.#lineOf(entry).push(entry);
    this.#length += 1;
    this.#bytes += sizeOf(entry);
  }

  putBack(entry: QueueEntry): void {
    (this.#first ?? this.#lineOf(entry)).putBack(entry);
    this.#length += 1;
    this.#bytes += sizeOf(entry);
  }

  /** Takes the message that is next. */
  take(): QueueEntry | undefined {
    const line = this.#nextLine();
    return line === undefined ? undefined : this.#takeFrom(line);
  }

  /** Takes a message that stands first in its line and whose time is up. */
  takeExpired(now: number): QueueEntry | undefined {
    for (const line of this.#inOrder) {
      const expiresAt = line.peek()?.expiresAt;
      if (expiresAt !== undefined && expiresAt <= now) return this.#takeFrom(line);
    }
    return undefined;
  }

  /** When the next message expires that stands first in its line. */
  nextExpiry(): number | undefined {
    let next: number | undefined;
    for (const line of this.#inOrder) {
      const expiresAt = line.peek()?.expiresAt;
      if (expiresAt !== undefined && (next === undefined || expiresAt < next)) next = expiresAt;
    }
    return next;
  }

  /** In the order in which they leave, the turns of lower lines aside. */
  *[Symbol.iterator](): Generator<QueueEntry, void, undefined> {
    for (const line of this.#inOrder) yield* line;
  }

  #lineOf(entry: QueueEntry): Line {
    return this.#lines[this.#lanes.laneOf(entry.message.priority)] as Line;
  }

  #nextLine(): Line | undefined {
    if (this.#first !== undefined && this.#first.length > 0) return this.#first;
    const { turns } = this.#lanes;
    let highest: Line | undefined;
    for (let lane = this.#lines.length - 1; lane >= 0; lane -= 1) {
      const line = this.#lines[lane] as Line;
      if (line.length === 0) continue;
      if (highest !== undefined) {
        this.#streak = 0;
        return line;
      }
      highest = line;
      if (turns === undefined) return line;
      if (this.#streak < turns) {
        this.#streak += 1;
        return line;
      }
    }
    return highest;
  }

  #takeFrom(line: Line): QueueEntry | undefined {
    const entry = line.take();
    if (entry === undefined) return undefined;
    this.#length -= 1;
    this.#bytes -= sizeOf(entry);
    return entry;
  }
}
