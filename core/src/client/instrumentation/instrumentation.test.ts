import { describe, expect, it } from "vitest";
import { encodeProperties } from "../../wire/properties.ts";
import { connect } from "../connect.ts";
import type { Hooks } from "./hooks.ts";
import { instrument } from "./observer.ts";
import type { ConnectOptions } from "../parameters.ts";
import { openRpcClient } from "../rpc/rpc-client.ts";
import { serve } from "../testing/fake-server.ts";
import { bytes, connected, errorOf, type Fixture, settled, withChannel } from "../testing/fixture.ts";
import { VirtualIo } from "../testing/virtual-io.ts";

const observed = (...hooks: Hooks[]): ConnectOptions => ({ instrumentation: instrument(...hooks) });

/** Hooks that write down what they see of publishing, and mark the messages. */
function publishes(log: string[], mark = "traced"): Hooks {
  return {
    publish: ({ exchange, routingKey, headers, confirms, properties }) => {
      const name = `${exchange}/${routingKey}`;
      headers[mark] = true;
      log.push(`publish ${name} ${String(confirms)} ${String(properties.messageId)}`);
      return (error) => log.push(`end ${name} ${error === undefined ? "well" : (error as { code: string }).code}`);
    },
  };
}

describe("hooks on publishing", () => {
  it("see the beginning and the end, and write headers", async () => {
    const log: string[] = [];
    const { io, server, channel } = await withChannel(observed(publishes(log), publishes(log, "too")));
    const headers = { mine: 1 };
    await channel.basicPublish({
      exchange: "e",
      routingKey: "r",
      properties: { messageId: "7", headers },
      body: bytes(""),
    });
    expect(headers).toEqual({ mine: 1 });
    await io.settle();
    expect(server.sentOf("basic.publish")[0]?.properties).toEqual({
      messageId: "7",
      headers: { mine: 1, traced: true, too: true },
    });
    expect(log).toEqual(["publish e/r false 7", "publish e/r false 7", "end e/r well", "end e/r well"]);
  });

  it("are told of confirms, nacks, and what could not be sent", async () => {
    const log: string[] = [];
    const { io, server, connection } = await connected(observed(publishes(log)));
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    const one = publisher.publish(bytes("1"), { properties: encodeProperties({ messageId: "1" }) });
    const two = errorOf(publisher.publish(bytes("2")));
    publisher.send(bytes("3"));
    publisher.send(bytes("4"));
    await io.settle();
    server.confirm(1, 1);
    server.method(1, "basic.nack", { deliveryTag: 2, requeue: false });
    server.confirm(1, 3);
    server.method(1, "basic.nack", { deliveryTag: 4, requeue: false });
    await io.settle();
    await one;
    expect(await two).toMatchObject({ code: "NACKED" });
    await expect(publisher.flush()).rejects.toMatchObject({ code: "FLUSH_FAILED", failed: 1 });
    const ill = errorOf(publisher.publish(bytes("5"), { routingKey: "x".repeat(300) }));
    expect(await ill).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => publisher.send(bytes("6"), { routingKey: "y".repeat(300) })).toThrow("routing");
    expect(log.slice(0, 2)).toEqual(["publish /q true 1", "publish /q true undefined"]);
    expect(log.filter((line) => line.startsWith("end")).map((line) => line.replace(/[xy]+/, ""))).toEqual(
      expect.arrayContaining(["end /q well", "end /q NACKED", "end / INVALID_ARGUMENT"]),
    );
    expect(log.filter((line) => line.startsWith("publish"))).toHaveLength(6);
    expect(log.filter((line) => line.startsWith("end"))).toHaveLength(6);
  });

  it("are told of remote calls: of their requests, and what became of these", async () => {
    const log: string[] = [];
    const { io, server, connection } = await connected(observed(publishes(log)));
    const client = await settled(io, openRpcClient(connection, { routingKey: "q", timeout: 100 }));
    const call = client.call(bytes("1"), { properties: { messageId: "1", headers: { mine: 1 } } });
    const late = errorOf(client.call(bytes("2")));
    const ill = errorOf(client.call(bytes("3"), { routingKey: "x".repeat(300) }));
    await io.settle();
    const [first] = server.sentOf("basic.publish");
    expect(first?.properties).toMatchObject({ messageId: "1", headers: { mine: 1, traced: true } });
    server.confirm(1, 1);
    server.deliver(1, "ctag1.1", ["one"], { correlationId: first?.properties?.correlationId });
    await settled(io, call);
    await io.advance(150);
    expect(await late).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    expect(await ill).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(log.map((line) => line.replace(/x+/, ""))).toEqual([
      "publish /q true 1",
      "publish /q true undefined",
      "publish / true undefined",
      "end / INVALID_ARGUMENT",
      "end /q well",
      "end /q TIMEOUT",
    ]);
  });

  it("are told that a request arrived whose reply was faster than its confirm", async () => {
    const log: string[] = [];
    const { io, server, connection } = await connected(observed(publishes(log)));
    const client = await settled(io, openRpcClient(connection, { routingKey: "q" }));
    const calls = [client.call(bytes("1")), errorOf(client.call(bytes("2")))];
    await io.settle();
    for (const { properties } of server.sentOf("basic.publish")) {
      const isFirst = properties?.correlationId?.endsWith(".1") === true;
      const headers = isFirst ? {} : { headers: { "x-rpc-error-code": "NO" } };
      server.deliver(1, "ctag1.1", ["reply"], { correlationId: properties?.correlationId, ...headers });
    }
    expect(await settled(io, Promise.all(calls))).toMatchObject([{}, { code: "RPC_FAILED", remoteCode: "NO" }]);
    expect(log.filter((line) => line.startsWith("end"))).toEqual(["end /q well", "end /q well"]);
    server.confirm(1, 2, true);
    await io.settle();
    expect(log).toHaveLength(4);
  });

  it.each([
    { properties: "text" },
    { properties: null },
    { properties: { headers: [1] } },
    { properties: { headers: new Date(0) } },
    { properties: { headers: "text" } },
    { properties: { messageId: 5 } },
    { exchange: 1 },
    { routingKey: null },
    { body: "text" },
  ])("leave bad input to be refused as it is without them: %j", async (bad) => {
    const message = { exchange: "e", routingKey: "r", body: bytes("1"), ...bad } as never;
    const [plain, hooked] = await Promise.all([withChannel(), withChannel(observed(publishes([])))]);
    const [expected, error] = await Promise.all(
      [plain, hooked].map(({ channel }) => errorOf(channel.basicPublish(message))),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", message: (expected as Error).message });
  });

  it("end at once for what is sent without confirms, and at the end of the wait for what waits", async () => {
    const log: string[] = [];
    const { io, server, connection } = await connected(observed(publishes(log)));
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q", confirm: false }));
    publisher.send(bytes("1"));
    expect(log).toEqual(["publish /q false undefined", "end /q well"]);
    log.length = 0;
    server.method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    publisher.send(bytes("2"));
    expect(log).toEqual(["publish /q false undefined"]);
    server.method(0, "connection.unblocked", {});
    await io.settle();
    expect(log).toEqual(["publish /q false undefined", "end /q well"]);
  });
});

