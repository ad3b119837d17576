/** Addresses of relays: `ws:` and `wss:`. */

import { UsageError } from "../../wire/errors.ts";
import type { Addresses } from "./addresses.ts";
import type { WebSocketEndpoint } from "../io-services.ts";
import { type Check, type Checks, checkOptions, illegalSecret, oneOf, someTexts } from "../option-checks.ts";
import type { ConnectOptions } from "../parameters.ts";
import { hideToken, isRelay, parseRelay } from "./uri-relay.ts";

const checks: Checks<WebSocketEndpoint> = {
  transport: oneOf("websocket"),
  url: (value, name) => {
    if (typeof value !== "string" || !/^wss?:\/\/[^/?#@\s]+[^#@\s]*$/i.test(value)) {
      throw illegalSecret(name, "a URL that starts with ws:// or wss://, without user name and fragment");
    }
  },
  protocols: someTexts,
};

/** The endpoint that an element of a list of endpoints says. */
export function webSocketOfParts(element: object, options: ConnectOptions, name: string): WebSocketEndpoint {
  checkOptions<WebSocketEndpoint>(element, checks, name, `${name}.`, ["url"]);
  return hideToken({ ...element, url: element.url, protocols: element.protocols ?? options.protocols });
}

/** The endpoint that a URI says. */
export function webSocketOfUri({ url }: WebSocketEndpoint, { protocols }: ConnectOptions): WebSocketEndpoint {
  return hideToken({ transport: "websocket", url, protocols });
}

const noUse: Check = (value, name) => {
  if (value !== false)
    throw new UsageError("NOT_SUPPORTED", `${name} counts for TCP, and only WebSocket is known here`);
};

/** Nothing but WebSocket: with an address of TCP the error says that there is no TCP. */
export const webSocketAddresses: Addresses = {
  checks: { host: noUse, port: noUse, tls: noUse, tcp: noUse },
  parse: (uri) => {
    if (isRelay(uri)) return parseRelay(uri);
    const [, scheme] = /^(\w[\w+.-]*):\/\//.exec(uri) ?? [];
    throw new UsageError(
      /^amqps?$/i.test(scheme ?? "") ? "NOT_SUPPORTED" : "INVALID_ARGUMENT",
      `The URI has ${scheme === undefined ? "no scheme" : `the scheme ${scheme}:`}, and only ws: and wss: are known here`,
    );
  },
  checkListed: () => {},
  ofOptions: () => {
    throw new UsageError("INVALID_ARGUMENT", "Give a uri (ws: or wss:) or endpoints");
  },
  ofUri: ({ address }, options) => webSocketOfUri(address as WebSocketEndpoint, options),
  ofParts: (element, options, name) => {
    if ("transport" in element && element.transport === "websocket") return webSocketOfParts(element, options, name);
    throw new UsageError("NOT_SUPPORTED", `${name} has another transport than "websocket", the only one known here`);
  },
  check: () => {},
  complete: async (address) => address as WebSocketEndpoint,
};
