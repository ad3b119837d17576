/** Calls that wait for their turn, and whose callers may give up until then. */

import { AbortError } from "./errors.ts";
import { Future, onAbort } from "./futures.ts";

/**
 * Makes a call in its turn.
 *
 * @param queue - Calls what it is given, once, when the turn has come; what it returns gives up the place in the queue.
 * @param call - Not made when the signal aborts before: then nothing was sent. Afterwards the signal is the call's own.
 */
export function inTurn<T>(
  queue: (go: () => void) => () => void,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted === true) return call();
  const result = new Future<T>();
  let leave: (() => void) | undefined;
  const stopListening = onAbort(signal, (reason) => {
    leave?.();
    result.fail(() => new AbortError(reason, "not-sent"));
  });
  leave = queue(() => {
    stopListening();
    result.resolve(call());
  });
  return result.promise;
}
