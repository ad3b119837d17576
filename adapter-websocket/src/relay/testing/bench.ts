/** A relay with an upstream, clients and a log, all of which are gone at the end of the test. */

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { amqpHeader } from "../amqp-header.ts";
import type { RelayOptions } from "../config/options.ts";
import type { LogFields, RelayLog } from "../log.ts";
import { type Relay, startRelay } from "../relay.ts";
import { ManualClock } from "./manual-clock.ts";
import { until } from "./until.ts";
import { UpstreamPeer, type UpstreamPeerOptions } from "./upstream-peer.ts";

/** What the relay logged. */
export class LogLines implements RelayLog {
  readonly lines: (LogFields & { readonly level: string; readonly message: string })[] = [];
  readonly debug: RelayLog["debug"] = this.#at("debug");
  readonly info: RelayLog["info"] = this.#at("info");
  readonly warn: RelayLog["warn"] = this.#at("warn");
  readonly error: RelayLog["error"] = this.#at("error");

  /** The reason of every connection that was closed. */
  get ends(): unknown[] {
    return this.lines.filter(({ message }) => message === "connection closed").map(({ reason }) => reason);
  }

  #at(level: string): RelayLog["info"] {
    return (fields, message) => void this.lines.push({ ...fields, level, message });
  }
}

export interface Bench {
  readonly relay: Relay;
  readonly upstream: UpstreamPeer;
  readonly clock: ManualClock;
  readonly log: LogLines;
}

export interface BenchOptions {
  readonly upstream?: UpstreamPeerOptions;
  readonly relay?: Partial<RelayOptions>;
}

/** Without more words: any client may connect, to an upstream that listens. */
export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const upstream = await UpstreamPeer.listen(options.upstream);
  onTestFinished(() => upstream.close());
  const clock = new ManualClock();
  const log = new LogLines();
  const relay = await startRelay({
    listen: "127.0.0.1:0",
    upstream: upstream.url,
    allowNoOrigin: true,
    admin: "127.0.0.1:0",
    clock,
    log,
    ...options.relay,
  });
  onTestFinished(async () => {
    const closed = relay.close();
    // Nobody waits for real time, nor does the end.
    const moving = setInterval(() => clock.advance(60_000), 5);
    await closed;
    clearInterval(moving);
  });
  return { relay, upstream, clock, log };
}

/** A client, and what it was told. */
export class Client {
  readonly socket: WebSocket;
  readonly messages: Buffer[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  error: Error | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => this.messages.push(data as Buffer));
    socket.on("error", (error) => {
      this.error = error;
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.messages);
  }

  async close(): Promise<{ readonly code: number; readonly reason: string }> {
    await until(() => this.closed !== undefined, "the client to be closed");
    return this.closed as { readonly code: number; readonly reason: string };
  }
}

/** A client that is connected to the relay. */
export async function connect(relay: Relay, path = "/", options: ClientOptions = {}): Promise<Client> {
  const client = new Client(
    new WebSocket(`ws://${relay.address.host}:${relay.address.port}${path}`, ["amqp091"], options),
  );
  onTestFinished(() => client.socket.terminate());
  await once(client.socket, "open");
  return client;
}

/** A client behind the protocol header, with its connection to the upstream. */
export async function connectThrough({ relay, upstream }: Bench, path = "/"): Promise<Client> {
  const before = upstream.connections.length;
  const client = await connect(relay, path);
  client.socket.send(amqpHeader);
  const connection = await upstream.connection(before);
  if (!connection.socket.isPaused()) await until(() => connection.received >= 8, "the header at the upstream");
  return client;
}

/** The status with which a request for a WebSocket is answered; 101 when it is granted. */
export async function upgradeStatus(
  relay: Relay,
  path = "/",
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { host, port } = relay.address;
  const asked = request({
    host,
    port,
    path,
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on("error", reject);
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, text: "" });
    });
    asked.on("response", (response) => {
      void textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text: text.trim() }));
    });
  });
}

/** A page of the server for those who run the relay. */
export async function admin(relay: Relay, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const { host, port } = relay.adminAddress ?? { host: "", port: 0 };
  const response = await fetch(`http://${host}:${port}${path}`);
  return { status: response.status, text: (await response.text()).trim() };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return text;
}
