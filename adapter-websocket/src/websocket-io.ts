/** The I/O services of any runtime that has the standard WebSocket: pages, web workers, Node, Deno, Bun. */

import {
  type ByteStream,
  type Endpoint,
  type IoServices,
  type StreamHandler,
  UsageError,
  type WebSocketEndpoint,
} from "@leveret/core/client";
import { makePost, runtimeName, setTimer } from "./loop.ts";
import { MessageStream } from "./message-stream.ts";
import { SocketStream } from "./socket-stream.ts";
import type { WebSocketConstructor, WebSocketStreamConstructor } from "./standard-types.ts";

/** What to build on, in place of what the runtime has. */
export interface WebSocketIoOptions {
  /**
   * A class with the interface of `WebSocket`; that of the package `ws`, derived, can send headers or trust a CA.
   * Default: the runtime's `WebSocketStream` where there is one, else its `WebSocket`.
   */
  readonly WebSocket?: WebSocketConstructor | undefined;
}

/** Makes I/O services that reach a relay by WebSocket. */
export function webSocketIo(options: WebSocketIoOptions = {}): IoServices {
  const standard = globalThis as {
    readonly WebSocket?: WebSocketConstructor;
    readonly WebSocketStream?: WebSocketStreamConstructor;
  };
  const Socket = options.WebSocket ?? standard.WebSocket;
  const Stream = options.WebSocket === undefined ? standard.WebSocketStream : undefined;
  const canPause = Stream !== undefined || typeof Socket?.prototype.pause === "function";
  const post = makePost();

  return {
    runtime: runtimeName(),
    capabilities: {
      tcp: false,
      tls: false,
      unix: false,
      websocket: Socket !== undefined || Stream !== undefined,
      pause: canPause ? "exact" : "held",
    },
    now: () => performance.now(),
    setTimer,
    random: () => Math.random(),
    post,
    connect(endpoint: Endpoint, handler: StreamHandler): ByteStream {
      const { url, protocols } = checked(endpoint);
      try {
        if (Stream !== undefined) {
          return new MessageStream((signal) => new Stream(url, { protocols, signal }), handler, post);
        }
        if (Socket !== undefined) return new SocketStream(new Socket(url, protocols), handler, { post, setTimer });
      } catch (error) {
        throw refused(url, error);
      }
      throw new UsageError("NOT_SUPPORTED", "this runtime has no WebSocket; give webSocketIo a class");
    },
  };
}

function checked(endpoint: Endpoint): { readonly url: string; readonly protocols: string[] } {
  if (endpoint.transport !== "websocket") {
    throw new UsageError("NOT_SUPPORTED", `this transport cannot do ${endpoint.transport}`);
  }
  const { url, protocols = [] }: WebSocketEndpoint = endpoint;
  // Not shown: a URL may have a token in it.
  if (!/^wss?:[^#]*$/i.test(url) || !URL.canParse(url)) {
    throw new UsageError("INVALID_ARGUMENT", "url has an illegal scheme, host or port, or a fragment");
  }
  return { url, protocols: [...protocols] };
}

/** For instance `ws:` from a page that came by https, or a subprotocol that is no token. The runtime's message may quote the URL. */
function refused(url: string, error: unknown): UsageError {
  const name = error instanceof Error ? error.name : "it";
  return new UsageError("INVALID_ARGUMENT", `the runtime refuses to open ${new URL(url).origin} (${name})`);
}
