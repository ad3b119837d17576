/** Peers and brokers in a process of Node's, for cases that run in another runtime. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { RabbitMQCoordinates } from "../../../tools/rabbitmq/coordinates.ts";
import type { ProfileName } from "../broker/index.ts";
import type { BrokerHost } from "../cases/index.ts";
import type { PeerHost } from "../io-contract/index.ts";
import { ObjectCaller } from "./remote-objects.ts";

/** See the file's comment. */
export class NodeHosts {
  readonly #program: ChildProcessByStdio<Writable, Readable, null>;
  readonly #objects: ObjectCaller;

  constructor() {
    const file = fileURLToPath(new URL("host-program.ts", import.meta.url));
    this.#program = spawn(findNode(), ["--conditions=@leveret/source", file], { stdio: ["pipe", "pipe", "inherit"] });
    this.#objects = new ObjectCaller((line) => this.#program.stdin.write(`${line}\n`));
    createInterface({ input: this.#program.stdout }).on("line", (line) => this.#objects.received(line));
    this.#program.on("error", (error) => this.#objects.ended(error));
    this.#program.on("exit", (code) =>
      this.#objects.ended(new Error(`The program of the hosts ended with the code ${code}`)),
    );
  }

  startPeers(): Promise<PeerHost> {
    return this.#objects.call("startPeers") as Promise<PeerHost>;
  }

  startEmbedded(profile: ProfileName): Promise<BrokerHost> {
    return this.#objects.call("startEmbedded", profile) as Promise<BrokerHost>;
  }

  rabbitMQ(coordinates: RabbitMQCoordinates): Promise<BrokerHost> {
    return this.#objects.call("rabbitMQ", coordinates) as Promise<BrokerHost>;
  }

  /** Ends the program, and everything that it hosts. */
  async close(): Promise<void> {
    this.#program.stdin.end();
    if (this.#program.exitCode === null) await once(this.#program, "exit");
  }
}

/** The Node that the repository pins, where there is a build of it for this machine; else the one that the shell finds. */
function findNode(): string {
  const name = `../../../node_modules/node-${process.platform}-${process.arch}/bin/node`;
  const pinned = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(pinned) ? pinned : "node";
}
