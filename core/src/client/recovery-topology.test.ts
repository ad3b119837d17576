/** What is brought back, in which order, and what happens when the server refuses a part of it. */

import { describe, expect, it } from "vitest";
import type { ConsumerRecord, QueueRecord } from "../recovery/records.ts";
import type { TopologyFailure } from "./recovery-options.ts";
import { bytes, errorOf, failure, settled } from "./testing/fixture.ts";
import type { FakeServer } from "./testing/fake-server.ts";
import { firstDelay, recovering, recoveringChannel } from "./testing/recovering.ts";

/** A server that refuses a method so often, and then no more. */
function refuse(
  server: FakeServer,
  method: "queue.declare" | "queue.bind" | "basic.consume" | "exchange.declare",
  times: number,
  replyCode: number,
  replyText = "",
): void {
  let left = times;
  server.on(method, ({ channel, fields }) => {
    if (left > 0) {
      left -= 1;
      server.closeChannel(channel, replyCode, replyText);
    } else if (method === "basic.consume") {
      server.method(channel, "basic.consume-ok", { consumerTag: fields["consumerTag"] as string });
    } else if (method === "queue.declare") {
      server.method(channel, "queue.declare-ok", {
        queue: fields["queue"] as string,
        messageCount: 0,
        consumerCount: 0,
      });
    } else {
      server.method(channel, `${method}-ok` as "queue.bind-ok", {});
    }
  });
}

const declared = (server: FakeServer): unknown[] =>
  server.sent
    .filter(({ name }) => /\.(declare|bind)$/.test(name))
    .map(({ name, fields }) => `${name} ${String(fields["queue"] ?? fields["exchange"] ?? fields["destination"])}`);

