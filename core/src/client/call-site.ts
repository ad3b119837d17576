/**
 * Who made a call, for the stack of the error that it may come to.
 *
 * An error that is made when an answer arrives has a stack of the event loop. V8 adds those who await the promise, other
 * engines do not, and nobody knows of callers that do not await. So calls that go to the server and back anyway keep
 * the stack of the caller, which costs some microseconds; messages, deliveries and settlements never do. See
 * docs/decisions/0008-stack-traces.md.
 */

/** The stack of a call, written out only when it is asked for. */
export type CallSite = Pick<Error, "stack">;

export function callSite(): CallSite {
  return new Error();
}

/** In place of a stack that was not kept. */
export const noSite: CallSite = {};

/** The error, with the stack of the call that it is about in place of its own. */
export function calledFrom<E>(site: CallSite, error: E): E {
  if (!(error instanceof Error) || site.stack === undefined) return error;
  // V8 begins a stack with name and message; others do not.
  const frames = site.stack.replace(/^Error:? ?\n/, "");
  const head = site.stack === frames ? "" : `${error.name}: ${error.message}\n`;
  Object.defineProperty(error, "stack", { value: head + frames, writable: true, configurable: true });
  return error;
}
