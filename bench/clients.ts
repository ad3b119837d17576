/** The clients that are compared, and how each is run. */

import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "../tools/lib/process.ts";

export type RuntimeName = "node" | "deno" | "bun" | "python" | "c";

export interface Client {
  /** As in tables and charts. */
  readonly name: string;
  readonly runtime: RuntimeName;
  /** Us, another library, or what could be reached: with less work, or none. */
  readonly role: "ours" | "peer" | "limit";
  /** The name of its file or folder in `drivers`. */
  readonly driver: string;
}

const peers = ["amqplib", "rabbitmq-client", "cloudamqp"] as const;
const javascript = ["node", "deno", "bun"] as const;

const onNode: readonly Client[] = [
  { name: "leveret", runtime: "node", role: "ours", driver: "leveret-node" },
  ...peers.map((name): Client => ({ name, runtime: "node", role: "peer", driver: name })),
  { name: "hand-written", runtime: "node", role: "limit", driver: "hand-written" },
  { name: "bare socket", runtime: "node", role: "limit", driver: "bare-socket" },
  { name: "pika", runtime: "python", role: "peer", driver: "pika_client" },
  { name: "librabbitmq", runtime: "c", role: "peer", driver: "librabbitmq" },
];

const elsewhere = javascript
  .filter((runtime) => runtime !== "node")
  .flatMap((runtime): Client[] => [
    { name: `leveret on ${runtime}`, runtime, role: "ours", driver: `leveret-${runtime}` },
    ...peers.map((name): Client => ({ name: `${name} on ${runtime}`, runtime, role: "peer", driver: name })),
    { name: `hand-written on ${runtime}`, runtime, role: "limit", driver: "hand-written" },
  ]);

/** The same limits over Deno's own API, which Leveret uses there: elsewhere they are those of `node:net`. */
const overDenoConn: readonly Client[] = [
  { name: "hand-written over Deno.Conn on deno", runtime: "deno", role: "limit", driver: "hand-written-deno" },
  { name: "bare socket over Deno.Conn on deno", runtime: "deno", role: "limit", driver: "bare-socket-deno" },
];

export const clients: readonly Client[] = [...onNode, ...elsewhere, ...overDenoConn];

/**
 * How much longer than on Node a client warms up. Compilers have threads of their own, whose time counts too: a confirm one
 * by one costs 16 us in Bun after 400 ms, a third of it compiling, and 11 after 1000; a remote call 20 in Deno, and 14.
 */
export const warmUpFactor: Readonly<Partial<Record<RuntimeName, number>>> = { deno: 3, bun: 3 };

export function isJavaScript({ runtime }: Client): boolean {
  return (javascript as readonly string[]).includes(runtime);
}

/** How the process of a client is started; what it is to do is put behind. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** The system's, which knows the packages of the system, before any other. */
export const python: string = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const inRoot = (name: string): string => path.join(repositoryRoot, name);
const clientFile = here("client.ts");

/** What is compiled before it is measured, and where that goes. */
export const librabbitmqSource: string = here("drivers/librabbitmq/client.c");
export const librabbitmqProgram: string = inRoot("node_modules/.cache/bench/librabbitmq");

/** @param sources - Leveret as in its sources, not as built. */
export function commandOf(client: Client, sources: boolean, nodeOptions: readonly string[]): Command {
  const condition = sources ? ["--conditions=@leveret/source"] : [];
  switch (client.runtime) {
    case "node":
      return { program: process.execPath, args: [...condition, "--expose-gc", ...nodeOptions, clientFile] };
    case "deno":
      return {
        program: inRoot("node_modules/deno/deno"),
        args: ["run", "-A", "--v8-flags=--expose-gc", ...condition, clientFile],
      };
    case "bun":
      return { program: inRoot("node_modules/.bin/bun"), args: [...condition, "--expose-gc", clientFile] };
    case "python":
      return { program: python, args: [here(`drivers/${client.driver}.py`)] };
    case "c":
      return { program: librabbitmqProgram, args: [] };
  }
}
