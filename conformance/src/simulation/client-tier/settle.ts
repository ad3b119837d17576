/**
 * How promises come to rest between two happenings.
 *
 * An `await` of a promise that is fulfilled already costs exactly one turn of the microtask queue, and every reaction that was
 * queued before runs within that turn. So a fixed number of turns lets every chain of promises go on by as many links,
 * in an order that the language prescribes: no timer, no macrotask, nothing that a runtime may do in its own way. A
 * chain that is longer goes on during the next happening, at the same place in every replay. None of the client's is:
 * the test runs seeds with a turn of the loop after each happening as well, which ends all chains, and compares.
 */

/** More links than the longest chain of the client has (`Publisher.close` of a failed flush: some 20). */
const turns = 48;

const fulfilled: Promise<void> = Promise.resolve();

/** Lets promises that are settled tell those who wait for them. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await fulfilled;
}

/**
 * Lets the runtime finish its turn of the loop, and throws for a rejection that nobody handled in it. It is the
 * runtime's to notice those, so whoever runs a simulation brings this along.
 */
export type Breathe = () => Promise<void>;