describe("what is brought back", () => {
  it("is topology on a channel of its own, channels in their modes, consumers with their prefetch", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const second = await settled(io, connection.openChannel({ number: 4 }));
    const declare = [
      channel.exchangeDeclare({ exchange: "to", internal: true, arguments: { "alternate-exchange": "ae" } }),
      channel.exchangeDeclare({ exchange: "from", type: "topic", autoDelete: true }),
      channel.queueDeclare({ queue: "q", arguments: { "x-max-length": 7 } }),
      channel.queueBind({ queue: "q", exchange: "from", routingKey: "k", arguments: { a: 1 } }),
      channel.exchangeBind({ destination: "to", source: "from" }),
    ];
    await settled(io, Promise.all(declare));
    const inTwo = { exclusive: true, arguments: { "x-priority": 3 } };
    await settled(io, channel.basicQos({ prefetchCount: 4 }));
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "A" }, () => {}),
    );
    await settled(io, channel.basicQos({ prefetchCount: 1 }));
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "B", ...inTwo }, () => {}),
    );
    await settled(io, second.confirmSelect());
    await settled(io, second.basicQos({ prefetchCount: 50, global: true }));
    await cut();
    await comeBack();
    expect(server().log).toEqual([
      "1 channel.open",
      "1 exchange.declare",
      "1 exchange.declare",
      "1 queue.declare",
      "1 queue.bind",
      "1 exchange.bind",
      "1 channel.close",
      "1 channel.open",
      "4 channel.open",
      "1 basic.qos 4",
      "4 confirm.select",
      "1 basic.consume A",
      "4 basic.qos 50",
      "1 basic.qos 1",
      "1 basic.consume B",
    ]);
    expect(server().sentOf("exchange.declare")[0]?.fields).toMatchObject({ exchange: "to", internal: true });
    expect(server().sentOf("queue.declare")[0]?.fields).toMatchObject({
      durable: true,
      arguments: { "x-max-length": 7 },
    });
    expect(server().sentOf("queue.bind")[0]?.fields).toMatchObject({ routingKey: "k", arguments: { a: 1 } });
    expect(server().sentOf("basic.consume")[1]?.fields).toMatchObject({
      exclusive: true,
      arguments: { "x-priority": 3 },
    });
  });

  it("is a server-named queue under its new name, wherever the old one was", async () => {
    const { io, channel, cut, comeBack, server, events } = await recoveringChannel({}, (prepared, number) => {
      prepared.on("queue.declare", ({ channel: on }) =>
        prepared.method(on, "queue.declare-ok", { queue: `amq.gen-${number}`, messageCount: 0, consumerCount: 0 }),
      );
    });
    await settled(io, channel.queueDeclare());
    await settled(io, channel.queueBind({ queue: "", exchange: "amq.topic" }));
    const consumer = await settled(io, channel.basicConsume({ queue: "", consumerTag: "c" }));
    expect(consumer.queue).toBe("amq.gen-0");
    await cut();
    await comeBack();
    expect(events).toContain("queue-renamed amq.gen-0 amq.gen-1");
    expect(server().sentOf("queue.declare")[0]?.fields["queue"]).toBe("");
    expect(server().sentOf("queue.bind")[0]?.fields).toMatchObject({ queue: "amq.gen-1", exchange: "amq.topic" });
    expect(server().sentOf("basic.consume")[0]?.fields["queue"]).toBe("amq.gen-1");
    expect(consumer.queue).toBe("amq.gen-1");
    await settled(io, channel.queuePurge({ queue: "" }));
    expect(server().sentOf("queue.purge")[0]?.fields["queue"]).toBe("amq.gen-1");
  });

  it("is recorded of raw requests and of calls without an answer, too", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.request("exchange.declare", { exchange: "raw", type: "fanout", durable: true }));
    await settled(io, channel.queueDeclare({ queue: "quick", noWait: true }));
    await settled(io, channel.queueBind({ queue: "quick", exchange: "raw", noWait: true }));
    expect(connection.recordedCount).toBe(3);
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["exchange.declare raw", "queue.declare quick", "queue.bind quick"]);
  });

  it("is not what was only asked about, what everybody has, or what was deleted", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const calls = [
      channel.queueDeclare({ queue: "passive", passive: true }),
      channel.exchangeDeclare({ exchange: "passive", passive: true }),
      channel.exchangeDeclare({ exchange: "amq.direct" }),
      channel.exchangeDeclare({ exchange: "e" }),
      channel.queueDeclare({ queue: "q" }),
      channel.queueBind({ queue: "q", exchange: "e" }),
      channel.queueBind({ queue: "q", exchange: "e", routingKey: "k" }),
      channel.queueUnbind({ queue: "q", exchange: "e" }),
      channel.queueDelete({ queue: "q" }),
    ];
    await settled(io, Promise.all(calls));
    await cut();
    await comeBack();
    expect(connection.recordedCount).toBe(1);
    expect(declared(server())).toEqual(["exchange.declare e"]);
  });

  it("is not what was being deleted when the connection was lost, and is what could not be deleted", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("exchange.delete");
    });
    await settled(io, channel.exchangeDeclare({ exchange: "unwanted" }));
    await settled(io, channel.queueDeclare({ queue: "in use" }));
    server().on("queue.delete", ({ channel: on }) =>
      server().method(on, "channel.close", { replyCode: 406, replyText: "in use", classId: 50, methodId: 40 }),
    );
    const deleting = errorOf(channel.exchangeDelete({ exchange: "unwanted" }));
    await cut();
    expect(await deleting).toMatchObject({ outcome: "unknown" });
    await comeBack();
    expect(declared(server())).toEqual(["queue.declare in use"]);
    server().on("queue.delete", ({ channel: on }) =>
      server().method(on, "channel.close", { replyCode: 406, replyText: "in use", classId: 50, methodId: 40 }),
    );
    expect(await failure(io, channel.queueDelete({ queue: "in use", ifUnused: true }))).toMatchObject({
      replyCode: 406,
    });
    await cut();
    await io.advance(2_000);
    expect(declared(server())).toEqual(["queue.declare in use"]);
  });

  it("is what was to be deleted when the connection was lost, where that was not sent", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("queue.purge");
      prepared.on("queue.delete", ({ channel: on }) =>
        prepared.method(on, "channel.close", { replyCode: 406, replyText: "in use", classId: 50, methodId: 40 }),
      );
    });
    await settled(io, channel.queueDeclare({ queue: "q" }));
    // One request of a channel is in flight, and the others wait for its answer.
    const purging = errorOf(channel.queuePurge({ queue: "q" }));
    const deleting = errorOf(channel.queueDelete({ queue: "q", ifEmpty: true }));
    await cut();
    await comeBack();
    expect(await purging).toMatchObject({ outcome: "unknown" });
    expect(await deleting).toMatchObject({ outcome: "refused" });
    expect(declared(server())).toEqual(["queue.declare q"]);
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["queue.declare q"]);
  });

  it("is not what the server refused without being asked for an answer", async () => {
    const { io, connection, channel, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "bad", noWait: true }));
    expect(connection.recordedCount).toBe(1);
    server().method(1, "channel.close", {
      replyCode: 406,
      replyText: "PRECONDITION_FAILED",
      classId: 50,
      methodId: 10,
    });
    await io.settle();
    expect(connection.recordedCount).toBe(0);
  });

  it("is what the server refused to delete without being asked for an answer, with all that hung on it", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const other = await settled(io, connection.openChannel());
    await settled(io, channel.exchangeDeclare({ exchange: "source", autoDelete: true }));
    await settled(io, channel.queueDeclare({ queue: "used" }));
    await settled(io, channel.queueBind({ queue: "used", exchange: "source", routingKey: "k" }));
    await settled(io, other.basicConsume({ queue: "used", consumerTag: "c" }));
    await settled(io, channel.basicConsume({ queue: "used", consumerTag: "own" }));
    // An answer to what was asked before says nothing of the deletion.
    server().on("queue.purge");
    const purging = channel.queuePurge({ queue: "used" });
    await io.settle();
    await settled(io, channel.queueDelete({ queue: "used", ifUnused: true, noWait: true }));
    expect(connection.recordedCount).toBe(0);
    server().method(1, "queue.purge-ok", { messageCount: 0 });
    await settled(io, purging);
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - in use", classId: 50, methodId: 40 };
    server().method(1, "channel.close", reason);
    await io.settle();
    // The closed channel's consumer is gone.
    expect(connection.recordedCount).toBe(4);
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["exchange.declare source", "queue.declare used", "queue.bind used"]);
    expect(
      server()
        .sentOf("basic.consume")
        .map(({ fields }) => fields["consumerTag"]),
    ).toEqual(["c"]);
  });

  it("is not what was deleted on no condition, when a deletion behind it is refused", async () => {
    const { io, connection, channel, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "gone" }));
    await settled(io, channel.queueDeclare({ queue: "full" }));
    await settled(io, channel.exchangeDeclare({ exchange: "used" }));
    await settled(io, channel.queueDelete({ queue: "gone", noWait: true }));
    await settled(io, channel.queueDelete({ queue: "full", ifEmpty: true, noWait: true }));
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - not empty", classId: 50, methodId: 40 };
    server().method(1, "channel.close", reason);
    await io.settle();
    expect(connection.recordedCount).toBe(2);
  });

  it("is not what was deleted without an answer, once another call was answered", async () => {
    const { io, connection, channel, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(io, channel.queueDelete({ queue: "q", ifEmpty: true, noWait: true }));
    await settled(io, channel.queueDeclare({ queue: "behind" }));
    const deleting = errorOf(channel.queueDelete({ queue: "behind", ifUnused: true }));
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - in use", classId: 50, methodId: 40 };
    server().on("queue.delete", ({ channel: on }) => server().method(on, "channel.close", reason));
    await io.settle();
    await deleting;
    expect(connection.recordedCount).toBe(1);
  });

  it("is what was declared without an answer so long ago that it was not refused", async () => {
    const { io, connection, channel, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "first" }));
    await settled(io, channel.queueDelete({ queue: "first", noWait: true }));
    for (let i = 0; i < 1002; i += 1) await channel.queueDeclare({ queue: `q${i}`, noWait: true });
    await io.settle();
    server().method(1, "channel.close", { replyCode: 406, replyText: "no", classId: 50, methodId: 10 });
    await io.settle();
    expect(connection.recordedCount).toBe(2);
  });

  it("is what the mode and the filter leave", async () => {
    const declare = async (recovery: object) => {
      const fixture = await recoveringChannel({ recovery });
      const { io, channel } = fixture;
      await settled(io, channel.exchangeDeclare({ exchange: "durable" }));
      await settled(io, channel.exchangeDeclare({ exchange: "fleeting", autoDelete: true }));
      await settled(io, channel.queueDeclare({ queue: "mine", exclusive: true }));
      await settled(io, channel.queueBind({ queue: "mine", exchange: "durable" }));
      await settled(
        io,
        channel.basicConsume({ queue: "mine", consumerTag: "c" }, () => {}),
      );
      await fixture.cut();
      await fixture.comeBack();
      expect(fixture.server().sentOf("basic.consume")).toHaveLength(1);
      return declared(fixture.server());
    };
    expect(await declare({ topology: "transient" })).toEqual([
      "exchange.declare fleeting",
      "queue.declare mine",
      "queue.bind mine",
    ]);
    expect(await declare({ topology: "none" })).toEqual([]);
    const filter = { exchange: ({ name }: { name: string }) => name !== "durable", binding: () => false };
    expect(await declare({ filter })).toEqual(["exchange.declare fleeting", "queue.declare mine"]);
  });
});

