/** How a server tells a caller that it failed, on the wire and as an error. */

import { AmqpError, type AmqpErrorOptions } from "../../wire/errors.ts";
import type { BasicProperties } from "../../wire/properties.ts";

/**
 * The header of a reply that is an error: a word to switch on. A reply without it is a result. Servers in other languages
 * can do the same.
 */
export const errorCodeHeader = "x-rpc-error-code";

/** The header with the error's words. */
export const errorMessageHeader = "x-rpc-error-message";

/** Characters of an error's code and of its message that go over the wire; the rest is cut off. */
const longestCode = 100;
const longestMessage = 1000;

/** The error that a caller gets for what the server's handler threw, unless the handler threw an `RpcError`. */
export const internalError = { code: "INTERNAL_ERROR", message: "The server failed to answer the request" } as const;

/**
 * A request was answered with an error. A server's handler throws it to say what the caller is to know; the caller's
 * promise rejects with one that has the same `remoteCode` and `message`, and nothing else of it.
 */
export class RpcError extends AmqpError {
  override name = "RpcError";
  declare readonly code: "RPC_FAILED";
  /** The server's word for what went wrong, such as `"NOT_FOUND"`; `"INTERNAL_ERROR"` for what it does not explain. */
  readonly remoteCode: string;

  /** @param options - `cause` stays in the process: it is not sent. */
  constructor(remoteCode: string, message: string, options?: AmqpErrorOptions) {
    super("RPC_FAILED", message, options);
    this.remoteCode = remoteCode;
  }
}

/** The headers of a reply that is an error. */
export function errorHeaders(remoteCode: string, message: string): Readonly<Record<string, string>> {
  return {
    [errorCodeHeader]: sendable(remoteCode, longestCode),
    [errorMessageHeader]: sendable(message, longestMessage),
  };
}

/** The beginning of a text. It may end in the middle of a character, and half of one cannot be sent. */
function sendable(text: string, longest: number): string {
  return String(text)
    .slice(0, longest)
    .replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Whether a reply is an error. */
export function isError({ headers }: BasicProperties): boolean {
  return headers?.[errorCodeHeader] !== undefined;
}

/** The error in a reply that is one. */
export function errorIn({ headers }: BasicProperties): RpcError {
  const message = headers?.[errorMessageHeader];
  return new RpcError(
    textOf(headers?.[errorCodeHeader]).slice(0, longestCode),
    textOf(message ?? internalError.message).slice(0, longestMessage),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : internalError.code;
}
