/** What an application may ask of recovery beyond its defaults, and what its errors say. */

import { describe, expect, it } from "vitest";
import type { ConsumerDelivery } from "./delivery.ts";
import { recoveryOf } from "./errors.ts";
import { keepOpen } from "./kept-channel.ts";
import { errorOf, failure, settled, stateOf } from "./testing/fixture.ts";
import { firstDelay, message, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("recoveryOf", () => {
  it("resolves when the connection is open again whose loss took the call along", async () => {
    const { io, channel, cut, comeBack } = await recoveringChannel({}, (prepared) => prepared.on("queue.purge"));
    const lost = errorOf(channel.queuePurge({ queue: "q" }));
    await io.settle();
    await cut();
    const again = recoveryOf(await lost);
    expect(await stateOf(again as Promise<void>)).toBe("pending");
    await comeBack();
    await again;
    // Who asks later need not wait.
    await recoveryOf(await lost);
  });

  it("rejects when the connection does not come back", async () => {
    const { io, connection, channel, cut } = await recoveringChannel({}, (prepared) => prepared.on("queue.purge"));
    const lost = errorOf(channel.queuePurge({ queue: "q" }));
    await io.settle();
    await cut();
    const again = errorOf(recoveryOf(await lost) as Promise<void>);
    await settled(io, connection.close());
    expect(await again).toMatchObject({ code: "CONNECTION_CLOSED" });
  });

  it("knows nothing of other errors, and of connections that do not recover", async () => {
    const { io, channel, cut } = await recoveringChannel({ recovery: false }, (prepared) => prepared.on("queue.purge"));
    const lost = errorOf(channel.queuePurge({ queue: "q" }));
    await io.settle();
    await cut();
    expect([recoveryOf(await lost), recoveryOf(new Error("other")), recoveryOf("text"), recoveryOf(null)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

it("a get without acknowledgements that was unanswered says that its message may be lost, and no other call does", async () => {
  const { io, connection, channel, cut, comeBack } = await recoveringChannel({}, (prepared) => {
    prepared.on("basic.get");
    prepared.on("queue.purge");
  });
  const other = await settled(io, connection.openChannel());
  const third = await settled(io, connection.openChannel());
  const lost = [
    errorOf(channel.basicGet({ queue: "q", noAck: true })),
    errorOf(other.basicGet({ queue: "q" })),
    errorOf(third.queuePurge({ queue: "q" })),
  ];
  await io.settle();
  await cut();
  const errors = (await Promise.all(lost)) as { outcome: string; possibleLoss: boolean }[];
  expect(errors.map(({ outcome, possibleLoss }) => [outcome, possibleLoss])).toEqual([
    ["unknown", true],
    ["unknown", false],
    ["unknown", false],
  ]);
  await comeBack();
});

describe("record: false", () => {
  it("keeps what was declared and bound out of recovery, and a queue's name is known all the same", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const calls = [
      channel.exchangeDeclare({ exchange: "e", record: false }),
      channel.queueDeclare({ queue: "q", record: false }),
      channel.queueBind({ queue: "q", exchange: "e", record: false }),
      channel.exchangeBind({ source: "e", destination: "f", record: false }),
    ];
    await settled(io, Promise.all(calls));
    await settled(io, channel.queueDeclare({ queue: "noWait", record: false, noWait: true }));
    expect(connection.recordedCount).toBe(0);
    await settled(io, channel.queuePurge({ queue: "" }));
    expect(server().sentOf("queue.purge")[0]?.fields["queue"]).toBe("noWait");
    await cut();
    await comeBack();
    expect(server().log).toEqual(["1 channel.open"]);
  });
});

describe("a consumer of a stream with resumeBehind: acknowledged", () => {
  const options = {
    queue: "s",
    consumerTag: "c",
    arguments: { "x-stream-offset": "first" },
    resumeBehind: "acknowledged",
  } as const;
  const offsetOf = (fields: Readonly<Record<string, unknown>> | undefined): unknown =>
    (fields?.["arguments"] as Record<string, unknown> | undefined)?.["x-stream-offset"];

  it("goes on with the first message that is not acknowledged, also when it is lost twice before that comes", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const got: ConsumerDelivery[] = [];
    await settled(
      io,
      channel.basicConsume({ ...options }, (delivery) => {
        got.push(delivery);
        return new Promise(() => {});
      }),
    );
    for (const offset of [40, 41, 42, 43]) server().deliver(1, "c", ["m"], { headers: { "x-stream-offset": offset } });
    await io.settle();
    // Out of order: 41 is missing.
    for (const index of [0, 2]) got[index]?.ack();
    await io.settle();
    await cut();
    await comeBack();
    expect(offsetOf(server().sentOf("basic.consume")[0]?.fields)).toBe(41);
    await cut();
    await io.advance(5_000);
    expect(offsetOf(server().sentOf("basic.consume")[0]?.fields)).toBe(41);
    server().deliver(1, "c", ["m"], { headers: { "x-stream-offset": 41 } });
    await io.settle();
    got.at(-1)?.ack();
    await io.settle();
    await cut();
    await io.advance(10_000);
    expect(offsetOf(server().sentOf("basic.consume")[0]?.fields)).toBe(42);
  });

  it("is refused in other words", async () => {
    const { io, channel } = await recoveringChannel();
    const wrong = channel.basicConsume({ ...options, resumeBehind: "sent" as "acknowledged" });
    expect(await failure(io, wrong)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("keepOpen", () => {
  it("opens a channel again that the server closed, in its mode and with its consumers", async () => {
    const { io, connection, server } = await recovering();
    const channel = await settled(io, connection.openChannel());
    keepOpen(channel);
    await settled(io, channel.confirmSelect());
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c", noAck: true }, () => {}),
    );
    server().sent.length = 0;
    server().closeChannel(1, 404, "NOT_FOUND");
    await io.settle();
    expect(channel.state).toBe("recovering");
    const waiting = channel.queueDeclare({ queue: "q" });
    await io.advance(firstDelay);
    await settled(io, waiting);
    expect(server().log).toEqual([
      "1 channel.close-ok",
      "1 channel.open",
      "1 confirm.select",
      "1 basic.consume c",
      "1 queue.declare",
    ]);
    expect([channel.state, consumer.state]).toEqual(["open", "consuming"]);
  });

  it("makes calls again that the server had not come to, when it closed the channel for a publish", async () => {
    const { io, connection, server } = await recovering();
    const channel = await settled(io, connection.openChannel());
    keepOpen(channel);
    server().on("queue.purge");
    const purging = channel.queuePurge({ queue: "q" });
    await io.settle();
    server().closeChannel(1, 404, "NOT_FOUND", "basic.publish");
    await io.settle();
    expect(await stateOf(purging)).toBe("pending");
    server().on("queue.purge", ({ channel: on }) => server().method(on, "queue.purge-ok", { messageCount: 2 }));
    await io.advance(firstDelay);
    expect(await settled(io, purging)).toEqual({ messageCount: 2 });
  });

  it("has no commit happen that was behind the culprit, and says so", async () => {
    const { io, connection, server } = await recovering();
    const channel = await settled(io, connection.openChannel());
    keepOpen(channel);
    await settled(io, channel.txSelect());
    await settled(io, channel.basicPublish(message("a")));
    server().on("tx.commit");
    const committing = errorOf(channel.txCommit());
    await io.settle();
    server().closeChannel(1, 404, "NOT_FOUND", "basic.publish");
    await io.advance(firstDelay);
    expect(await settled(io, committing)).toMatchObject({ code: "TRANSACTION_ABORTED", outcome: "not-sent" });
    server().on("tx.commit", ({ channel: on }) => server().method(on, "tx.commit-ok", {}));
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
  });

  it("opens it in the mode that it had, when another one was refused", async () => {
    const { io, connection, server } = await recovering();
    const channel = await settled(io, connection.openChannel());
    keepOpen(channel);
    await settled(io, channel.txSelect());
    server().on("confirm.select", () => server().closeChannel(1, 406, "PRECONDITION_FAILED"));
    expect(await failure(io, channel.confirmSelect())).toMatchObject({ replyCode: 406 });
    server().sent.length = 0;
    await io.advance(firstDelay);
    expect(server().log).toEqual(["1 channel.open", "1 tx.select"]);
  });

  it("asks about the reply code, and ends after so many in a minute", async () => {
    const { io, connection, server } = await recovering();
    const codes: unknown[] = [];
    const reopen = {
      codes: (code: number | undefined) => {
        codes.push(code);
        return code !== 403;
      },
      maxPerMinute: 2,
    };
    const [channel, other] = [await settled(io, connection.openChannel()), await settled(io, connection.openChannel())];
    for (const one of [channel, other]) keepOpen(one, reopen);
    server().closeChannel(2, 403, "ACCESS_REFUSED");
    await io.settle();
    expect(other.state).toBe("closed");
    for (const state of ["open", "open", "closed"]) {
      server().closeChannel(1, 404, "NOT_FOUND");
      await io.advance(5_000);
      expect(channel.state).toBe(state);
    }
    expect(await channel.closed).toMatchObject({ replyCode: 404 });
    expect(codes).toEqual([403, 404, 404]);
  });

  it("is refused where it makes no sense", async () => {
    const { channel } = await recoveringChannel({ recovery: false });
    expect(() => keepOpen(channel)).toThrowError(expect.objectContaining({ code: "NOT_SUPPORTED" }));
    const { channel: able } = await recoveringChannel();
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    for (const wrong of [{ maxPerMinute: 0 }, { codes: 404 }, "always", { code: 404 }]) {
      expect(() => keepOpen(able, wrong as object)).toThrowError(refused);
    }
    expect(() => keepOpen({} as typeof able)).toThrowError(refused);
  });

  it("leaves a channel closed whose predicate throws, and reports that", async () => {
    const { io, connection, server } = await recovering();
    const reported: unknown[] = [];
    connection.on("callback-error", ({ error }) => reported.push(error));
    const problem = new Error("mine");
    const codes = (): boolean => {
      throw problem;
    };
    const channel = await settled(io, connection.openChannel());
    keepOpen(channel, { codes });
    server().closeChannel(1, 404, "NOT_FOUND");
    await io.settle();
    expect([channel.state, reported]).toEqual(["closed", [problem]]);
  });
});

describe("reconnectSoon", () => {
  it("makes a long wait as short as the first, and never shorter", async () => {
    const { io, connection, cut, events } = await recovering();
    const accept = io.accept;
    io.accept = (stream) => stream.hangUp();
    await cut();
    // Waits of 0.75, 1.5, 3 and 6 seconds.
    await io.advance(6_000);
    expect(events.at(-1)).toBe("reconnecting 4 6000");
    io.accept = accept;
    for (let calls = 0; calls < 100; calls += 1) connection.reconnectSoon();
    await io.advance(1);
    expect(connection.state).toBe("open");
    await cut();
    connection.reconnectSoon();
    await io.advance(firstDelay - 1);
    expect(connection.state).toBe("connecting");
    await io.advance(1);
    expect(connection.state).toBe("open");
    connection.reconnectSoon();
    await settled(io, connection.close());
    connection.reconnectSoon();
  });
});

it("a secret that waited is dropped when the credentials were asked for after it", async () => {
  let asked = 0;
  const credentials = () => {
    asked += 1;
    return { username: "u", password: "p" };
  };
  const { io, connection, cut, comeBack, server } = await recovering({ credentials });
  await cut();
  const waiting = connection.updateSecret({ newSecret: "s", reason: "r" });
  await comeBack();
  await settled(io, waiting);
  expect([asked, server().sentOf("connection.update-secret")]).toEqual([2, []]);
});

it("what was poison is brought back after the application has made it again", async () => {
  let isBad = true;
  const { io, connection, channel, cut, servers, server } = await recoveringChannel({}, (prepared, number) => {
    if (number === 0) return;
    prepared.on("queue.declare", ({ channel: on }) => {
      if (isBad) {
        prepared.method(0, "connection.close", {
          replyCode: 541,
          replyText: "INTERNAL_ERROR",
          classId: 50,
          methodId: 10,
        });
      } else {
        prepared.method(on, "queue.declare-ok", { queue: "q", messageCount: 0, consumerCount: 0 });
      }
    });
  });
  await settled(io, channel.queueDeclare({ queue: "q" }));
  await cut();
  await io.advance(60_000);
  expect([connection.state, servers.length]).toEqual(["open", 4]);
  await cut();
  await io.advance(5_000);
  expect(server().sentOf("queue.declare")).toEqual([]);
  isBad = false;
  await settled(io, channel.queueDeclare({ queue: "q" }));
  await cut();
  await io.advance(5_000);
  expect(server().sentOf("queue.declare")).toHaveLength(1);
});
