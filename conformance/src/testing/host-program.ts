/**
 * Hosts for runtimes other than Node, as a program of Node's: peers, brokers and proxies that share neither the loop nor
 * the mistakes of the runtime under test. `NodeHosts` starts it, and calls its objects: on standard input comes one call
 * per line, on standard output leaves one answer per line, both in JSON. It ends when its input does.
 */

import { createInterface } from "node:readline";
import { startEmbedded } from "./embedded-host.ts";
import { type HostAnswer, type HostCall, toJson, fromJson } from "./node-hosts.ts";
import { rabbitMQHost } from "./rabbitmq-host.ts";
import { RelayPeerHost } from "./relay-peer-host.ts";

type Callable = Record<string, (...args: readonly unknown[]) => unknown>;

/** What can be called, by number; the first is what a program begins with. */
const objects: unknown[] = [{ startPeers: () => RelayPeerHost.start(), startEmbedded, rabbitMQ: rabbitMQHost }];

async function serve(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    // Calls do not wait for each other: the second may be what the first is waiting for.
    void answer(fromJson(line) as HostCall).then((said) => process.stdout.write(`${toJson(said)}\n`));
  }
  for (const object of objects) await (object as Partial<Callable>)["close"]?.();
  process.exit();
}

async function answer({ id, object, method, args }: HostCall): Promise<HostAnswer> {
  try {
    const result: unknown = await (objects[object] as Callable)[method]?.(...args);
    const methods = methodsOf(result);
    if (methods.length === 0) return { id, result };
    return { id, result, object: objects.push(result) - 1, methods };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** The names of an object's methods, its own and those of its class. */
function methodsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const prototype = Object.getPrototypeOf(value) as object;
  const names = [
    ...Object.keys(value),
    ...(prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype)),
  ];
  return names.filter((name) => name !== "constructor" && typeof Reflect.get(value, name) === "function");
}

void serve();
