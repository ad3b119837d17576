/** What an application can see of the client at work: hooks, states, counters, and errors that name the caller. */

import { type Hooks, instrument, logTo } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const observabilityCases: readonly ConformanceCase[] = [
  {
    name: "hooks follow a message from its publishing to its settling, and send headers along",
    async run(scene) {
      const log: string[] = [];
      const hooks: Hooks = {
        publish({ headers, routingKey }) {
          headers["trace"] = "t1";
          log.push("publish");
          return (error) => log.push(`confirmed ${error === undefined} ${routingKey === queue}`);
        },
        deliver({ properties }, reception, run) {
          log.push(`deliver ${String(properties.headers?.["trace"])} ${reception.queue === queue}`);
          run();
          log.push("handled");
        },
        settle({ action, delivery }) {
          log.push(`${action} ${String(text(delivery))}`);
        },
      };
      const { connection, channel } = await scene.open({ instrumentation: instrument(hooks) });
      const queue = await scene.queue(channel);
      const publisher = await connection.openPublisher({ routingKey: queue });
      await publisher.publish(bytes("hello"), { properties: { headers: { own: 1 } } });
      await channel.basicConsume({ queue }, () => {});
      await scene.until(() => log.length === 5, "the message to be settled");
      same(log, ["publish", "confirmed true true", "deliver t1 true", "handled", "ack hello"], "what the hooks saw");
    },
  },
  {
    name: "hooks see what is iterated over and what is got, and why a publish failed",
    async run(scene) {
      const log: string[] = [];
      const hooks: Hooks = {
        publish: () => (error) => log.push(error === undefined ? "well" : (error as { code: string }).code),
        receive: (delivery, { consumerTag }, waited) =>
          log.push(`${String(text(delivery))} ${consumerTag !== undefined} ${waited >= 0}`),
        missed: ({ queue: of, error }) => log.push(`none ${of === queue} ${String(error)}`),
        settle: ({ action, requeue }) => log.push(`${action} ${requeue}`),
      };
      const { connection, channel } = await scene.open({ instrumentation: instrument(hooks) });
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b");
      const got = await channel.basicGet({ queue });
      got?.nack({ requeue: false });
      const consumer = await channel.basicConsume({ queue });
      for await (const delivery of consumer) {
        delivery.ack();
        break;
      }
      await channel.basicGet({ queue });
      const publisher = await connection.openPublisher({ routingKey: scene.name("nowhere"), mandatory: true });
      await publisher.publish(bytes("x")).catch(() => {});
      same(
        log,
        ["a false true", "nack false", "b true true", "ack false", "none true undefined", "UNROUTABLE"],
        "what the hooks saw",
      );
    },
  },
  {
    name: "hooks and a log see connecting, channels, and the end",
    async run(scene) {
      const log: string[] = [];
      const hooks: Hooks = {
        connect: ({ round }) => {
          log.push(`connect ${round}`);
          return (error) => log.push(`over ${error === undefined}`);
        },
        connection: ({ type }) => log.push(type),
        channel: ({ type, channel }) => log.push(`channel ${channel} ${type}`),
      };
      const lines: string[] = [];
      const write = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
      const logger = { debug: write, info: write, warn: write, error: write };
      const instrumentation = instrument(hooks, logTo(logger));
      const { connection } = await scene.open({ instrumentation, connectionName: "observed" });
      await connection.close();
      same(
        log,
        ["connect 1", "connected", "over true", "channel 1 open", "state", "channel 1 closed", "closed", "state"],
        "what the hooks saw",
      );
      same(lines, ['connected {"connection":"observed","epoch":1}', 'closed {"connection":"observed"}'], "the log");
      same(connection.name, "observed", "the name");
      ok(connection.endpoint !== "", "it knows where it was connected to");
    },
  },
  {
    name: "a connection tells its states, and counts over its whole life",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const connection = await scene.connect({ ...proxy.address, recovery: { backoff: { base: 20 } } });
      const states: string[] = [];
      connection.on("state", ({ state }) => states.push(state));
      const publisher = await connection.openPublisher({ routingKey: scene.name("nowhere") });
      await publisher.publish(bytes("one"));
      const before = { ...connection.counters };
      await proxy.break("cut");
      await scene.until(() => states.at(-1) === "open", "the connection to be open again");
      await publisher.publish(bytes("two"));
      like(connection.counters, { messagesPublished: 1 }, "counted since it recovered");
      like(connection.totals, { messagesPublished: 2 }, "counted in all");
      ok(connection.totals.bytesReceived > (before.bytesReceived ?? 0), "bytes are counted in all");
      same(connection.inFlight, { publishes: 0, deliveries: 0, requests: 0 }, "what is under way");
      await connection.close();
      same(states, ["connecting", "recovering", "open", "closing", "closed"], "the states");
    },
  },
  {
    name: "a connection that connects again can be closed, and is over then",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const connection = await scene.connect({ ...proxy.address, recovery: { backoff: { base: 60_000 } } });
      const down = new Promise<void>((resolve) => connection.on("disconnected", () => resolve()));
      await proxy.break("reset");
      await scene.soon(down, "the loss");
      await scene.soon(Promise.all([connection.close(), connection.close()]), "the end");
      same(connection.state, "closed", "the state");
      same(await connection.closed, undefined, "the reason");
    },
  },
  {
    name: "credentials that expire are renewed in time, and the connection goes on",
    async run(scene) {
      const { username, password } = scene.broker;
      let asked = 0;
      const credentials = () => {
        asked += 1;
        return { username, password, validFor: 1_500 };
      };
      const { connection, channel } = await scene.open({ credentials });
      const renewed: unknown[] = [];
      connection.on("credentials-renewed", (event) => renewed.push(event));
      await scene.until(() => renewed.length >= 2, "two renewals");
      same(renewed.slice(0, 2), [{ validFor: 1_500 }, { validFor: 1_500 }], "what listeners heard");
      ok(asked >= 3, "it was asked again");
      await scene.queue(channel);
    },
  },
  {
    name: "credentials that are not given when they are asked for again are asked for once more, and told",
    async run(scene) {
      const { username, password } = scene.broker;
      let asked = 0;
      const credentials = () => {
        asked += 1;
        if (asked === 2) throw new Error("the vault is closed");
        return { username, password, validFor: asked === 1 ? 1_500 : undefined };
      };
      const connection = await scene.connect({ credentials });
      const heard: string[] = [];
      connection.on("credentials-failed", ({ attempt, error }) => heard.push(`${attempt} ${(error as Error).message}`));
      connection.on("credentials-renewed", () => heard.push("renewed"));
      await scene.until(() => heard.length === 2, "the renewal");
      same(heard, ["1 the vault is closed", "renewed"], "what listeners heard");
      same(connection.state, "open", "the state");
    },
  },
  {
    name: "errors name the function that made the call",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = scene.name("none");
      // Not in a tail call, of which JavaScriptCore keeps no frame.
      async function whoeverDeclares(): Promise<void> {
        await channel.queueDeclare({ queue, passive: true });
      }
      const error = await whoeverDeclares().then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      ok(String(error?.stack).includes("whoeverDeclares"), `the stack is ${String(error?.stack)}`);
    },
  },
];
