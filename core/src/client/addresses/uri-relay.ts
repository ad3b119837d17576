/** The URI of a relay, `ws:` or `wss:`: user name and password are AMQP's, and everything else is the relay's. */

import type { WebSocketEndpoint } from "../io-services.ts";
import { illegalUri, parseUserInfo, type ParsedUri } from "./uri-parts.ts";

const form = /^(wss?:\/\/)(?:([^/?#@\s]*)@)?(\[[^/?#@[\]\s]+\]|[^/?#@:[\]\s]*)((?::\d*)?)((?:[/?][^#\s]*)?)$/i;

/** Whether it is the URI of a relay. */
export function isRelay(uri: string): boolean {
  return /^wss?:\/\//i.test(uri);
}

/** @throws UsageError INVALID_ARGUMENT. */
export function parseRelay(uri: string): ParsedUri {
  const match = form.exec(uri);
  // What is wrong may be a password with a slash in it: nothing is shown.
  if (match === null) {
    const what = /[#\s]/.test(uri) ? "has white space or #" : "is not wss://user:password@host:port/path";
    throw illegalUri(`${what}; / ? # [ ] @ in a user name or password are percent-encoded`);
  }
  const [, start = "", userInfo, host = "", port = "", rest = ""] = match;
  if (host === "") throw illegalUri("has no host");
  const scheme = start.toLowerCase() === "ws://" ? "ws" : "wss";
  const user = userInfo === undefined ? undefined : parseUserInfo(userInfo);
  return {
    scheme,
    address: hideToken({ transport: "websocket", url: `${scheme}://${host.toLowerCase()}${port}${rest}` }),
    parameters: user === undefined ? {} : { credentials: () => user },
  };
}

/** A relay's URL may have a token in its query: then the URL is there, but not shown. */
export function hideToken(endpoint: WebSocketEndpoint): WebSocketEndpoint {
  const { url, protocols } = endpoint;
  const shown = { transport: "websocket", ...(protocols === undefined ? {} : { protocols }) } as WebSocketEndpoint;
  return Object.defineProperty(shown, "url", { value: url, enumerable: !url.includes("?") });
}
