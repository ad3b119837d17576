/** The one thing that threads need of a platform: a message port, with either end in a thread of its own. */

/** What a port is told. */
export interface PortMessage {
  readonly data: unknown;
}

/** A listener, an object with one, or nothing: what the types of the runtimes allow. */
export type PortListener =
  | ((event: never) => void)
  | {
      /** Takes an event. */
      handleEvent(event: never): void;
    }
  | null;

/**
 * One end of a message channel: a `MessagePort` of the web, of Node, Deno or Bun. Where the runtime tells that the other
 * end is gone, by the event `close`, that is heard.
 */
export interface ThreadPort {
  /** Sends a value, which is cloned but for what is transferred. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Listeners of `message` are given a {@link PortMessage}. */
  addEventListener(type: string, listener: PortListener): void;
  /** Removes a listener. */
  removeEventListener(type: string, listener: PortListener): void;
  /** Begins to deliver what has arrived. */
  start?(): void;
  /** Ends it; what is on its way may be lost. */
  close(): void;
}
