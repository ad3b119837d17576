/**
 * The peers of the I/O contract as a program, for runtimes other than Node: calls come in on standard input, one JSON
 * object per line, and answers leave on standard output. Ends when its input does.
 */

import { createInterface } from "node:readline";
import type { Peer, PeerOptions } from "../io-contract/index.ts";
import { NodePeerHost } from "./peer-host.ts";
import type { PeerAnswer, PeerCall } from "./remote-peer-host.ts";

async function serve(): Promise<void> {
  const host = await NodePeerHost.start();
  const peers: Peer[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const call = JSON.parse(line) as PeerCall;
    const reply = (said: Omit<PeerAnswer, "id">): void => {
      process.stdout.write(`${JSON.stringify({ id: call.id, ...said })}\n`);
    };
    // Answers do not wait for each other: a call of `go` may be what another one is waiting for.
    answer(host, peers, call).then(
      (result) => reply({ result }),
      (error: Error) => reply({ error: error.message }),
    );
  }
  await host.close();
}

async function answer(host: NodePeerHost, peers: Peer[], { call, peer, args }: PeerCall): Promise<unknown> {
  if (peer !== undefined) return peers[peer]?.[call as "go" | "release" | "report"]();
  switch (call) {
    case "certificates":
      return { ...host.certificates, pfx: Buffer.from(host.certificates.client.pfx).toString("base64") };
    case "listen": {
      const listening = await host.listen(args[0] as PeerOptions);
      return { peer: peers.push(listening) - 1, endpoint: listening.endpoint };
    }
    default:
      return host.vacant(args[0] as "tcp" | "unix");
  }
}

void serve();
