/** Names of brokers, asked of the system. */

import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";

type Answer = Parameters<LookupFunction>[2];

/**
 * Asks for each name once at a time, for all who want to know meanwhile. The process asks for four names at most at the
 * same time, and writes its log by the same threads: while the system's resolver hangs, each client that comes would queue
 * one more question, and they would be answered long after everybody had gone.
 */
export function shareLookups(lookup: LookupFunction): LookupFunction {
  const waiting = new Map<string, Answer[]>();
  return (name, options, answer) => {
    const question = JSON.stringify([name, options.all, options.family, options.hints]);
    const others = waiting.get(question);
    if (others !== undefined) {
      others.push(answer);
      return;
    }
    const all = [answer];
    waiting.set(question, all);
    lookup(name, options, (...result) => {
      waiting.delete(question);
      for (const each of all) each(...result);
    });
  };
}

/** Of all connections to brokers. */
export const sharedLookup: LookupFunction = shareLookups((name, options, answer) =>
  systemLookup(name, options, answer),
);
