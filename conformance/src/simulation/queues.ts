/** The queues of a simulated world: who declares which, and whether they are there. */

import type { FieldTable } from "@leveret/core/wire";
import type { Graves } from "./ledger.ts";
import type { Random } from "./random.ts";

/** What is known of a queue. Unknown after an operation that was not answered, or that an operator did. */
export type QueueState = "absent" | "present" | "unknown";

/** What a client declares and deletes, and everybody uses. One operation on it is under way at a time. */
export interface Owned {
  readonly name: string;
  state: QueueState;
  busy: boolean;
  /** An operator deleted it while its owner's operation was under way. */
  disturbed: boolean;
}

/** A queue. */
export interface OwnedQueue extends Owned {
  readonly arguments: FieldTable;
  /** Where its dead letters go, if they do. */
  readonly graveyard: OwnedQueue | undefined;
  /** It takes dead letters, and nothing else. It is never deleted or purged. */
  readonly isGraveyard: boolean;
}

/** All queues, by their owners. */
export class Queues {
  readonly #owned: readonly (readonly OwnedQueue[])[];
  readonly #all: readonly OwnedQueue[];

  /** @param random - Where some queues have dead letters. */
  constructor(clients: number, random?: Random) {
    this.#owned = Array.from({ length: clients }, (_, client) => queuesOf(client, random));
    this.#all = this.#owned.flat();
  }

  get all(): readonly OwnedQueue[] {
    return this.#all;
  }

  ownedBy(client: number): readonly OwnedQueue[] {
    return this.#owned[client] ?? [];
  }

  /** Where dead letters go, and for what reasons. */
  get graves(): Graves {
    const graves = new Map<string, { queue: string; reasons: ReadonlySet<string> }>();
    for (const { name, graveyard, arguments: table } of this.#all) {
      if (graveyard === undefined) continue;
      const reasons = new Set(["rejected"]);
      if ("x-message-ttl" in table) reasons.add("expired");
      if ("x-max-length" in table) reasons.add("maxlen");
      graves.set(name, { queue: graveyard.name, reasons });
    }
    return graves;
  }
}

function queuesOf(client: number, random: Random | undefined): readonly OwnedQueue[] {
  const plain = queueOf(`q${client}-0`);
  if (random?.chance(0.5) !== true) return [plain, queueOf(`q${client}-1`)];
  const graveyard = queueOf(`dead${client}`, {}, undefined, true);
  return [plain, queueOf(`q${client}-1`, deadLetterArguments(graveyard, random), graveyard), graveyard];
}

function queueOf(name: string, table: FieldTable = {}, graveyard?: OwnedQueue, isGraveyard = false): OwnedQueue {
  return { name, arguments: table, graveyard, isGraveyard, state: "absent", busy: false, disturbed: false };
}

function deadLetterArguments({ name }: OwnedQueue, random: Random): FieldTable {
  const lifetime = random.pick([undefined, undefined, 200, 5_000] as const);
  const length = random.pick([undefined, undefined, 3, 20] as const);
  return {
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": name,
    ...(lifetime !== undefined && { "x-message-ttl": lifetime }),
    ...(length !== undefined && {
      "x-max-length": length,
      "x-overflow": random.pick(["drop-head", "reject-publish-dlx"] as const),
    }),
  };
}
