import { describe, expect, it } from "vitest";
import type { Channel } from "./channel.ts";
import { bytes, connected, errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";

const message = { exchange: "", routingKey: "q", body: bytes("hello") };

describe("writing", () => {
  it("sends everything that one turn produced in one write", async () => {
    const { io, server, channel } = await withChannel();
    const before = server.stream.writes;
    for (let i = 0; i < 100; i += 1) void channel.basicPublish(message);
    void channel.queueDeclare({ queue: "q" });
    expect(server.stream.writes).toBe(before);
    await io.settle();
    expect(server.stream.writes).toBe(before + 1);
    expect(server.sentOf("basic.publish")).toHaveLength(100);
  });

  it("writes at once when a segment is full", async () => {
    const { server, channel } = await withChannel();
    const before = server.stream.writes;
    for (let i = 0; i < 70; i += 1) void channel.basicPublish({ ...message, body: new Uint8Array(1000) });
    expect(server.stream.writes).toBe(before + 1);
  });

  it("gathers what is published turn after turn, while nothing is heard", async () => {
    const { io, server, channel } = await withChannel();
    void channel.basicPublish(message);
    await io.settle();
    const before = server.stream.writes;
    let left = 40;
    const step = (): void => {
      void channel.basicPublish(message);
      left -= 1;
      if (left > 0) io.post(step);
    };
    io.post(step);
    await io.settle();
    expect(server.sentOf("basic.publish")).toHaveLength(41);
    expect(server.stream.writes - before).toBeLessThan(5);
  });

  it("gathers nothing long after the last write", async () => {
    const { io, server, channel } = await withChannel();
    void channel.basicPublish(message);
    await io.advance(1);
    const before = server.stream.writes;
    io.post(() => {
      void channel.basicPublish(message);
      // Behind the end of the turn that the publish asked for.
      io.post(() => expect(server.stream.writes).toBe(before + 1));
    });
    await io.settle();
    expect(server.stream.writes).toBe(before + 1);
  });

  it("gathers nothing once something was heard", async () => {
    const { io, server, channel } = await withChannel();
    void channel.basicPublish(message);
    await io.settle();
    const before = server.stream.writes;
    server.method(0, "connection.unblocked", {});
    await io.settle();
    io.post(() => {
      void channel.basicPublish(message);
      io.post(() => expect(server.stream.writes).toBe(before + 1));
    });
    await io.settle();
    expect(server.stream.writes).toBe(before + 1);
  });

  it("sends what follows on something heard as soon as the microtasks are over, where the runtime can do that", async () => {
    const { io, server, channel } = await withChannel();
    const soon: (() => void)[] = [];
    Object.assign(io, { afterMicrotasks: (task: () => void) => soon.push(task) });
    for (let round = 0; round < 3; round += 1) {
      server.method(0, "connection.unblocked", {});
      await io.settle();
      const before = server.stream.writes;
      void channel.basicPublish(message);
      void channel.basicPublish(message);
      await io.settle();
      expect([soon.length, server.stream.writes - before]).toEqual([1, 0]);
      soon.pop()?.();
      expect(server.stream.writes - before).toBe(1);
      // Nothing was heard since.
      await io.advance(1);
      void channel.basicPublish(message);
      await io.settle();
      expect([soon.length, server.stream.writes - before]).toEqual([0, 2]);
    }
  });

  it("does not write while the stream wants it to wait", async () => {
    const { io, server, channel } = await withChannel();
    server.stream.congested = true;
    void channel.basicPublish(message);
    await io.settle();
    const before = server.stream.writes;
    void channel.basicPublish(message);
    await io.settle();
    expect(server.stream.writes).toBe(before);
    server.stream.congested = false;
    await io.settle();
    expect(server.stream.writes).toBe(before + 1);
    expect(server.sentOf("basic.publish")).toHaveLength(2);
  });
});

describe("time", () => {
  it("sets one timer, whatever is going on", async () => {
    const { io, connection } = await connected({}, (server) => {
      server.tune = { ...server.tune, heartbeat: 10 };
    });
    const channels: Channel[] = [];
    for (let i = 0; i < 10; i += 1) channels.push(await settled(io, connection.openChannel()));
    for (const channel of channels) await settled(io, channel.queueDeclare({ queue: "q" }));
    expect(io.timers).toBe(1);
  });

  it("sends heartbeats when bytes arrive, though no timer fires, as in a page in the background", async () => {
    const { io, server, connection } = await connected({}, (made) => {
      made.tune = { ...made.tune, heartbeat: 10 };
    });
    io.setTimer = () => () => {};
    const before = connection.counters?.framesSent ?? 0;
    for (let beat = 1; beat <= 3; beat += 1) {
      await io.advance(6000);
      server.together((sent) => sent.heartbeat());
      await io.settle();
      expect(connection.counters?.framesSent).toBe(before + beat);
    }
  });

  it("sends heartbeats, and ends the connection when the server is silent", async () => {
    const { io, server, connection } = await connected({}, (made) => {
      made.tune = { ...made.tune, heartbeat: 10 };
    });
    server.on("channel.open");
    const error = errorOf(connection.openChannel());
    await io.advance(8000);
    expect(connection.state).toBe("open");
    await io.advance(20_000);
    expect(await error).toMatchObject({ code: "HEARTBEAT_TIMEOUT", outcome: "unknown" });
    expect(await connection.closed).toMatchObject({ code: "HEARTBEAT_TIMEOUT" });
  });

  it("does not take a paused reader's silence for the server's", async () => {
    const { io, server, connection } = await connected({}, (made) => {
      made.tune = { ...made.tune, heartbeat: 10 };
    });
    const channel = await settled(io, connection.openChannel());
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", noAck: true }, () => {}),
    );
    consumer.pause();
    for (let i = 0; i < 5; i += 1) server.deliver(1, consumer.consumerTag, new Array<string>(1000).fill("x"));
    await io.settle();
    expect(server.stream.paused).toBe(true);
    await io.advance(100_000);
    expect(connection.state).toBe("open");
    consumer.resume();
    await io.settle();
    expect(server.stream.paused).toBe(false);
    expect(consumer.buffered).toBe(0);
  });

  it("ends a request that is not answered, and its channel", async () => {
    const { io, server, channel } = await withChannel({ requestTimeout: 5000 });
    server.on("queue.declare");
    const error = errorOf(channel.queueDeclare({ queue: "q" }));
    await io.advance(6000);
    expect(await error).toMatchObject({ code: "REQUEST_TIMEOUT", outcome: "unknown" });
    expect(channel.state).toBe("closed");
  });
});

