/**
 * Hosts for runtimes other than Node, as a program of Node's: peers, brokers and proxies that share neither the loop nor
 * the mistakes of the runtime under test. `NodeHosts` starts it, and calls its objects: on standard input comes one call
 * per line, on standard output leaves one answer per line. It ends when its input does.
 */

import { createInterface } from "node:readline";
import { startEmbedded } from "./embedded-host.ts";
import { rabbitMQHost } from "./rabbitmq-host.ts";
import { RelayPeerHost } from "./relay-peer-host.ts";
import { ObjectServer } from "./remote-objects.ts";

async function serve(): Promise<void> {
  const objects = new ObjectServer({
    startPeers: () => RelayPeerHost.start(),
    startEmbedded,
    rabbitMQ: rabbitMQHost,
  });
  for await (const line of createInterface({ input: process.stdin })) {
    void objects.answer(line).then((answer) => process.stdout.write(`${answer}\n`));
  }
  await objects.close();
  process.exit();
}

void serve();
