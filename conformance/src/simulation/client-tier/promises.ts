/** The promises that a simulated application was given, and the errors that they may end with. */

import { AmqpError, ChannelError, ConnectionError, TransactionError, UsageError } from "@leveret/core/client";
import { invariant, InvariantViolation } from "../violation.ts";

/** The reply code and words of a close that the simulation orders. */
export const orderedCode = 311;
export const orderedText = "ordered by the simulation";

/** Whether the simulation closed the channel that this is about. */
export function wasOrdered(error: unknown): boolean {
  return error instanceof ChannelError && error.replyText === orderedText;
}

/** Reply codes that a channel may end with, unless it was ordered: a queue is not there. */
const expectedChannelCodes: readonly (number | undefined)[] = [404];

/** What may become of a call, whatever it was, when connection and channel are well: the ways out that callers have. */
const expectedCodes: ReadonlySet<string> = new Set([
  "NACKED",
  "UNROUTABLE",
  "TIMEOUT",
  "ABORTED",
  "FLUSH_FAILED",
  "CONSUMER_CANCELLED",
  // With recovery: a call did not wait for the connection, or what it was about did not come back.
  "NOT_CONNECTED",
  "CONSUMER_NOT_RECOVERED",
  "TRANSACTION_ABORTED",
  "COMMIT_UNKNOWN",
  // Named limits are small in some runs.
  "LIMIT_REACHED",
  // A call on something that is closing.
  "ILLEGAL_STATE",
]);

const connectionEnds: ReadonlySet<string> = new Set([
  "CONNECTION_LOST",
  "CONNECTION_CLOSED",
  "CONNECTION_CLOSED_BY_SERVER",
  "HEARTBEAT_TIMEOUT",
  "CLOSE_TIMEOUT",
  "REQUEST_TIMEOUT",
  "BLOCKED_TIMEOUT",
  "CONNECT_FAILED",
  "CONNECT_ABORTED",
]);

/** Thrown by handlers and listeners of the simulation, on purpose. */
export class OnPurpose extends Error {
  constructor() {
    super("on purpose");
    this.name = "OnPurpose";
  }
}

/** Who made a call: whether anything happened to the connection that explains its end. */
export interface Circumstances {
  /** Something happened to the connection that may end it. */
  readonly disturbed: boolean;
  /** Bits were changed on the way to the client: nothing that it hears can be believed any more. */
  readonly poisoned: boolean;
}

/** What a promise has to do with the server. */
export type PromiseKind =
  /** The server owes an answer, and gives it soon. */
  | "answer"
  /** It may wait for as long as the connection lives. */
  | "life";

interface Pending {
  readonly name: string;
  readonly kind: PromiseKind;
  readonly circumstances: Circumstances;
}

/** Every promise that is not settled. */
export class Promises {
  readonly #pending = new Set<Pending>();
  readonly #failures: unknown[] = [];
  made = 0;

  /** The names of promises that are not settled. */
  get pending(): readonly string[] {
    return [...this.#pending].map(({ name }) => name);
  }

  /** Those that the server owes an answer, though nothing has happened to their connection. */
  get overdue(): readonly string[] {
    const overdue = [...this.#pending].filter(
      ({ kind, circumstances }) => kind === "answer" && !circumstances.disturbed && !circumstances.poisoned,
    );
    return overdue.map(({ name }) => name);
  }

  /** What the callbacks of promises threw: rules that do not hold. */
  throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Keeps a violation for {@link throwFailure}: thrown where it is found, the client would contain it. */
  keep(failure: unknown): void {
    this.#failures.push(failure);
  }

  /** Runs what the client would contain an exception of. */
  guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof OnPurpose)) this.keep(error);
      throw error;
    }
  }

  /** Looks at what a call has thrown. */
  checkThrown(name: string, error: unknown, circumstances: Circumstances, failed: (error: AmqpError) => void): void {
    checkError(name, error, circumstances);
    failed(error as AmqpError);
  }

  /** Watches a call that was wrong: it says so. */
  expectUsageError(promise: Promise<unknown>): void {
    void promise.then(
      () => this.keep(new InvariantViolation("bad input is a UsageError", "it was taken")),
      (error: unknown) => {
        // Nothing at all can be added to a transaction that was lost.
        const isAborted = error instanceof TransactionError && error.code === "TRANSACTION_ABORTED";
        if (!(error instanceof UsageError) && !isAborted)
          this.keep(new InvariantViolation("bad input is a UsageError", String(error)));
      },
    );
  }

  /** Watches a promise. */
  watch<T>(
    name: string,
    promise: Promise<T>,
    circumstances: Circumstances,
    { kind = "answer", done, failed, expects }: WatchOptions<T> = {},
  ): void {
    this.made += 1;
    const pending: Pending = { name, kind, circumstances };
    this.#pending.add(pending);
    void promise
      .then(
        (value) => {
          this.#pending.delete(pending);
          done?.(value);
        },
        (error: unknown) => {
          this.#pending.delete(pending);
          if ((error as AmqpError).code !== expects) checkError(name, error, circumstances);
          failed?.(error as AmqpError);
        },
      )
      .catch((violation: unknown) => this.keep(violation));
  }
}

/** What to do when a promise is settled. */
export interface WatchOptions<T> {
  readonly kind?: PromiseKind;
  readonly done?: (value: T) => void;
  readonly failed?: (error: AmqpError) => void;
  /** The code of a failure that is this call's own, and no surprise. */
  readonly expects?: AmqpError["code"] | undefined;
}

/** An error is of the client's own hierarchy, and its reason is one that was given. */
function checkError(name: string, error: unknown, { disturbed, poisoned }: Circumstances): void {
  const words = (): string => `${name}: ${describe(error)}`;
  invariant(error instanceof AmqpError, "errors are the client's own", words);
  if (poisoned) return;
  if (error instanceof ConnectionError) {
    invariant(connectionEnds.has(error.code), "a connection ends for a reason that was given", words);
    const forced = [undefined, 320].includes(error.replyCode) || error.replyText === orderedText;
    invariant(forced, "the server finds nothing wrong", words);
    invariant(
      disturbed || error.code === "CONNECTION_CLOSED",
      "a connection lives until something happens to it",
      words,
    );
  } else if (error instanceof ChannelError) {
    if (error.code === "CHANNEL_CLOSED") return;
    invariant(error.code !== "REQUEST_TIMEOUT" || disturbed, "a request is answered in time", words);
    if (error.code !== "CHANNEL_CLOSED_BY_SERVER") return;
    const expected = expectedChannelCodes.includes(error.replyCode) || error.replyText === orderedText;
    invariant(expected, "the server finds nothing wrong", words);
  } else {
    invariant(expectedCodes.has(error.code), "a call fails for a reason that it knows", words);
  }
}

function describe(error: unknown): string {
  if (error instanceof AmqpError) return `${error.name} ${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
