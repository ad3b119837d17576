/** What recovery does about an item that the server refuses: wait, repair, leave out, or ask the application. */

import { describe, expect, it } from "vitest";
import type { ConsumerRecord, QueueRecord } from "../recovery/records.ts";
import type { TopologyFailure } from "./recovery-options.ts";
import type { FakeServer } from "./testing/fake-server.ts";
import { errorOf, settled } from "./testing/fixture.ts";
import { declared, firstDelay, recoveringChannel } from "./testing/recovering.ts";

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
