/** What all URIs have in common: {@link parseUri} (uri.ts) tells what is strict about them, and why. */

import { UsageError } from "../../wire/errors.ts";
import type { WebSocketEndpoint } from "../io-services.ts";
import type { ConnectOptions, PasswordCredentials, TcpAddress } from "../parameters.ts";
import type { UriQuery } from "./uri-query.ts";

/** What a URI says. */
export interface ParsedUri {
  readonly scheme: "amqp" | "amqps" | "ws" | "wss";
  readonly address: TcpAddress | WebSocketEndpoint;
  /** Everything else; credentials are a function, which hides them. */
  readonly parameters: UriParameters;
}

/** The options that a URI can set besides the address. */
export type UriParameters = Omit<UriQuery, "authMechanism" | "tls" | "tcp"> &
  Pick<ConnectOptions, "credentials" | "virtualHost">;

/** The user name and the password in front of an `@`. */
export function parseUserInfo(userInfo: string): PasswordCredentials {
  const colon = userInfo.indexOf(":");
  if (colon === -1) throw illegalUri("has a user name without a password; an empty password is written user:@");
  const username = decode(userInfo.slice(0, colon), "user name");
  const password = decode(userInfo.slice(colon + 1), "password");
  return { username, password };
}

/** Undoes the percent-encoding of a part. */
export function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The runtime's error is not the cause: it may quote what could not be decoded.
    throw illegalUri(`has a ${part} that is not percent-encoded UTF-8; a % itself is written %25`);
  }
}

/** The error about a URI. It says what is wrong, and shows nothing of it. */
export function illegalUri(what: string): UsageError {
  return new UsageError("INVALID_ARGUMENT", `The URI ${what}`);
}
