/** Waiting for a condition by asking again. */

import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks until `ask` has an answer other than undefined.
 *
 * @param within milliseconds after which `late` is called for the error to throw.
 */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  { within, every = 25, late }: { within: number; every?: number; late: () => Error | Promise<Error> },
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw await late();
    await delay(every);
  }
}
