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

/** A call of a method. */
export interface HostCall {
  readonly id: number;
  /** The number of the object whose method it is. */
  readonly object: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The answer to the call of the same `id`. */
export interface HostAnswer {
  readonly id: number;
  readonly error?: string;
  readonly result?: unknown;
  /** Where the result has methods: its number, and their names. */
  readonly object?: number;
  readonly methods?: readonly string[];
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** See the file's comment. */
export class NodeHosts {
  readonly #program: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor() {
    const file = fileURLToPath(new URL("host-program.ts", import.meta.url));
    this.#program = spawn(findNode(), ["--conditions=@leveret/source", file], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#program.stdout }).on("line", (line) => this.#answered(fromJson(line) as HostAnswer));
    this.#program.on("error", (error) => this.#ended(error));
    this.#program.on("exit", (code) => this.#ended(new Error(`The program of the hosts ended with the code ${code}`)));
  }

  startPeers(): Promise<PeerHost> {
    return this.#call(0, "startPeers", []) as Promise<PeerHost>;
  }

  startEmbedded(profile: ProfileName): Promise<BrokerHost> {
    return this.#call(0, "startEmbedded", [profile]) as Promise<BrokerHost>;
  }

  rabbitMQ(coordinates: RabbitMQCoordinates): Promise<BrokerHost> {
    return this.#call(0, "rabbitMQ", [coordinates]) as Promise<BrokerHost>;
  }

  /** Ends the program, and everything that it hosts. */
  async close(): Promise<void> {
    this.#program.stdin.end();
    if (this.#program.exitCode === null) await once(this.#program, "exit");
  }

  #call(object: number, method: string, args: readonly unknown[]): Promise<unknown> {
    this.#calls += 1;
    const call: HostCall = { id: this.#calls, object, method, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve, reject });
      this.#program.stdin.write(`${toJson(call)}\n`);
    });
  }

  #answered({ id, error, result, object, methods = [] }: HostAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) return waiting?.reject(new Error(error));
    if (object === undefined) return waiting?.resolve(result);
    const called = methods.map(
      (name) => [name, (...args: readonly unknown[]) => this.#call(object, name, args)] as const,
    );
    waiting?.resolve({ ...(result as object), ...Object.fromEntries(called) });
  }

  #ended(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** JSON, with bytes. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item instanceof Uint8Array ? { base64: Buffer.from(item).toString("base64") } : item,
  );
}

/** See {@link toJson}. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, item: { readonly base64?: unknown } | null) =>
    typeof item?.base64 === "string" ? new Uint8Array(Buffer.from(item.base64, "base64")) : item,
  );
}

/** The Node that the repository pins, where there is a build of it for this machine; else the one that the shell finds. */
function findNode(): string {
  const name = `../../../node_modules/node-${process.platform}-${process.arch}/bin/node`;
  const pinned = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(pinned) ? pinned : "node";
}
