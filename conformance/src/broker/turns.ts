/** What happens after a thing has happened: queues deliver, dead letters travel, confirms are put together. */

import type { Channel } from "./channel/channel.ts";
import { Deque } from "./lib/deque.ts";
import type { Queue } from "./queues/queue.ts";

/**
 * Work that is put off to the end of a step or of a turn.
 *
 * A step is one frame: its effects are complete before the next frame is read, so that a reply comes before what
 * follows from it. A turn is everything that one call of the driver brings: a chunk of many frames, or a deadline.
 */
export class Turns {
  readonly #tasks = new Deque<() => void>();
  readonly #queues = new Set<Queue>();
  readonly #channels = new Set<Channel>();
  #isRunning = false;

  defer(task: () => void): void {
    this.#tasks.push(task);
  }

  /** Asks for {@link Queue.pump}. */
  schedule(queue: Queue): void {
    this.#queues.add(queue);
  }

  /** Asks for {@link Channel.endTurn}. */
  atEnd(channel: Channel): void {
    this.#channels.add(channel);
  }

  /** Runs a turn. A turn inside a turn is a part of it. */
  run(task: () => void): void {
    if (this.#isRunning) return task();
    this.#isRunning = true;
    try {
      task();
      this.settle();
      for (const channel of this.#channels) {
        this.#channels.delete(channel);
        channel.endTurn();
        this.settle();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** Does what is put off to the end of a step. */
  settle(): void {
    while (this.#tasks.length > 0 || this.#queues.size > 0) {
      for (let task = this.#tasks.take(); task !== undefined; task = this.#tasks.take()) task();
      for (const queue of this.#queues) {
        this.#queues.delete(queue);
        queue.pump();
      }
    }
  }
}
