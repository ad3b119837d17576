/** Publishes whose beginning and end are told to hooks. */

import type { Publication } from "../../engine/frame-writer.ts";
import type { FieldTable } from "../../wire/field-values.ts";
import { type BasicProperties, EncodedProperties } from "../../wire/properties.ts";
import type { OutgoingMessage } from "./hooks.ts";
import { plainProperties } from "../outgoing-properties.ts";
import {
  Publishing,
  type PublishingHost,
  type PublishingPolicy,
  type PublishWindow,
  type WaitOptions,
} from "../publishing.ts";
import type { ConfirmListener } from "../unconfirmed.ts";
import { hasArrived, type WaitingPublish } from "../waiting-publish.ts";

/** Tells of a message that is about to be published; what is returned is to be called at its end. */
export type PublishObserver = (message: Omit<OutgoingMessage, "connection" | "channel">) => (error: unknown) => void;

export class ObservedPublishing extends Publishing {
  readonly #host: PublishingHost;
  readonly #observe: PublishObserver;

  constructor(host: PublishingHost, window: PublishWindow, policy: PublishingPolicy, observe: PublishObserver) {
    super(host, window, policy);
    this.#host = host;
    this.#observe = observe;
  }

  override publish(publication: Publication, options: WaitOptions): Promise<void> {
    const begun = this.#begin(publication);
    if (begun === undefined) return super.publish(publication, options);
    const published = super.publish(begun.publication, options);
    // A branch of its own: the caller's promise is handled, or not, by the caller.
    published.then(() => begun.end(undefined), begun.end);
    return published;
  }

  override send(publication: Publication, listener: ConfirmListener): boolean {
    const begun = this.#begin(publication);
    if (begun === undefined) return super.send(publication, listener);
    const { end } = begun;
    const leavesAtOnce = this.hasRoom && this.#host.engine.mode !== "confirm";
    try {
      const hasRoom = super.send(begun.publication, new ObservedListener(listener, end));
      if (leavesAtOnce) end(undefined);
      return hasRoom;
    } catch (error) {
      end(error);
      throw error;
    }
  }

  override post(publication: Publication, listener: ConfirmListener): WaitingPublish {
    const begun = this.#begin(publication);
    if (begun === undefined) return super.post(publication, listener);
    try {
      return super.post(begun.publication, new ObservedListener(listener, begun.end));
    } catch (error) {
      begun.end(error);
      throw error;
    }
  }

  /** Nothing is begun for what cannot be a message: publishing it says so. */
  #begin(publication: Publication): { publication: Publication; end: (error: unknown) => void } | undefined {
    if (!isSane(publication)) return undefined;
    const { exchange, routingKey, mandatory = false, body } = publication;
    const own = plainProperties(publication.properties);
    const { headers: given, ...properties } = own;
    const headers = { ...given };
    const confirms = this.#host.engine.mode === "confirm";
    const end = this.#observe({ exchange, routingKey, mandatory, confirms, properties, headers, body });
    const isEmpty = given === undefined && Object.keys(headers).length === 0;
    return { end, publication: { ...publication, properties: isEmpty ? own : withHeaders(own, headers) } };
  }
}

function isSane({ properties, body, exchange, routingKey }: Publication): boolean {
  if (properties !== undefined && !(properties instanceof EncodedProperties) && !isPlain(properties)) return false;
  let headers: BasicProperties["headers"];
  try {
    ({ headers } = plainProperties(properties));
  } catch {
    // They are forwarded as they came, and do not parse.
    return false;
  }
  const isAddressed = typeof exchange === "string" && typeof routingKey === "string";
  return body instanceof Uint8Array && isAddressed && (headers === undefined || isPlain(headers));
}

/** What a copy is as good as. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The properties with these headers. A `replyTo` that is known when the message leaves is still asked for then. */
function withHeaders(properties: BasicProperties, headers: FieldTable): BasicProperties {
  const value = { value: headers, enumerable: true };
  return Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(properties), headers: value });
}

/** Whoever waits for a confirm, and the hooks. */
class ObservedListener implements ConfirmListener {
  readonly #listener: ConfirmListener;
  readonly #end: (error: unknown) => void;

  constructor(listener: ConfirmListener, end: (error: unknown) => void) {
    this.#listener = listener;
    this.#end = end;
  }

  confirmed(): void {
    this.#end(undefined);
    this.#listener.confirmed();
  }

  failed(makeError: () => Error): void {
    const error = makeError();
    this.#end(error === hasArrived ? undefined : error);
    this.#listener.failed(() => error);
  }
}