describe("an item that the server refuses", () => {
  it("is left out and told, and hurts no channel: 406", async () => {
    const { io, channel, cut, comeBack, server, events } = await recoveringChannel({}, (prepared, number) => {
      if (number === 1) refuse(prepared, "exchange.declare", 1, 406, "PRECONDITION_FAILED");
    });
    await settled(io, channel.exchangeDeclare({ exchange: "changed" }));
    await settled(io, channel.exchangeDeclare({ exchange: "same" }));
    await settled(io, channel.exchangeBind({ destination: "same", source: "changed" }));
    await cut();
    await comeBack();
    expect(channel.state).toBe("open");
    expect(events.filter((event) => event.startsWith("topology-error"))).toEqual([
      "topology-error exchange skip",
      "topology-error binding skip",
    ]);
    expect(events.at(-1)).toBe("recovered but 2");
    expect(declared(server())).toEqual(["exchange.declare changed", "exchange.declare same"]);
    await cut();
    await io.advance(2_000);
    // The records are kept.
    expect(declared(server())).toEqual(["exchange.declare changed", "exchange.declare same", "exchange.bind same"]);
  });

  it("takes its bindings and consumers with it, none of them in silence: a queue", async () => {
    const { io, channel, cut, comeBack, events } = await recoveringChannel({}, (prepared, number) => {
      if (number === 1) refuse(prepared, "queue.declare", 1, 406);
    });
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(io, channel.queueBind({ queue: "q", exchange: "amq.fanout" }));
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await cut();
    await comeBack();
    expect(events.filter((event) => event.startsWith("topology-error"))).toHaveLength(3);
    expect(await consumer.ended).toMatchObject({ type: "not-recovered", error: { cause: { replyCode: 406 } } });
  });

  it("may be the queue that the application was deleting: its consumer hears of it", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("queue.delete");
    });
    await settled(io, channel.queueDeclare({ queue: "q" }));
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    const aborting = new AbortController();
    const deleting = errorOf(channel.queueDelete({ queue: "q", signal: aborting.signal }));
    aborting.abort();
    await deleting;
    await cut();
    await comeBack();
    expect(server().sentOf("basic.consume")).toHaveLength(0);
    expect(consumer.state).toBe("ended");
    expect(await consumer.ended).toMatchObject({ type: "not-recovered", error: { code: "CONSUMER_NOT_RECOVERED" } });
  });

  it("may be left out by the filter before it is tried: a consumer hears of it", async () => {
    const recovery = { filter: { consumer: ({ consumerTag }: { consumerTag: string }) => consumerTag !== "c" } };
    const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery });
    await settled(io, channel.queueDeclare({ queue: "q" }));
    const [left, kept] = await settled(
      io,
      Promise.all(["c", "d"].map((consumerTag) => channel.basicConsume({ queue: "q", consumerTag }, () => {}))),
    );
    await cut();
    await comeBack();
    expect(server().sentOf("basic.consume")).toHaveLength(1);
    expect(left).toMatchObject({ state: "ended" });
    expect(kept).toMatchObject({ state: "consuming" });
  });

  it("is waited for while a half-open old connection holds it: 405", async () => {
    const { io, connection, channel, cut, events } = await recoveringChannel({}, (prepared, number) => {
      if (number === 1) refuse(prepared, "queue.declare", 3, 405, "RESOURCE_LOCKED");
    });
    await settled(io, channel.queueDeclare({ queue: "mine", exclusive: true }));
    await cut();
    await io.advance(firstDelay + 2_999);
    expect(connection.state).toBe("recovering");
    await io.advance(1);
    expect(connection.state).toBe("open");
    expect(events.filter((event) => event === "topology-error queue retry")).toHaveLength(3);
    expect(events.at(-1)).toBe("recovered");
  });

  it("is started again with the other consumers of its channel: an exclusive one", async () => {
    const { io, connection, channel, cut, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 1) refuse(prepared, "basic.consume", 2, 403, "ACCESS_REFUSED - queue 'q' in exclusive use");
    });
    const first = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "A", exclusive: true }, () => {}),
    );
    const second = await settled(
      io,
      channel.basicConsume({ queue: "r", consumerTag: "B" }, () => {}),
    );
    await cut();
    await io.advance(firstDelay + 2_000);
    expect(connection.state).toBe("open");
    expect([first.state, second.state]).toEqual(["consuming", "consuming"]);
    expect(
      server()
        .sentOf("basic.consume")
        .map(({ fields }) => fields["consumerTag"]),
    ).toEqual(["A", "A", "A", "B"]);
  });

  it("gets back what it needs, with all its bindings: 404 for a consumer", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 1) refuse(prepared, "basic.consume", 1, 404, "NOT_FOUND - no queue 'q'");
    });
    await settled(io, channel.queueDeclare({ queue: "q", autoDelete: true }));
    await settled(io, channel.queueBind({ queue: "q", exchange: "amq.fanout" }));
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await cut();
    await comeBack();
    expect(consumer.state).toBe("consuming");
    expect(declared(server())).toEqual(["queue.declare q", "queue.bind q", "queue.declare q", "queue.bind q"]);
  });

  it("is left out when it cannot be sent: what a filter made of it is no table, or the server has smaller frames", async () => {
    const bad = { arguments: { bad: (() => {}) as never } };
    const filter = {
      queue: (queue: QueueRecord) => (queue.name === "q" ? { ...queue, ...bad } : true),
      consumer: (consumer: ConsumerRecord) => (consumer.consumerTag === "c" ? { ...consumer, ...bad } : true),
    };
    const large = { "x-large": "x".repeat(5_000) };
    const { io, channel, cut, comeBack, events } = await recoveringChannel(
      { recovery: { filter } },
      (prepared, number) => {
        if (number > 0) prepared.tune = { ...prepared.tune, frameMax: 4096 };
      },
    );
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(io, channel.exchangeDeclare({ exchange: "e", arguments: large }));
    const start = (consumerTag: string, more = {}) =>
      settled(
        io,
        channel.basicConsume({ queue: "other", consumerTag, ...more }, () => {}),
      );
    const consumers = [await start("c"), await start("d", { arguments: large }), await start("e")];
    await cut();
    await comeBack();
    expect(events.filter((event) => event.startsWith("topology-error"))).toEqual([
      "topology-error exchange skip",
      "topology-error queue skip",
      "topology-error consumer skip",
      "topology-error consumer skip",
    ]);
    expect(events.at(-1)).toBe("recovered but 4");
    expect(consumers.map(({ state }) => state)).toEqual(["ended", "ended", "consuming"]);
    expect(await consumers[0]?.ended).toMatchObject({ type: "not-recovered" });
  });

  it("is left out when nothing helps it: two bindings of a queue to an exchange of somebody else's that is gone", async () => {
    const binds = async (replyText: string): Promise<number> => {
      const { io, connection, channel, cut, comeBack, server, events } = await recoveringChannel(
        {},
        (prepared, number) => {
          if (number === 1) refuse(prepared, "queue.bind", 20, 404, replyText);
        },
      );
      await settled(io, channel.queueDeclare({ queue: "q" }));
      await settled(io, channel.queueBind({ queue: "q", exchange: "theirs", routingKey: "a" }));
      await settled(io, channel.queueBind({ queue: "q", exchange: "theirs", routingKey: "b" }));
      await cut();
      await comeBack();
      expect(connection.state).toBe("open");
      expect(events.filter((event) => event === "topology-error binding skip")).toHaveLength(2);
      expect(events.at(-1)).toBe("recovered but 2");
      return server().sentOf("queue.bind").length;
    };
    // Declaring the queue again would be of no use.
    expect(await binds("NOT_FOUND - no exchange 'theirs' in vhost '/'")).toBe(2);
    expect(await binds("NOT_FOUND")).toBe(8);
  });

  it("gets back what a binding of its needs, too: a queue and an exchange that go when nobody uses them", async () => {
    const { io, channel, cut, comeBack, server, events } = await recoveringChannel({}, (prepared, number) => {
      if (number !== 1) return;
      prepared.on("basic.consume", ({ channel: on, fields }) => {
        refuse(prepared, "basic.consume", 0, 0);
        // What was declared so far has gone again.
        refuse(prepared, "queue.bind", 1, 404, "NOT_FOUND - no exchange 'e' in vhost '/'");
        prepared.closeChannel(on, 404, `NOT_FOUND - no queue '${String(fields["queue"])}' in vhost '/'`);
      });
    });
    await settled(io, channel.exchangeDeclare({ exchange: "e", autoDelete: true }));
    await settled(io, channel.queueDeclare({ queue: "q", autoDelete: true }));
    await settled(io, channel.queueBind({ queue: "q", exchange: "e" }));
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await cut();
    await comeBack();
    expect(events.at(-1)).toBe("recovered");
    expect(consumer.state).toBe("consuming");
    const once = ["exchange.declare e", "queue.declare q", "queue.bind q"];
    expect(declared(server())).toEqual([
      ...once,
      "queue.declare q",
      "queue.bind q",
      "exchange.declare e",
      "queue.bind q",
    ]);
  });

  it("is poison when the server closes the connection for it, twice", async () => {
    const { io, connection, channel, cut, servers } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) return;
      prepared.on("basic.consume", ({ channel: on, fields }) => {
        const consumerTag = fields["consumerTag"] as string;
        if (consumerTag !== "bad") return prepared.method(on, "basic.consume-ok", { consumerTag });
        prepared.method(0, "connection.close", { replyCode: 530, replyText: "NOT_ALLOWED", classId: 60, methodId: 20 });
      });
    });
    const other = await settled(io, connection.openChannel());
    const bad = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "bad" }, () => {}),
    );
    const good = await settled(
      io,
      other.basicConsume({ queue: "q", consumerTag: "good" }, () => {}),
    );
    await cut();
    await io.advance(60_000);
    expect(connection.state).toBe("open");
    expect(servers).toHaveLength(4);
    expect(bad.state).toBe("ended");
    expect(good.state).toBe("consuming");
  });

  it("is for the application to decide on", async () => {
    for (const action of ["retry", "skip", "abort", "close"] as const) {
      const asked: TopologyFailure[] = [];
      const recovery = {
        onTopologyError: (failed: TopologyFailure) => {
          asked.push(failed);
          return action;
        },
      };
      const { io, connection, channel, cut, servers } = await recoveringChannel({ recovery }, (prepared, number) => {
        if (number === 1) refuse(prepared, "queue.declare", 1, 406, "PRECONDITION_FAILED");
      });
      await settled(io, channel.queueDeclare({ queue: "q" }));
      await cut();
      await io.advance(10_000);
      expect(asked).toMatchObject([{ item: { kind: "queue", queue: { name: "q" } }, attempt: 1, action: "skip" }]);
      expect(connection.state).toBe(action === "close" ? "closed" : "open");
      expect(servers).toHaveLength(action === "abort" ? 3 : 2);
      expect(servers[1]?.sentOf("queue.declare")).toHaveLength(action === "retry" ? 2 : 1);
      await settled(io, connection.close());
      expect(io.timers).toBe(0);
    }
  });
});

