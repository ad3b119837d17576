import { describe, expect, it } from "vitest";
import type { TappedFrame } from "../engine/config.ts";
import type { Hooks, ObservedEvent } from "./instrumentation/hooks.ts";
import { instrument } from "./instrumentation/observer.ts";
import { bytes, connected, errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";
import { recovering } from "./testing/recovering.ts";

describe("channels", () => {
  it("have the lowest free number, or the one that is asked for", async () => {
    const { io, connection } = await connected({ channelMax: 3 });
    const first = await settled(io, connection.openChannel());
    const third = await settled(io, connection.openChannel({ number: 3 }));
    const second = await settled(io, connection.openChannel());
    expect([first.number, second.number, third.number]).toEqual([1, 2, 3]);
    expect(connection.channelCount).toBe(3);
    expect(await failure(io, connection.openChannel())).toMatchObject({ code: "LIMIT_REACHED" });
    for (const number of [2, 4, 0, 1.5]) {
      expect(await failure(io, connection.openChannel({ number }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await settled(io, second.close());
    expect((await settled(io, connection.openChannel())).number).toBe(2);
  });

  it("are closed again when nobody waits for them any more", async () => {
    const { io, server, connection } = await connected();
    server.on("channel.open");
    const controller = new AbortController();
    const error = errorOf(connection.openChannel({ signal: controller.signal }));
    await io.settle();
    controller.abort();
    expect(await error).toMatchObject({ code: "ABORTED" });
    server.method(1, "channel.open-ok", {});
    await io.settle();
    expect(server.log).toEqual(["1 channel.open", "1 channel.close"]);
    expect(connection.channelCount).toBe(0);
    expect(await failure(io, connection.openChannel({ signal: AbortSignal.abort() }))).toMatchObject({
      outcome: "not-sent",
    });
  });

  it("take a signal that is never used", async () => {
    const { io, connection } = await connected();
    const { signal } = new AbortController();
    expect((await settled(io, connection.openChannel({ signal }))).state).toBe("open");
  });
});

describe("update-secret", () => {
  it("is answered, several at a time", async () => {
    const { io, server, connection } = await connected();
    const updates = [
      connection.updateSecret({ newSecret: "one", reason: "expires" }),
      connection.updateSecret({ newSecret: bytes("two"), reason: "expires" }),
    ];
    await settled(io, Promise.all(updates));
    expect(server.sent.slice(-2).map(({ fields }) => fields)).toMatchObject([
      { newSecret: bytes("one"), reason: "expires" },
      { newSecret: bytes("two") },
    ]);
  });

  it("refuses what is no secret, and a connection that is closed", async () => {
    const { io, connection } = await connected();
    const update = (newSecret: unknown, reason: unknown = "r"): Promise<void> =>
      connection.updateSecret({ newSecret: newSecret as string, reason: reason as string });
    expect(await failure(io, update(5))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure(io, update("s", 5))).toMatchObject({ code: "INVALID_ARGUMENT" });
    await settled(io, connection.close());
    expect(await failure(io, update("s"))).toMatchObject({ code: "CONNECTION_CLOSED", outcome: "not-sent" });
  });
});

describe("a connection that is looked at", () => {
  it("says where it stands, as a value and as events, in order", async () => {
    const { io, connection, cut, comeBack } = await recovering({ connectionName: "mine" });
    const seen: string[] = [];
    connection.on("state", ({ state, before }) =>
      seen.push(`${before} ${state} ${String(connection.state === state)}`),
    );
    connection.on("disconnected", () => seen.push("disconnected"));
    connection.on("closed", () => seen.push("closed"));
    await cut();
    await comeBack();
    await settled(io, connection.close());
    expect(seen).toEqual([
      "disconnected",
      "open connecting true",
      "connecting recovering true",
      "recovering open true",
      "open closing true",
      "closed",
      "closing closed true",
    ]);
    expect(connection).toMatchObject({ name: "mine", endpoint: "broker:5672" });
  });

  it("counts over its whole life, and since it recovered last", async () => {
    const { io, connection, cut, comeBack } = await recovering();
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    publisher.send(bytes("1"));
    await io.settle();
    expect(connection.inFlight).toEqual({ publishes: 1, deliveries: 0, requests: 0 });
    const before = { ...connection.counters };
    await cut();
    expect(connection.inFlight).toEqual({ publishes: 0, deliveries: 0, requests: 0 });
    await comeBack();
    publisher.send(bytes("2"));
    const asking = connection.openConsumer({ queue: "q" });
    expect(connection.counters?.messagesPublished).toBe(1);
    expect(connection.totals.messagesPublished).toBe(2);
    expect(connection.totals.bytesReceived).toBe(
      (before.bytesReceived ?? 0) + (connection.counters?.bytesReceived ?? 0),
    );
    const consumer = await settled(io, asking);
    const request = connection.updateSecret({ newSecret: "s", reason: "r" });
    expect(connection.inFlight.requests).toBe(1);
    await settled(io, request);
    await settled(io, consumer.close());
    await settled(io, connection.close());
    expect(connection.totals.framesSent).toBeGreaterThan(before.framesSent ?? 0);
  });
});

describe("closing", () => {
  it("sends what was handed over, ends what waits, and happens once", async () => {
    const { io, server, connection, channel } = await withChannel();
    server.on("queue.declare");
    const publish = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("last words") });
    const declaring = errorOf(channel.queueDeclare({ queue: "q" }));
    const closing = [connection.close({ replyCode: 200, replyText: "bye" }), connection.close()];
    expect(connection.state).toBe("closing");
    expect(await failure(io, connection.openChannel())).toMatchObject({ code: "CONNECTION_CLOSED" });
    await settled(io, Promise.all([publish, ...closing]));
    await settled(io, connection.close());
    await connection[Symbol.asyncDispose]();
    expect(await declaring).toMatchObject({ name: "ConnectionError", code: "CONNECTION_CLOSED", outcome: "unknown" });
    expect(await channel.closed).toBeUndefined();
    expect(server.log).toEqual(["1 basic.publish", "1 queue.declare", "0 connection.close"]);
    expect(server.sentOf("connection.close")[0]?.fields).toMatchObject({ replyText: "bye" });
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });

  it("sends acknowledgements first", async () => {
    const { io, server, connection, channel } = await withChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "t" }, () => void connection.close()),
    );
    server.deliver(1, "t", ["a"]);
    await io.settle();
    expect(connection.state).toBe("closed");
    expect(server.log.at(-1)).toBe("0 connection.close");
  });

  it("works while the server blocks the connection", async () => {
    const { io, server, connection } = await connected();
    server.method(0, "connection.blocked", { reason: "low on memory" });
    await io.settle();
    await settled(io, connection.close());
    expect(connection.state).toBe("closed");
  });

  it("waits for the server only so long", async () => {
    for (const options of [{ timeout: 100 }, {}]) {
      const { io, server, connection } = await connected({ closeTimeout: 500 });
      server.on("connection.close");
      server.stream.answersEnd = false;
      const closing = connection.close(options);
      await io.advance(options.timeout === undefined ? 1600 : 150);
      expect(await stateOf(closing)).toBe("resolved");
      expect(io.openStreams).toBe(0);
      expect(io.timers).toBe(0);
    }
  });

  it("refuses a farewell that cannot be sent, and can be tried again", async () => {
    const { io, connection } = await connected();
    expect(await failure(io, connection.close({ replyText: "x".repeat(300) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(connection.state).toBe("open");
    await settled(io, connection.close());
  });

  it("does nothing when the connection is lost already", async () => {
    const { io, server, connection } = await connected();
    server.stream.hangUp();
    await io.settle();
    await settled(io, connection.close());
    expect(await connection.closed).toMatchObject({ code: "CONNECTION_LOST" });
  });
});

describe("listeners", () => {
  it("hear of the end once, and are not needed", async () => {
    const { io, server, connection } = await connected();
    const heard: unknown[] = [];
    const stop = connection.on("closed", () => heard.push("removed"));
    connection.on("closed", ({ error }) => heard.push(error?.code));
    stop();
    stop();
    server.stream.hangUp();
    await io.settle();
    expect(heard).toEqual(["CONNECTION_LOST"]);
  });

  it("cannot hurt, whatever they throw, and however often", async () => {
    const { io, server, connection } = await connected();
    const reports: unknown[] = [];
    connection.on("callback-error", ({ error }) => {
      reports.push(error);
      throw new Error("the reporter failed as well");
    });
    connection.on("blocked", () => {
      throw new Error("first");
    });
    connection.on("blocked", () => Promise.reject(new Error("second")));
    server.method(0, "connection.blocked", { reason: "r" });
    await io.settle();
    expect(reports).toMatchObject([{ message: "first" }, { message: "second" }]);
    expect(connection.state).toBe("open");
  });

  it("are told of a failure once, when to be told fails later", async () => {
    const reports: string[] = [];
    /** Never more than a hundred, so that it comes to an end whatever is told. */
    const told = async (who: string): Promise<void> => {
      reports.push(who);
      await Promise.resolve();
      if (reports.length < 100) throw new Error(`${who} failed as well`);
    };
    const hook = ({ type }: ObservedEvent): unknown => (type === "callback-error" ? told("the hook") : undefined);
    const instrumentation = instrument({ connection: hook as NonNullable<Hooks["connection"]> });
    const { io, server, connection } = await connected({ instrumentation });
    connection.on("callback-error", () => told("the listener"));
    connection.on("blocked", () => Promise.reject(new Error("first")));
    server.method(0, "connection.blocked", { reason: "r" });
    await io.settle();
    expect(reports).toEqual(["the hook", "the listener"]);
  });
});

describe("what can be seen", () => {
  it("is counted", async () => {
    const { io, server, connection, channel } = await withChannel();
    const before = connection.counters;
    expect(before?.framesReceived).toBeGreaterThan(3);
    server.stream.congested = true;
    void channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("a") });
    expect(connection.bufferedBytes).toBeGreaterThan(0);
    await io.settle();
    expect(connection.bufferedBytes).toBe(0);
    expect(connection.counters?.messagesPublished).toBe(1);
  });

  it("is every frame, for a tap; what it throws does not matter", async () => {
    const seen: TappedFrame[] = [];
    const { io, connection } = await connected({
      tap: (frame) => {
        seen.push(frame);
        throw new Error("a tap of the application");
      },
    });
    await settled(io, connection.openChannel());
    expect(seen.map(({ direction, method }) => `${direction} ${method ?? ""}`)).toEqual([
      "in connection.start",
      "out connection.start-ok",
      "in connection.tune",
      "out connection.tune-ok",
      "out connection.open",
      "in connection.open-ok",
      "out channel.open",
      "in channel.open-ok",
    ]);
  });
});