describe("hooks on consuming", () => {
  async function consuming(hooks: Hooks): Promise<Fixture> {
    return connected(observed(hooks));
  }

  it("run the handler, with its own result, and see what is settled", async () => {
    const log: string[] = [];
    const { io, server, connection } = await consuming({
      deliver: (delivery, { queue, consumerTag, channel }, run) => {
        log.push(`begin ${delivery.deliveryTag} ${queue} ${String(consumerTag)} ${channel}`);
        void Promise.resolve(run()).then(
          () => log.push(`end ${delivery.deliveryTag}`),
          () => log.push(`failed ${delivery.deliveryTag}`),
        );
      },
      settle: ({ delivery, action, requeue, queue }) =>
        log.push(`${action} ${delivery.deliveryTag} ${String(requeue)} ${queue}`),
    });
    const opening = connection.openConsumer(
      { queue: "q", consumerTag: "c", requeue: false },
      async ({ deliveryTag }) => {
        await Promise.resolve();
        if (deliveryTag === 2) throw new Error("no");
      },
    );
    await settled(io, opening);
    server.deliver(1, "c", ["1", "2"]);
    await io.settle();
    expect(log).toEqual(["begin 1 q c 1", "begin 2 q c 1", "end 1", "ack 1 false q", "failed 2", "nack 2 false q"]);
    expect(server.log.slice(-2)).toEqual(["1 basic.ack 1", "1 basic.nack 2"]);
  });

  it("cannot keep the handler from running, run it twice, or change what it does", async () => {
    const reported: unknown[] = [];
    const runs: number[] = [];
    const deliver: NonNullable<Hooks["deliver"]>[] = [
      () => {},
      (_, __, run) => {
        run();
        run();
      },
      (_, __, run) => {
        run();
        throw new Error("after");
      },
      () => {
        throw new Error("before");
      },
      async (_, __, run) => {
        await Promise.resolve();
        run();
      },
    ];
    const { io, server, connection } = await connected(observed(...deliver.map((hook) => ({ deliver: hook }))));
    connection.on("callback-error", ({ error }) => reported.push((error as Error).message));
    const opening = connection.openConsumer({ queue: "q", consumerTag: "c" }, ({ deliveryTag }) => {
      runs.push(deliveryTag);
      if (deliveryTag === 2) throw new Error("handler");
    });
    await settled(io, opening);
    server.deliver(1, "c", ["1", "2"]);
    await io.settle();
    expect(runs).toEqual([1, 2]);
    expect(reported.filter((message) => message === "handler")).toHaveLength(1);
    expect(reported).toEqual(expect.arrayContaining(["after", "before"]));
    expect(server.log.slice(-2)).toEqual(["1 basic.ack 1", "1 basic.nack 2 requeue"]);
  });

  it("are not taken for failing where they hand on the promise of a handler that fails", async () => {
    const deliver: NonNullable<Hooks["deliver"]>[] = [
      (_, __, run) => run() as undefined,
      async (_, __, run) => {
        await run();
      },
      async (_, __, run) => {
        await Promise.resolve(run()).catch(() => {});
        throw new Error("hook");
      },
    ];
    const { io, server, connection } = await connected(observed(...deliver.map((hook) => ({ deliver: hook }))));
    const reported: unknown[] = [];
    connection.on("callback-error", ({ error }) => reported.push((error as Error).message));
    await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => Promise.reject(new Error("handler"))),
    );
    server.deliver(1, "c", ["1"]);
    await io.settle();
    expect(reported).toHaveLength(2);
    expect(reported).toEqual(expect.arrayContaining(["handler", "hook"]));
  });

  it("see messages that are iterated over, taken, and got, as somebody gets them", async () => {
    const log: string[] = [];
    const { io, server, connection } = await consuming({
      receive: ({ body }, { queue, consumerTag }) =>
        log.push(`${String.fromCharCode(...body)} ${queue} ${String(consumerTag)}`),
      settle: ({ delivery, action }) => log.push(`${action} ${String.fromCharCode(...delivery.body)}`),
    });
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    const first = consumer.take();
    server.deliver(1, "c", ["a", "b", "d"]);
    await io.settle();
    (await first)?.ack();
    expect(log).toEqual(["a q c", "ack a"]);
    const second = await consumer[Symbol.asyncIterator]().next();
    const third = await consumer.take();
    third?.ack({ multiple: true });
    expect(second.value?.outstanding).toBe(false);
    expect(log.slice(2)).toEqual(["b q c", "d q c", "ack b", "ack d"]);

    const channel = await settled(io, connection.openChannel());
    server.on("basic.get", (sent) => server.gotMessage(sent.channel, "g"));
    const got = await settled(io, channel.basicGet({ queue: "other" }));
    channel.basicNack({ deliveryTag: got?.deliveryTag ?? 0, multiple: true });
    expect(log.slice(6)).toEqual(["g other undefined", "nack g"]);
  });

  it("are told how long a message was waited for, and of one that did not come, with the reason", async () => {
    const log: string[] = [];
    const { io, server, connection } = await consuming({
      receive: ({ body }, { queue }, waited) => log.push(`${String.fromCharCode(...body)} of ${queue} after ${waited}`),
      missed: ({ queue, consumerTag, waited, error }) =>
        log.push(
          `none of ${queue} ${String(consumerTag)} after ${waited}, ${String((error as Error | undefined)?.name)}`,
        ),
    });
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    const late = consumer.take();
    await io.advance(20);
    server.deliver(1, "c", ["a", "b"]);
    await io.settle();
    await late;
    await consumer.take();
    const none = consumer.take({ timeout: 30 });
    await io.advance(30);
    await none;
    const controller = new AbortController();
    const aborted = errorOf(consumer.take({ signal: controller.signal }));
    controller.abort();
    await aborted;
    await errorOf(consumer.take({ signal: controller.signal }));
    await settled(io, consumer.cancel());
    expect(await consumer.take()).toBeUndefined();

    const channel = await settled(io, connection.openChannel());
    server.on("basic.get", ({ channel: number }) => server.method(number, "basic.get-empty", {}));
    await settled(io, channel.basicGet({ queue: "other" }));
    await settled(io, channel.close());
    await errorOf(channel.basicGet({ queue: "other" }));
    expect(log).toEqual([
      "a of q after 20",
      "b of q after 0",
      "none of q c after 30, undefined",
      "none of q c after 0, AbortError",
      "none of q c after 0, AbortError",
      "none of other undefined after 0, undefined",
      "none of other undefined after 0, ChannelError",
    ]);
  });

  it("are not told of what nobody was given, of what is settled twice, and of what was lost", async () => {
    const log: string[] = [];
    const { io, server, connection } = await consuming({ settle: ({ action }) => log.push(action) });
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    server.deliver(1, "c", ["a", "b", "d"]);
    await io.settle();
    const delivery = await consumer.take();
    delivery?.reject({ requeue: false });
    expect(() => delivery?.ack()).toThrow("settled already");
    const lost = await consumer.take();
    await settled(io, consumer.cancel());
    server.stream.end();
    await io.settle();
    expect(() => lost?.ack()).toThrow("closed");
    expect(log).toEqual(["reject"]);
  });
});

