/**
 * Happy eyeballs (RFC 8305): which of a name's addresses answers first.
 *
 * Attempts start one after the other, a little apart, and the next starts at once where one fails. No attempt is ended
 * because another has begun - a slow network needs its time - but the first that succeeds ends all others.
 */

/** A host's address. */
export interface Address {
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/** What an attempt reports. Each attempt ends in one of `won` and `failed`, unless it is cancelled. */
export interface AttemptEvents<Result, Failure> {
  /** The peer answers; what remains (TLS) usually works out, so others need not hurry any more. */
  answered(): void;
  won(result: Result): void;
  failed(failure: Failure): void;
}

/** Begins an attempt, and gives the way to cancel it. Reports later, never inline. */
export type BeginAttempt<Result, Failure> = (address: string, events: AttemptEvents<Result, Failure>) => () => void;

/** How the race ended. */
export interface RaceEvents<Result, Failure> {
  won(result: Result): void;
  /** One failure for each address, in the order of the attempts. */
  lost(failures: readonly Failure[]): void;
}

/** "Connection Attempt Delay", RFC 8305 section 5. */
export const attemptDelay = 250;
/** The delay once a peer has answered. */
export const answeredDelay = 3_000;

/** Starts the race, and gives the way to cancel it: all attempts end, and nothing is reported. */
export function raceAddresses<Result, Failure>(
  addresses: readonly Address[],
  begin: BeginAttempt<Result, Failure>,
  race: RaceEvents<Result, Failure>,
): () => void {
  const order = interleave(addresses);
  const running = new Map<number, () => void>();
  const failures: Failure[] = [];
  let next = 0;
  let timer: NodeJS.Timeout | undefined;

  function beginNext(): void {
    clearTimeout(timer);
    const index = next;
    const address = order[index];
    if (address === undefined) {
      if (running.size === 0) race.lost(failures);
      return;
    }
    next += 1;
    timer = setTimeout(beginAnother, attemptDelay);
    running.set(index, begin(address.address, attemptEvents(index)));
  }

  function beginAnother(): void {
    if (next < order.length) beginNext();
  }

  function attemptEvents(index: number): AttemptEvents<Result, Failure> {
    return {
      answered: () => {
        clearTimeout(timer);
        timer = setTimeout(beginAnother, answeredDelay);
      },
      won: (result) => {
        running.delete(index);
        cancel();
        race.won(result);
      },
      failed: (failure) => {
        running.delete(index);
        failures[index] = failure;
        beginNext();
      },
    };
  }

  function cancel(): void {
    clearTimeout(timer);
    next = order.length;
    for (const cancelAttempt of running.values()) cancelAttempt();
    running.clear();
  }

  beginNext();
  return cancel;
}

/** Both families take turns, beginning with the family that the resolver put first (RFC 8305 section 4). */
export function interleave(addresses: readonly Address[]): readonly Address[] {
  const preferred = addresses[0]?.family;
  const first = addresses.filter((address) => address.family === preferred);
  const second = addresses.filter((address) => address.family !== preferred);
  const order: Address[] = [];
  for (let index = 0; index < Math.max(first.length, second.length); index += 1) {
    order.push(...first.slice(index, index + 1), ...second.slice(index, index + 1));
  }
  return order;
}
