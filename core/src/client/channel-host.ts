/** What a channel tells the application, and what its connection lends to it. */

import type { ChannelRequestName } from "../engine/channel-engine.ts";
import type { Arguments } from "../wire/method-types.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { Deadlines } from "./deadlines.ts";
import type { EndError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import type { Observer } from "./instrumentation/instrumentation.ts";
import type { Link } from "./link.ts";
import type { Report } from "./listeners.ts";
import type { PublishingPolicy } from "./publishing.ts";
import type { Recorder } from "./recording.ts";
import type { Replies } from "./replies.ts";
import type { ReturnedMessage } from "./returned-message.ts";

/** What the listeners of a channel are given. */
export interface ChannelEvents {
  /** A mandatory message that no queue took came back. In confirm mode the publish's promise rejects as well. */
  readonly return: ReturnedMessage;
  /** The server cancelled a consumer. */
  readonly cancel: { readonly consumerTag: string };
  /** The server asked for a pause in publishing (`active: false`), which is obeyed, or ended it. RabbitMQ never does. */
  readonly flow: { readonly active: boolean };
  /** The channel was lost, and comes back: deliveries that came on it are stale. What waits goes on waiting. */
  readonly lost: { readonly error: EndError };
  /** The channel is closed; `error` is `undefined` when this client closed it, or its connection. */
  readonly closed: { readonly error: EndError | undefined };
}

/** What a connection lends to its channels. */
export interface ChannelHost {
  /** The link that the connection has, or had last. */
  readonly link: Link;
  readonly replies: Replies;
  readonly deadlines: Deadlines;
  /** Takes what a listener or a handler threw. */
  readonly report: Report;
  /** Keeps what recovery makes again; `undefined` on a connection that does not recover. */
  readonly recorder: Recorder | undefined;
  readonly policy: PublishingPolicy;
  /** A gate for one channel. */
  newGate(): Gate;
  /** Whether a request is made again when a loss leaves it unanswered. */
  mayRepeat<M extends ChannelRequestName>(method: M, fields: Arguments<M>): boolean;
  /** Calls the application's hooks. */
  readonly observer: Observer | undefined;
  /** Takes a channel that is closed out of the connection's. */
  forget(core: ChannelCore): void;
}

/** Where a channel stands. `"recovering"`: it was lost, and comes back; calls wait for it. */
export type ChannelState = "opening" | "open" | "recovering" | "closing" | "closed";
