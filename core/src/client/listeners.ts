/** Listeners by name. They are the application's: an exception in one of them hurts neither the others nor the connection. */

import { LazyMap } from "../engine/lazy-map.ts";
import { isThenable } from "./futures.ts";

/** Takes what a listener or a handler of the application threw. */
export type Report = (error: unknown) => void;

/** Nobody is told. */
export const dropped: Report = () => {};

/**
 * Makes one tell of what functions of the application throw. What is thrown by whoever is told is dropped, at once or later:
 * to tell of that would never end.
 */
export function reporting(tell: (failure: { readonly error: unknown }) => void): Report {
  let isTelling = false;
  return (error) => {
    if (isTelling) return;
    isTelling = true;
    tell({ error });
    isTelling = false;
  };
}

type Listener<T> = (value: T) => unknown;

/** The listeners of one object. `Events` maps the name of an event to what its listeners are given. */
export class Listeners<Events> {
  readonly #listeners = new LazyMap<keyof Events, readonly Listener<never>[]>();
  /** Takes what a listener throws. */
  readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  /** Adds a listener; the returned function removes it. A listener that was added twice is called twice. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): () => void {
    const added: Listener<Events[Name]> = (value) => listener(value);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), added]);
    return () => {
      const others = this.#listeners.get(name)?.filter((other) => other !== added) ?? [];
      if (others.length > 0) this.#listeners.set(name, others);
      else this.#listeners.delete(name);
    };
  }

  has(name: keyof Events): boolean {
    return this.#listeners.has(name);
  }

  /** Calls the listeners of an event, in the order they were added. `report` takes what they throw, or reject with. */
  emit<Name extends keyof Events>(name: Name, value: Events[Name], report: Report = this.report): void {
    const listeners = this.#listeners.get(name) as readonly Listener<Events[Name]>[] | undefined;
    if (listeners === undefined) return;
    for (const listener of listeners) contain(() => listener(value), report);
  }
}

/** What a function of the application's answers. Where it throws, which is reported, the answer is `otherwise`. */
export function answerOf<T>(ask: () => T, otherwise: T, report: Report): T {
  try {
    return ask();
  } catch (error) {
    report(error);
    return otherwise;
  }
}

/** Runs a function of the application's. What it throws, or rejects with, is reported. */
export function contain(run: () => unknown, report: Report): void {
  try {
    const result = run();
    if (isThenable(result)) result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}
