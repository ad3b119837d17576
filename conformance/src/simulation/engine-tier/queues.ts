/** The queues of a simulated world: who declares which, and whether they are there. */

/** What is known of a queue. Unknown after an operation that was not answered, or that an operator did. */
export type QueueState = "absent" | "present" | "unknown";

/** A queue that one client declares and deletes, and that everybody uses. One operation on it is under way at a time. */
export interface OwnedQueue {
  readonly name: string;
  state: QueueState;
  busy: boolean;
  /** An operator deleted it while its owner's operation was under way. */
  disturbed: boolean;
}

const queuesPerClient = 2;

/** All queues, by their owners. */
export class Queues {
  readonly #owned: readonly (readonly OwnedQueue[])[];
  readonly #all: readonly OwnedQueue[];

  constructor(clients: number) {
    this.#owned = Array.from({ length: clients }, (_, client) =>
      Array.from({ length: queuesPerClient }, (__, queue) => ({
        name: `q${client}-${queue}`,
        state: "absent" as const,
        busy: false,
        disturbed: false,
      })),
    );
    this.#all = this.#owned.flat();
  }

  get all(): readonly OwnedQueue[] {
    return this.#all;
  }

  ownedBy(client: number): readonly OwnedQueue[] {
    return this.#owned[client] ?? [];
  }
}