describe("the end", () => {
  it("ends its side when the server has answered the close, and is closed when the transport is", async () => {
    const { io, server, connection } = await connected();
    server.stream.answersEnd = false;
    const closing = connection.close();
    await io.settle();
    expect([server.stream.ended, server.stream.answered]).toEqual([true, true]);
    expect(await stateOf(closing)).toBe("pending");
    server.stream.hangUp();
    await settled(io, closing);
    expect(io.timers).toBe(0);
  });

  it("drops the transport when the server does not end its side", async () => {
    const { io, server, connection } = await connected();
    server.stream.answersEnd = false;
    const closing = connection.close();
    await io.advance(1100);
    await settled(io, closing);
    expect(server.stream.aborted).toBe(true);
  });

  it("says farewell to a server that breaks the protocol", async () => {
    const { io, server, connection } = await connected();
    server.stream.send(Uint8Array.from([1, 0, 7, 0, 0, 0, 0, 99]));
    await io.settle();
    expect(await connection.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
    expect(server.sentOf("connection.close")[0]?.fields).toMatchObject({ replyCode: 501 });
    expect(io.openStreams).toBe(0);
  });

  it("answers the server's close, and ends", async () => {
    const { io, server, connection } = await connected();
    const opening = connection.openChannel();
    server.on("channel.open", (_, self) =>
      self.method(0, "connection.close", { replyCode: 320, replyText: "CONNECTION_FORCED", classId: 0, methodId: 0 }),
    );
    expect(await failure(io, opening)).toMatchObject({ code: "CONNECTION_CLOSED_BY_SERVER", replyCode: 320 });
    expect(server.log).toContain("0 connection.close-ok");
    expect([server.stream.ended, server.stream.answered]).toEqual([true, false]);
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });
});
