/** The blocking cases as tests, in whichever runtime: against RabbitMQ, and against the embedded broker in another process. */

import { Worker } from "node:worker_threads";
import type { BlockingConnection, BlockingConnectOptions, CallbackHandle } from "@leveret/core/blocking";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { blockingCases } from "../blocking/blocking-cases.ts";
import type { BlockingScene } from "../blocking/blocking-scene.ts";
import type { BrokerHost } from "../cases/index.ts";
import { NodeHosts } from "./node-hosts.ts";

const limit = 60_000;

/** Registers the cases, with a runtime's blocking `connect`. */
export function registerBlockingCases(connect: (options: BlockingConnectOptions) => BlockingConnection): void {
  const coordinates = inject("rabbitmq");
  const hosts = new NodeHosts();
  afterAll(() => hosts.close());

  const register = (start: () => Promise<BrokerHost>): void => {
    let host: BrokerHost;
    beforeAll(async () => {
      host = await start();
    });
    for (const one of blockingCases) {
      it(one.name, { timeout: limit }, async (context) => {
        if (one.needs?.some((need) => !host.facts.offers.includes(need)) === true) context.skip("the broker lacks it");
        const opened: BlockingConnection[] = [];
        try {
          await one.run(sceneOf(host, connect, opened));
        } finally {
          for (const connection of opened) connection.close({ timeout: 500 });
        }
      });
    }
  };

  describe(`RabbitMQ ${coordinates.version}`, () => {
    register(() => hosts.rabbitMQ(coordinates));
  });
  // Each case starts a worker or two: the profiles differ in nothing that matters here.
  describe("the embedded broker", () => {
    register(() => hosts.startEmbedded("4.3"));
  });
}

function sceneOf(
  host: BrokerHost,
  connect: (options: BlockingConnectOptions) => BlockingConnection,
  opened: BlockingConnection[],
): BlockingScene {
  const prefix = `leveret.blocking.${Math.random().toString(36).slice(2)}`;
  let names = 0;
  const { address, username, password, virtualHost } = host.facts;
  return {
    host,
    now: () => performance.now(),
    connect: (options = {}) => {
      const own = options.uri !== undefined || options.endpoints !== undefined || options.host !== undefined;
      const connection = connect({
        ...(own ? {} : (address as BlockingConnectOptions)),
        credentials: { username, password },
        virtualHost,
        timeout: 20_000,
        ...options,
      });
      opened.push(connection);
      return connection;
    },
    name: (kind) => {
      names += 1;
      return `${prefix}.${kind}${names}`;
    },
    callFromAnotherThread,
  };
}

function callFromAnotherThread(handle: CallbackHandle, values: readonly unknown[]): void {
  const program = new URL("call-from-another-thread.ts", import.meta.url);
  const transferList = [handle.port as never];
  new Worker(program, { workerData: { handle, values }, transferList }).unref();
}
