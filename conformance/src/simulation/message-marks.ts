/** How a message of the simulation says which one it is: in its `messageId`, and in every octet of its body. */

import { invariant } from "./violation.ts";

/** The id of a message that arrived. */
export function idOf(messageId: string | undefined): number {
  invariant(messageId !== undefined && /^\d+$/.test(messageId), "a message keeps its properties", () =>
    String(messageId),
  );
  return Number(messageId);
}

/** The body of a message: as many octets as were asked for, each telling of the id and its place. */
export function bodyOf(id: number, size: number): Uint8Array {
  const body = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) body[at] = octetAt(id, at);
  return body;
}

/** The body has to be that of the message, whole or as far as it goes. */
export function checkBody(id: number, body: Uint8Array): void {
  for (let at = 0; at < body.length; at += 1) {
    if (body[at] !== octetAt(id, at)) {
      invariant(false, "a body arrives as it was sent", () => `octet ${at} of message ${id}`);
    }
  }
}

function octetAt(id: number, at: number): number {
  return (id * 31 + at) & 0xff;
}
