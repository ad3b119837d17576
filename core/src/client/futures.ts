/**
 * Promises whose ends are held by somebody else.
 *
 * An error that is made when a reply fails to come has a stack of the event loop, which tells nobody anything; a stack
 * kept from every call would cost more than the call. So a failing promise is resolved with a second one, whose error
 * is made inside a promise reaction: engines with async stack traces (V8) then add the frames of whoever awaits.
 */

/** Settles a promise: with a value, or with a promise that it follows. */
export type Resolve<T> = (value: T | PromiseLike<T>) => void;

/** The function of the promise that was made last. One executor for all of them: no closure per promise. */
let grabbed: unknown;
const grab = (resolve: unknown): void => {
  grabbed = resolve;
};

/** A promise, and the function that settles it. */
export class Future<T> {
  readonly promise: Promise<T>;
  readonly resolve: Resolve<T>;
  #failed = false;

  constructor() {
    this.promise = new Promise<T>(grab);
    this.resolve = grabbed as Resolve<T>;
  }

  /** Rejects the promise with the error that `makeError` makes. Not to be called after `resolve`: nobody would handle the error. */
  fail(makeError: () => Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.resolve(rejection(makeError));
  }
}

/** What happens once, and few wait for: the promise is made when it is asked for. */
export class Milestone<T> {
  #future: Future<T> | undefined;
  #reached: { readonly value: T } | undefined;

  get promise(): Promise<T> {
    if (this.#future === undefined) {
      this.#future = new Future<T>();
      if (this.#reached !== undefined) this.#future.resolve(this.#reached.value);
    }
    return this.#future.promise;
  }

  /** It has happened. Counts once. */
  reach(value: T): void {
    if (this.#reached !== undefined) return;
    this.#reached = { value };
    this.#future?.resolve(value);
  }
}

/** A promise that is resolved for good. What was handed over at once shares it. */
export const done: Promise<void> = Promise.resolve();

const pass = (): void => {};

/** A promise that soon rejects with an error that names those who await it. */
export function rejection(makeError: () => Error): Promise<never> {
  // Two turns first: by then whoever was resolved with this promise follows it, and can be found.
  return done
    .then(pass)
    .then(pass)
    .then(() => {
      throw makeError();
    });
}

/** Calls `aborted` once when the signal aborts, if there is one; the returned function ends that. */
export function onAbort(signal: AbortSignal | undefined, aborted: (reason: unknown) => void): () => void {
  const listener = (): void => aborted(signal?.reason);
  signal?.addEventListener("abort", listener, { once: true });
  return () => signal?.removeEventListener("abort", listener);
}

/** What a promise comes to, unless the signal aborts first: then the error that `makeError` makes at once of its reason. */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  makeError: (reason: unknown) => Error,
): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = new Future<never>();
  const stopListening = onAbort(signal, (reason) => {
    const error = makeError(reason);
    aborted.fail(() => error);
  });
  return Promise.race([promise, aborted.promise]).finally(stopListening);
}

/** Whether a value is a promise, of whatever library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    typeof value === "object" &&
    "then" in value &&
    typeof (value as { then: unknown }).then === "function"
  );
}
