/**
 * Peers that are reached by WebSocket: those of `NodePeerHost`, behind a relay.
 *
 * The relay lets nobody through who does not begin with the protocol header of AMQP. So `greetingIo` sends one before
 * its owner gets to write, and a gatekeeper between relay and peer takes it off again.
 */

import { once } from "node:events";
import net from "node:net";
import { pipeline } from "node:stream";
import type { Endpoint, TcpEndpoint } from "@leveret/core/client";
import { type Relay, silentLog, startRelay } from "@leveret/websocket/relay";
import type { Peer, PeerCertificates, PeerHost, PeerOptions } from "../io-contract/index.ts";
import { protocolHeader } from "./greeting-io.ts";
import { NodePeerHost } from "./peer-host.ts";

/** See the file's comment. */
export class RelayPeerHost implements PeerHost {
  readonly certificates: PeerCertificates;
  readonly #peers: NodePeerHost;
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(peers: NodePeerHost) {
    this.#peers = peers;
    this.certificates = peers.certificates;
  }

  static async start(): Promise<RelayPeerHost> {
    return new RelayPeerHost(await NodePeerHost.start());
  }

  async listen(options: PeerOptions): Promise<Peer> {
    if (options.transport !== "websocket") return this.#peers.listen(options);
    const peer = await this.#peers.listen({ ...options, transport: "tcp" });
    const gatekeeper = await startGatekeeper(peer.endpoint as TcpEndpoint);
    const relay = await startRelay({
      listen: "127.0.0.1:0",
      upstream: `amqp://127.0.0.1:${(gatekeeper.address() as net.AddressInfo).port}`,
      allowNoOrigin: true,
      origin: "*",
      log: silentLog,
    });
    this.#closers.push(async () => {
      await relay.close();
      gatekeeper.close();
    });
    return {
      endpoint: { transport: "websocket", url: urlOf(relay) },
      go: () => peer.go(),
      release: () => peer.release(),
      report: () => peer.report(),
    };
  }

  vacant(transport: "tcp" | "unix"): Promise<Endpoint> {
    return this.#peers.vacant(transport);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
    await this.#peers.close();
  }
}

function urlOf({ address }: Relay): string {
  return `ws://${address.host}:${address.port}/`;
}

async function startGatekeeper(peer: TcpEndpoint): Promise<net.Server> {
  const options = { allowHalfOpen: true, noDelay: true };
  const server = net.createServer(options, (relayed) => {
    relayed.on("error", () => {});
    let greeting = Buffer.alloc(0);
    relayed.on("data", function greet(chunk: Buffer) {
      greeting = Buffer.concat([greeting, chunk]);
      if (greeting.length < protocolHeader.length) return;
      relayed.off("data", greet).pause();
      if (!greeting.subarray(0, protocolHeader.length).equals(protocolHeader)) return void relayed.destroy();
      if (greeting.length > protocolHeader.length) relayed.unshift(greeting.subarray(protocolHeader.length));

      const direct = net.connect({ ...options, host: peer.host, port: peer.port });
      pipeline(relayed, direct, relayed, () => {});
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