describe("a channel that the server closes", () => {
  it("in the same breath as it is restored, is reopened", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number !== 1) return;
      prepared.on("basic.consume", ({ channel: on }) => {
        prepared.on("basic.consume", () => prepared.method(on, "basic.consume-ok", { consumerTag: "c" }));
        prepared.together((answer) => {
          answer.method(on, "basic.consume-ok", { consumerTag: "c" });
          answer.method(on, "channel.close", { replyCode: 406, replyText: "", classId: 0, methodId: 0 });
        });
      });
    });
    const handled: string[] = [];
    const take = ({ consumerTag }: { readonly consumerTag: string }): void => void handled.push(consumerTag);
    await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }, take));
    await cut();
    await comeBack();
    await io.advance(firstDelay);
    expect(server().sentOf("basic.consume")).toHaveLength(2);
    server().deliver(1, "c", ["m"]);
    await io.settle();
    expect(handled).toEqual(["c"]);
  });

  it("is dead when it is the application's, and leaves what it declared", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    server().closeChannel(1, 406, "PRECONDITION_FAILED");
    await io.settle();
    expect(channel.state).toBe("closed");
    expect(connection.recordedCount).toBe(1);
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["queue.declare q"]);
    expect(server().sentOf("channel.open")).toHaveLength(1);
  });

  it("is opened again for a publisher, and only the guilty message fails", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    const guilty = errorOf(publisher.publish(bytes("guilty"), { exchange: "missing" }));
    await io.settle();
    server().closeChannel(1, 404, "NOT_FOUND - no exchange 'missing'", "basic.publish");
    await io.settle();
    expect(await guilty).toMatchObject({ code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 404, outcome: "unknown" });
    expect(publisher.state).toBe("recovering");
    const next = publisher.publish(bytes("next"));
    await io.advance(firstDelay);
    expect(publisher.state).toBe("open");
    server().confirm(1, 1);
    await settled(io, next);
    expect(connection.state).toBe("open");
  });

  it("is opened again and again for a publisher with longer and longer waits", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    server().on("basic.publish", ({ channel }) => server().closeChannel(channel, 404, "NOT_FOUND", "basic.publish"));
    let failed = 0;
    const stop = io.now() + 600_000;
    while (io.now() < stop) {
      await errorOf(
        Promise.race([publisher.publish(bytes("m")), io.advance(30_000).then(() => Promise.reject(new Error()))]),
      );
      failed += 1;
    }
    expect(failed).toBeLessThan(60);
    expect(server().sentOf("channel.open").length).toBeLessThan(40);
  });

  it("is opened again for a consumer that was too slow, and its number is nobody else's meanwhile", async () => {
    const { io, connection, server } = await recovering();
    const consumer = await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server().closeChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out");
    await io.settle();
    expect((await settled(io, connection.openChannel())).number).toBe(2);
    await io.advance(firstDelay);
    expect(consumer.state).toBe("consuming");
    expect(server().log.filter((line) => line.startsWith("1 "))).toEqual([
      "1 channel.open",
      "1 basic.qos 256",
      "1 basic.consume c",
      "1 channel.close-ok",
      "1 channel.open",
      "1 basic.qos 256",
      "1 basic.consume c",
    ]);
  });

  it("comes back with the connection when that is lost meanwhile", async () => {
    const { io, connection, cut, comeBack, server } = await recovering();
    const consumer = await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server().closeChannel(1, 404, "NOT_FOUND");
    await io.settle();
    await cut();
    await comeBack();
    await io.advance(60_000);
    expect(consumer.state).toBe("consuming");
    expect(server().sentOf("basic.consume")).toHaveLength(1);
    expect(connection.state).toBe("open");
  });
});

it("records of things that the server deletes by itself do not pile up", async () => {
  const { io, connection, channel } = await recoveringChannel();
  for (let round = 0; round < 20; round += 1) {
    await settled(io, channel.exchangeDeclare({ exchange: `e${round}`, autoDelete: true }));
    await settled(io, channel.queueDeclare({ queue: `q${round}`, autoDelete: true }));
    await settled(io, channel.queueBind({ queue: `q${round}`, exchange: `e${round}` }));
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: `q${round}` }, () => {}),
    );
    await settled(io, consumer.cancel());
  }
  expect(connection.recordedCount).toBe(0);
});