describe("hooks on connecting", () => {
  it("see attempts, the connection's events, and channels", async () => {
    const log: string[] = [];
    const hooks: Hooks = {
      connect: ({ address, round, connection: { name, endpoint } }) => {
        log.push(`connect ${address} ${round} ${String(name)} ${String(endpoint)}`);
        return (error) => log.push(`connected ${address} ${error === undefined}`);
      },
      connection: (event, { endpoint, virtualHost }) => {
        const { host } = endpoint as { host: string };
        log.push(`${event.type}${"epoch" in event ? ` ${event.epoch}` : ""} ${host} ${String(virtualHost)}`);
      },
      channel: ({ type, channel }) => log.push(`channel ${channel} ${type}`),
    };
    const io = new VirtualIo();
    const servers = serve(io);
    const accept = io.accept;
    io.accept = (stream) =>
      stream.endpoint.transport === "tcp" && stream.endpoint.host === "a" ? stream.end() : accept?.(stream);
    const endpoints = [{ host: "a" }, { host: "b" }];
    const connecting = connect(io, { endpoints, connectionName: "n", virtualHost: "v", ...observed(hooks) });
    await io.settle();
    const connection = await connecting;
    expect(connection).toMatchObject({ name: "n", endpoint: "b:5672" });
    expect(log).toEqual([
      "connect a:5672 1 n undefined",
      "connected a:5672 false",
      "connect b:5672 1 n undefined",
      "connected 1 b v",
      "connected b:5672 true",
    ]);
    log.length = 0;
    await settled(io, connection.openChannel());
    servers[0]?.stream.end();
    await io.settle();
    await settled(io, connection.close());
    expect(log.filter((line) => !line.startsWith("reconnect") && !line.startsWith("connect"))).toEqual([
      "channel 1 open",
      "channel 1 closed",
      "disconnected b v",
      "state b v",
      "channel 1 closed",
      "closed b v",
      "state b v",
    ]);
  });

  it("are functions", () => {
    expect(() => instrument({ publish: 1 } as never)).toThrow("The hook publish is a function, not number");
    expect(() => instrument(null as never)).toThrow("instrument takes objects");
    const io = new VirtualIo();
    return expect(connect(io, { instrumentation: {} as never })).rejects.toThrow(
      "instrumentation is what instrument() makes of hooks, not an object",
    );
  });
});
