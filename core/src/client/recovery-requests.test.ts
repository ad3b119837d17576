/** What becomes of a request that had not been sent, or was not answered, when the connection was lost. */

import { describe, expect, it } from "vitest";
import type { Connection } from "./connection.ts";
import { errorOf, settled, stateOf } from "./testing/fixture.ts";
import { lostUnknown, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("a request", () => {
  it("that is not sent stays behind the gate: both calls made while down, and those that waited for their turn", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("queue.purge");
    });
    const inFlight = errorOf(channel.queuePurge({ queue: "first" }));
    const behind = channel.queuePurge({ queue: "second" });
    await io.settle();
    await cut();
    const down = channel.queuePurge({ queue: "third" });
    expect(await inFlight).toMatchObject(lostUnknown);
    expect(await stateOf(behind)).toBe("pending");
    await comeBack();
    expect(await settled(io, Promise.all([behind, down]))).toEqual([{ messageCount: 7 }, { messageCount: 7 }]);
    expect(
      server()
        .sentOf("queue.purge")
        .map(({ fields }) => fields["queue"]),
    ).toEqual(["second", "third"]);
  });

  it.each([
    ["queue.declare", (channel) => channel.queueDeclare({ queue: "q" })],
    ["queue.bind", (channel) => channel.queueBind({ queue: "q", exchange: "e" })],
    ["queue.unbind", (channel) => channel.queueUnbind({ queue: "q", exchange: "e" })],
    ["queue.delete", (channel) => channel.queueDelete({ queue: "q" })],
    ["exchange.declare", (channel) => channel.exchangeDeclare({ exchange: "e" })],
    ["basic.qos", (channel) => channel.basicQos({ prefetchCount: 1 })],
    ["basic.get", (channel) => channel.basicGet({ queue: "q" })],
    ["basic.consume", (channel) => channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {})],
  ] as const satisfies readonly (readonly [
    string,
    (channel: Awaited<ReturnType<Connection["openChannel"]>>) => Promise<unknown>,
  ])[])("that is unanswered has an unknown outcome, and is not recorded: %s", async (method, call) => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on(method);
    });
    const error = errorOf(call(channel));
    await io.settle();
    await cut();
    expect(await error).toMatchObject(lostUnknown);
    expect(connection.recordedCount).toBe(0);
    await comeBack();
    expect(channel.state).toBe("open");
    expect(server().sentOf(method)).toEqual([]);
  });
});

describe("retryIdempotent", () => {
  it("makes a request again that may be made twice, and records it once", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel(
      { recovery: { retryIdempotent: true } },
      (prepared, number) => {
        if (number === 0) prepared.on("queue.declare");
      },
    );
    const declaring = channel.queueDeclare({ queue: "q" });
    await io.settle();
    await cut();
    expect(await stateOf(declaring)).toBe("pending");
    await comeBack();
    expect(await settled(io, declaring)).toMatchObject({ queue: "q" });
    expect(server().sentOf("queue.declare").length).toBe(1);
    expect(connection.recordedCount).toBe(1);
  });

  it("makes no other request again", async () => {
    const { io, channel, cut } = await recoveringChannel({ recovery: { retryIdempotent: true } }, (prepared) =>
      prepared.on("queue.purge"),
    );
    const lost = errorOf(channel.queuePurge({ queue: "q" }));
    await io.settle();
    await cut();
    expect(await lost).toMatchObject(lostUnknown);
  });
});

describe("update-secret", () => {
  it("waits while down, and is unknown when it was sent", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number === 0) prepared.on("connection.update-secret");
    });
    const sent = errorOf(connection.updateSecret({ newSecret: "s", reason: "r" }));
    await io.settle();
    await cut();
    expect(await sent).toMatchObject(lostUnknown);
    const waiting = connection.updateSecret({ newSecret: "s", reason: "r" });
    await comeBack();
    await settled(io, waiting);
    expect(server().sentOf("connection.update-secret")).toHaveLength(1);
  });
});
