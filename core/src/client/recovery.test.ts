/** How a lost connection comes back: the outage and its events, endpoints, giving up, a loss on the way. */

import { describe, expect, it } from "vitest";
import { TransportError } from "./io-services.ts";
import { errorOf, settled, stateOf } from "./testing/fixture.ts";
import { firstDelay, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("an outage", () => {
  it("is told in order, and ends with everything open", async () => {
    const { io, connection, channel, events, cut, comeBack, server } = await recoveringChannel();
    const lost: unknown[] = [];
    channel.on("lost", ({ error }) => lost.push(error.code));
    await cut();
    expect(lost).toEqual(["CONNECTION_LOST"]);
    expect(connection.state).toBe("connecting");
    expect(channel.state).toBe("recovering");
    await comeBack();
    expect(connection.state).toBe("open");
    expect(channel.state).toBe("open");
    expect(server().log).toEqual(["1 channel.open"]);
    expect(events).toEqual([
      "disconnected CONNECTION_LOST",
      `reconnecting 1 ${firstDelay}`,
      "connected 2",
      "channel-recovered 1",
      "recovered",
    ]);
    await settled(io, channel.exchangeDeclare({ exchange: "e" }));
    expect(server().log).toEqual(["1 channel.open", "1 exchange.declare"]);
  });

  it("tells how long it took, and is over once", async () => {
    const { connection, cut, comeBack } = await recoveringChannel();
    const took: number[] = [];
    connection.on("recovered", (event) => took.push(event.took));
    await cut();
    await comeBack();
    expect(took).toEqual([firstDelay]);
  });

  it("goes on with longer and longer waits while nobody answers", async () => {
    const fixture = await recovering();
    const { io, cut, events } = fixture;
    await cut();
    io.accept = (stream) => stream.hangUp(new TransportError("CONNECTION_REFUSED", "refused", { phase: "tcp" }));
    await io.advance(60_000);
    const waits = events
      .filter((event) => event.startsWith("reconnecting"))
      .map((event) => Number(event.split(" ")[2]));
    expect(waits).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
    expect(io.openStreams).toBe(0);
    await settled(io, fixture.connection.close());
  });

  it("can be waited out", async () => {
    const { io, connection, cut, comeBack } = await recovering();
    await settled(io, connection.ready());
    await cut();
    const ready = connection.ready();
    const aborted = connection.ready({ signal: AbortSignal.abort() });
    expect(await errorOf(aborted)).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    expect(await stateOf(ready)).toBe("pending");
    await comeBack();
    expect(await stateOf(ready)).toBe("resolved");
  });
});

describe("what is recovered from", () => {
  it("a reset, with its cause", async () => {
    const { io, connection, server, comeBack } = await recovering();
    const causes: unknown[] = [];
    connection.on("disconnected", ({ cause }) => causes.push((cause.cause as TransportError).code));
    server().stream.hangUp(new TransportError("CONNECTION_RESET", "reset"));
    await io.settle();
    await comeBack();
    expect(causes).toEqual(["CONNECTION_RESET"]);
    expect(connection.state).toBe("open");
  });

  it("a server that says nothing for two heartbeats", async () => {
    const { io, connection, events } = await recovering({}, (server) => {
      server.tune = { ...server.tune, heartbeat: 10 };
    });
    await io.advance(21_000 + firstDelay);
    expect(events[0]).toBe("disconnected HEARTBEAT_TIMEOUT");
    expect(connection.state).toBe("open");
  });

  it.each([320, 504, 541])("a close by the server, with code %d", async (replyCode) => {
    const { io, connection, server, comeBack, events } = await recovering();
    server().method(0, "connection.close", { replyCode, replyText: "out", classId: 0, methodId: 0 });
    await io.settle();
    await comeBack();
    expect(events[0]).toBe("disconnected CONNECTION_CLOSED_BY_SERVER");
    expect(connection.state).toBe("open");
  });

  it("nonsense from the server", async () => {
    const { io, connection, server, comeBack, events } = await recovering();
    server().stream.send(new Uint8Array([9, 9, 9, 9, 9, 9, 9, 9, 9]));
    await io.settle();
    await comeBack();
    expect(events[0]).toBe("disconnected PROTOCOL_ERROR");
    expect(connection.state).toBe("open");
  });

  it("not with recovery: false", async () => {
    const { io, connection, cut, events } = await recovering({ recovery: false });
    await cut();
    await io.advance(60_000);
    expect(connection.state).toBe("closed");
    expect(events).toEqual(["closed CONNECTION_LOST"]);
  });

  it("not when the application does not want it", async () => {
    const { connection, cut, events, io } = await recovering({
      recovery: { shouldRecover: ({ code }) => code !== "CONNECTION_LOST" },
    });
    await cut();
    expect(connection.state).toBe("closed");
    expect(events).toEqual(["disconnected CONNECTION_LOST, for good", "closed CONNECTION_LOST"]);
    expect(io.timers).toBe(0);
  });
});

describe("giving up", () => {
  it("comes after three rounds of refused credentials", async () => {
    const { io, connection, cut, events } = await recovering({}, (server, number) => {
      if (number === 0) return;
      server.on("connection.start-ok", () =>
        server.method(0, "connection.close", { replyCode: 403, replyText: "no", classId: 10, methodId: 11 }),
      );
    });
    await cut();
    await io.advance(600_000);
    expect(events.filter((event) => event.startsWith("reconnect-failed"))).toHaveLength(3);
    expect(await connection.closed).toMatchObject({ code: "CONNECT_FAILED" });
    expect(io.timers).toBe(0);
    expect(io.openStreams).toBe(0);
  });

  it("comes after three rounds of a login that ends in silence, and not of one that is reset", async () => {
    for (const [cause, isOver] of [
      [undefined, true],
      [new TransportError("CONNECTION_RESET", "reset"), false],
    ] as const) {
      const { io, connection, cut, events } = await recovering({}, (server, number) => {
        if (number > 0) server.on("connection.start-ok", () => server.stream.hangUp(cause));
      });
      await cut();
      await io.advance(600_000);
      expect(connection.state === "closed").toBe(isOver);
      const failed = events.filter((event) => event.startsWith("reconnect-failed")).length;
      if (isOver) expect(failed).toBe(3);
      else expect(failed).toBeGreaterThan(10);
      await settled(io, connection.close());
    }
  });

  it("comes after maxAttempts, and after maxElapsed", async () => {
    for (const backoff of [{ maxAttempts: 4 }, { maxElapsed: 5_000 }]) {
      const { io, connection, cut, events } = await recovering({ recovery: { backoff } });
      io.accept = (stream) => stream.hangUp(new TransportError("CONNECTION_REFUSED", "refused"));
      await cut();
      await io.advance(600_000);
      expect(events.filter((event) => event.startsWith("reconnecting")).length).toBeGreaterThan(2);
      expect(events.filter((event) => event.startsWith("reconnecting")).length).toBeLessThan(5);
      expect(await connection.closed).toMatchObject({ code: "CONNECT_FAILED" });
    }
  });

  it("does not come, and the waits grow, with a server that throws us out at our first call", async () => {
    const { io, connection, channel, cut, events } = await recoveringChannel({}, (server, number) => {
      if (number === 0) return;
      server.on("channel.open", () =>
        server.method(0, "connection.close", { replyCode: 504, replyText: "out", classId: 20, methodId: 10 }),
      );
    });
    expect(channel.number).toBe(1);
    await cut();
    await io.advance(3_600_000);
    const attempts = events.filter((event) => event.startsWith("reconnecting")).length;
    expect(attempts).toBeGreaterThan(100);
    expect(attempts).toBeLessThan(180);
    await settled(io, connection.close());
  });

  it("begins to count anew when the connection was stable", async () => {
    const { io, cut, comeBack, events } = await recovering();
    await cut();
    await comeBack();
    await cut();
    await io.advance(1_500);
    await io.advance(10_000);
    await cut();
    expect(events.filter((event) => event.startsWith("reconnecting"))).toEqual([
      "reconnecting 1 750",
      "reconnecting 2 1500",
      "reconnecting 1 750",
    ]);
  });
});

describe("endpoints", () => {
  it("are all tried in each round, also behind one that refuses", async () => {
    const { io, connection, cut } = await recovering(
      { host: undefined, endpoints: ["amqp://one", "amqp://two"] } as never,
      (server, number) => {
        if (number === 1) server.on("connection.start-ok", () => server.stream.hangUp());
      },
    );
    await cut();
    await io.advance(firstDelay);
    const hosts = io.streams.map(({ endpoint }) => (endpoint.transport === "tcp" ? endpoint.host : ""));
    expect(hosts[0]).toBe("one");
    expect(hosts.slice(1).sort()).toEqual(["one", "two"]);
    expect(connection.state).toBe("open");
  });

  it("and credentials are asked for again before every attempt", async () => {
    let asked = 0;
    const { cut, comeBack } = await recovering({
      credentials: () => {
        asked += 1;
        return { username: "u", password: "p" };
      },
    });
    await cut();
    await comeBack();
    expect(asked).toBe(2);
  });
});

describe("a loss during recovery", () => {
  it("in the same breath as the last answer leaves the channel untold: nothing is back", async () => {
    const { io, channel, cut, comeBack, events } = await recoveringChannel({}, (prepared, number) => {
      if (number !== 1) return;
      prepared.on("basic.consume", ({ channel: on }) => {
        prepared.method(on, "basic.consume-ok", { consumerTag: "c" });
        prepared.method(0, "connection.close", { replyCode: 320, replyText: "", classId: 0, methodId: 0 });
      });
    });
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await cut();
    await comeBack();
    expect(events.map((event) => event.split(" ")[0])).toEqual([
      "disconnected",
      "reconnecting",
      "connected",
      "disconnected",
      "reconnecting",
    ]);
    await io.advance(1_500);
    expect(events.slice(-2)).toEqual(["channel-recovered 1", "recovered"]);
  });

  it.each([
    ["of the channel for topology", "channel.open"],
    ["of an exchange", "exchange.declare"],
    ["of a queue", "queue.declare"],
    ["of a binding", "queue.bind"],
    ["of a consumer", "basic.consume"],
  ] as const)("begins it again: %s", async (_, method) => {
    const { io, connection, channel, cut, comeBack, events, server } = await recoveringChannel(
      {},
      (prepared, number) => {
        if (number === 1) prepared.on(method, () => prepared.stream.hangUp());
      },
    );
    await settled(io, channel.exchangeDeclare({ exchange: "e" }));
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(io, channel.queueBind({ queue: "q", exchange: "e" }));
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await cut();
    await comeBack();
    expect(connection.state).toBe("connecting");
    await io.advance(1_500);
    expect(connection.state).toBe("open");
    expect(server().log).toEqual([
      "1 channel.open",
      "1 exchange.declare",
      "1 queue.declare",
      "1 queue.bind",
      "1 channel.close",
      "1 channel.open",
      "1 basic.qos 256",
      "1 basic.consume c",
    ]);
    expect(events.filter((event) => event === "recovered")).toHaveLength(1);
  });

  it("begins it again when the server is silent", async () => {
    const { io, connection, cut } = await recoveringChannel({}, (server, number) => {
      if (number === 1) server.on("channel.open");
    });
    await cut();
    await io.advance(firstDelay + 20_000);
    expect(connection.state).toBe("connecting");
    await io.advance(1_500);
    expect(connection.state).toBe("open");
  });

  it("waits for a server that has blocked the connection", async () => {
    const { io, connection, cut, servers } = await recoveringChannel({}, (server, number) => {
      if (number !== 1) return;
      server.on("channel.open", () => server.method(0, "connection.blocked", { reason: "low on memory" }));
    });
    await cut();
    await io.advance(firstDelay + 50_000);
    expect(connection.state).toBe("recovering");
    servers[1]?.method(0, "connection.unblocked", {});
    servers[1]?.method(1, "channel.open-ok", {});
    await io.settle();
    expect(connection.state).toBe("open");
  });
});

it("a blocked connection is told to be unblocked when it is lost", async () => {
  const { io, connection, server, cut, comeBack, events } = await recovering();
  server().method(0, "connection.blocked", { reason: "disk" });
  await io.settle();
  await cut();
  await comeBack();
  expect(events.slice(0, 3)).toEqual(["blocked disk", "unblocked", "disconnected CONNECTION_LOST"]);
  expect(connection.blocked).toBeUndefined();
});
