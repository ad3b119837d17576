/** Puts a method, a header and body frames together to one publish. Strict: no other frame of the channel may come between. */

import { type Fields, frameType } from "@leveret/core/wire";
import { longAt, shortAt } from "../codec/octets.ts";
import { Refusal } from "../failures.ts";
import type { Profile } from "../profile.ts";

/** Whatever is configured, no body may be larger (RabbitMQ's own ceiling). */
const bodyCeiling = 512 * 1024 * 1024;

const basicClass = 60;
/** Class, weight and body size, in front of the properties. */
const headerSize = 12;

/** A publish with its content. */
export interface ReceivedPublish {
  readonly fields: Fields<"basic.publish">;
  /** Flags and property list. */
  readonly properties: Uint8Array;
  /** Without content when the body is above the largest size that the broker takes. */
  readonly body: Uint8Array;
  /** What the header announced. */
  readonly bodySize: number;
}

type State =
  | { readonly expects: "method" }
  | { readonly expects: "header"; readonly fields: Fields<"basic.publish"> }
  | {
      readonly expects: "body";
      readonly fields: Fields<"basic.publish">;
      readonly properties: Uint8Array;
      readonly bodySize: number;
      /** What has arrived so far, and room for more: as much as is announced, in the end. */
      body: Uint8Array;
      received: number;
    };

const betweenMethods: State = { expects: "method" };
const noBody = new Uint8Array(0);

/** The content of one channel. */
export class ContentAssembler {
  readonly #profile: Profile;
  readonly #maxMessageSize: number;
  #state: State = betweenMethods;

  constructor(profile: Profile, maxMessageSize: number) {
    this.#profile = profile;
    this.#maxMessageSize = maxMessageSize;
  }

  /**
   * A method arrived.
   *
   * @throws Refusal UNEXPECTED_FRAME in the middle of a content.
   */
  method(): void {
    if (this.#state.expects === "header") throw notHeader();
    if (this.#state.expects === "body") throw notBody();
  }

  /** `basic.publish` arrived: its content follows. */
  begin(fields: Fields<"basic.publish">): void {
    this.#state = { expects: "header", fields };
  }

  /**
   * A header or body frame arrived; returns the publish that it completes.
   *
   * @throws Refusal UNEXPECTED_FRAME or FRAME_ERROR
   */
  content(type: number, payload: Uint8Array): ReceivedPublish | undefined {
    switch (this.#state.expects) {
      case "method":
        throw contentOutOfPlace();
      case "header":
        if (type !== frameType.header) throw notHeader();
        return this.#header(payload, this.#state.fields);
      case "body":
        if (type !== frameType.body) throw notBody();
        return this.#body(payload, this.#state);
    }
  }

  #header(payload: Uint8Array, fields: Fields<"basic.publish">): ReceivedPublish | undefined {
    if (payload.length < headerSize) throw notHeader();
    const classId = shortAt(payload, 0);
    if (shortAt(payload, 2) !== 0) throw notHeader();
    if (classId !== basicClass) {
      throw unexpected(
        `expected content header for class ${basicClass}, got one for class ${classId} instead`,
        "basic.publish",
      );
    }
    const bodySize = longAt(payload, 4) * 0x1_0000_0000 + longAt(payload, 8);
    if (this.#profile.boundsContent && bodySize > bodyCeiling) {
      throw new Refusal("FRAME_ERROR", `content body size ${bodySize} exceeds maximum allowed size ${bodyCeiling}`, {
        blames: "basic.publish",
      });
    }
    const properties = new Uint8Array(payload.subarray(headerSize));
    if (bodySize === 0) {
      this.#state = betweenMethods;
      return { fields, properties, body: noBody, bodySize };
    }
    this.#state = { expects: "body", fields, properties, bodySize, body: noBody, received: 0 };
    return undefined;
  }

  #body(payload: Uint8Array, state: Extract<State, { expects: "body" }>): ReceivedPublish | undefined {
    const before = state.received;
    state.received += payload.length;
    if (state.received > state.bodySize && this.#profile.boundsContent) {
      throw new Refusal("FRAME_ERROR", "content body frame exceeds remaining content size", {
        blames: "basic.publish",
      });
    }
    // What will be refused for its size is counted, and not kept.
    if (state.bodySize <= this.#maxMessageSize && state.received <= state.bodySize) {
      state.body = withPart(state, before, payload);
    }
    // Older versions wait for ever once they have more than was announced.
    if (state.received !== state.bodySize) return undefined;
    this.#state = betweenMethods;
    return { fields: state.fields, properties: state.properties, body: state.body, bodySize: state.bodySize };
  }
}

/** A body grows as it arrives: what is only announced takes no memory, nor do many frames with little in them. */
function withPart(
  { body, bodySize, received }: { readonly body: Uint8Array; readonly bodySize: number; readonly received: number },
  before: number,
  part: Uint8Array,
): Uint8Array {
  if (part.length === bodySize) return new Uint8Array(part);
  let roomy = body;
  if (received > body.length) {
    roomy = new Uint8Array(Math.min(bodySize, Math.max(received, 2 * body.length)));
    roomy.set(body.subarray(0, before));
  }
  roomy.set(part, before);
  return roomy;
}

/** A header or a body that no method has announced. */
export function contentOutOfPlace(): Refusal {
  return unexpected("expected method frame, got non method frame instead", "none");
}

function notHeader(): Refusal {
  return unexpected(
    `expected content header for class ${basicClass}, got non content header frame instead`,
    "basic.publish",
  );
}

function notBody(): Refusal {
  return unexpected(`expected content body, got non content body frame instead`, "basic.publish");
}

function unexpected(explanation: string, blames: "basic.publish" | "none"): Refusal {
  return new Refusal("UNEXPECTED_FRAME", explanation, { blames });
}
