/** What is recorded, and brought back, in which order. */

import { describe, expect, it } from "vitest";
import type { FieldValue } from "../wire/field-values.ts";
import { errorOf, failure, settled } from "./testing/fixture.ts";
import { declared, recoveringChannel } from "./testing/recovering.ts";

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

  it("has the arguments of the calls, whatever their owner makes of them later", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const list = ["as it was"];
    const inner: Record<string, FieldValue> = { "x-b": "as it was", list };
    const table: Record<string, FieldValue> = { "x-a": "as it was", inner, at: new Date(0) };
    const asItWas = structuredClone(table);
    const change = (word: string): void => {
      table["x-a"] = word;
      inner["x-b"] = word;
      list[0] = word;
    };
    const calls = [
      channel.exchangeDeclare({ exchange: "e", arguments: table }),
      channel.exchangeDeclare({ exchange: "e2", arguments: table, noWait: true }),
      channel.queueDeclare({ queue: "q", arguments: table }),
      channel.queueBind({ queue: "q", exchange: "e", arguments: table }),
      channel.exchangeBind({ destination: "e2", source: "e", arguments: table }),
      channel.basicConsume({ queue: "q", arguments: table }, () => {}),
    ];
    change("before the answer");
    await settled(io, Promise.all(calls));
    change("after the answer");
    await cut();
    await comeBack();
    const methods = ["exchange.declare", "queue.declare", "queue.bind", "exchange.bind", "basic.consume"] as const;
    const sent = methods.flatMap((method) => server().sentOf(method));
    expect(sent).toHaveLength(6);
    for (const { fields } of sent) expect(fields["arguments"]).toEqual(asItWas);
  });

  it("is a binding with the key that it was made with, where RabbitMQ fills one in", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "q" }));
    // The queue that was declared last, whose name is the key where both are empty.
    for (const [queue, routingKey] of [
      ["", "k"],
      ["q", ""],
      ["", ""],
    ] as const) {
      await settled(io, channel.queueBind({ queue, exchange: "amq.topic", routingKey }));
    }
    await cut();
    await comeBack();
    const bound = server().sentOf("queue.bind");
    expect(bound.map(({ fields }) => [fields["queue"], fields["routingKey"]])).toEqual([
      ["q", "k"],
      ["q", ""],
      ["q", "q"],
    ]);
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

  it("is what the server refused to delete on a condition, with all that hung on it", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const other = await settled(io, connection.openChannel());
    await settled(io, channel.exchangeDeclare({ exchange: "source", autoDelete: true }));
    await settled(io, channel.queueDeclare({ queue: "used" }));
    await settled(io, channel.queueBind({ queue: "used", exchange: "source", routingKey: "k" }));
    await settled(io, other.basicConsume({ queue: "used", consumerTag: "c" }));
    await settled(io, channel.basicConsume({ queue: "used", consumerTag: "own" }));
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - in use", classId: 50, methodId: 40 };
    server().on("queue.delete", ({ channel: on }) => server().method(on, "channel.close", reason));
    const deleting = failure(io, channel.queueDelete({ queue: "used", ifUnused: true, noWait: true }));
    expect(await deleting).toMatchObject({ replyCode: 406, outcome: "refused" });
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

  it("is of several that were to be deleted on conditions, without waiting, the one that was refused and those behind", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    for (const queue of ["gone", "full", "behind"]) await settled(io, channel.queueDeclare({ queue }));
    await settled(io, channel.exchangeDeclare({ exchange: "unused" }));
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - not empty", classId: 50, methodId: 40 };
    server().on("queue.delete", ({ channel: on, fields }) => {
      if (fields["queue"] === "full") server().method(on, "channel.close", reason);
      else server().method(on, "queue.delete-ok", { messageCount: 0 });
    });
    const deletions = [
      channel.exchangeDelete({ exchange: "unused", ifUnused: true, noWait: true }),
      channel.queueDelete({ queue: "gone", ifEmpty: true, noWait: true }),
      errorOf(channel.queueDelete({ queue: "full", ifEmpty: true, noWait: true })),
      errorOf(channel.queueDelete({ queue: "behind", ifEmpty: true, noWait: true })),
    ];
    const [, gone, refused, behind] = await settled(io, Promise.all(deletions));
    expect(gone).toBeUndefined();
    expect(refused).toMatchObject({ replyCode: 406, outcome: "refused" });
    expect(behind).toMatchObject({ replyCode: 406, outcome: "not-sent" });
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["queue.declare full", "queue.declare behind"]);
  });

  it("is not what may be deleted: nobody knows what the server did that took too long, or closed the channel for no method", async () => {
    for (const end of ["late", "closed"]) {
      const { io, connection, channel, server } = await recoveringChannel({ requestTimeout: 1_000 });
      await settled(io, channel.queueDeclare({ queue: "q" }));
      server().on("queue.delete");
      const deleting = errorOf(channel.queueDelete({ queue: "q" }));
      await io.settle();
      if (end === "closed") server().closeChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement timed out");
      await io.advance(1_000);
      expect(await deleting).toMatchObject({ name: "ChannelError", outcome: "unknown" });
      expect(connection.recordedCount).toBe(0);
    }
  });

  it("is not what was deleted on no condition, when a deletion behind it is refused", async () => {
    const { io, connection, channel, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "gone" }));
    await settled(io, channel.queueDeclare({ queue: "full" }));
    await settled(io, channel.exchangeDeclare({ exchange: "used" }));
    await settled(io, channel.queueDelete({ queue: "gone", noWait: true }));
    const reason = { replyCode: 406, replyText: "PRECONDITION_FAILED - not empty", classId: 50, methodId: 40 };
    server().on("queue.delete", ({ channel: on }) => server().method(on, "channel.close", reason));
    await failure(io, channel.queueDelete({ queue: "full", ifEmpty: true, noWait: true }));
    expect(connection.recordedCount).toBe(2);
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
