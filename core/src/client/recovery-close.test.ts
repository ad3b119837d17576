/** close() wins, whatever the client is at to get its connection back. */

import { describe, expect, it } from "vitest";
import { failure, settled } from "./testing/fixture.ts";
import { firstDelay, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("close()", () => {
  it("wins while the client waits for the next attempt", async () => {
    const { io, connection, channel, cut, events } = await recoveringChannel();
    await cut();
    const waiting = channel.queuePurge({ queue: "q" });
    const refused = failure(io, waiting);
    await settled(io, connection.close());
    expect(await refused).toMatchObject({ code: "CONNECTION_CLOSED", outcome: "not-sent" });
    expect(connection.state).toBe("closed");
    expect(channel.state).toBe("closed");
    expect(events.at(-1)).toBe("closed by us");
    expect(io.timers).toBe(0);
    await io.advance(600_000);
    expect(io.streams).toHaveLength(1);
  });

  it("wins while the client dials", async () => {
    const { io, connection, cut } = await recovering();
    await cut();
    io.accept = () => {};
    await io.advance(firstDelay);
    expect(io.streams).toHaveLength(2);
    await settled(io, connection.close());
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
    expect(await connection.closed).toBeUndefined();
  });

  it("wins during the handshake", async () => {
    const { io, connection, cut } = await recovering({}, (server, number) => {
      if (number === 1) server.on("connection.start-ok");
    });
    await cut();
    await io.advance(firstDelay);
    await settled(io, connection.close());
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });

  it("wins while channels are brought back", async () => {
    const { io, connection, channel, cut, events } = await recoveringChannel({}, (server, number) => {
      if (number === 1) server.on("channel.open");
    });
    await cut();
    await io.advance(firstDelay);
    expect(connection.state).toBe("recovering");
    await settled(io, connection.close());
    expect(connection.state).toBe("closed");
    expect(channel.state).toBe("closed");
    expect(events.at(-1)).toBe("closed by us");
    expect(events).not.toContain("recovered");
    expect(io.timers).toBe(0);
  });

  it("wins in a listener, at every event", async () => {
    for (const name of ["disconnected", "reconnecting", "connected", "channel-recovered", "recovered"] as const) {
      const { io, connection, cut, comeBack, events } = await recoveringChannel();
      connection.on(name, () => connection.close());
      await cut();
      await comeBack();
      await io.advance(60_000);
      expect(connection.state).toBe("closed");
      expect(events.at(-1)).toBe("closed by us");
      expect(io.openStreams).toBe(0);
      expect(io.timers).toBe(0);
    }
  });

  it("wins while credentials are asked for, whoever calls it", async () => {
    let asked = 0;
    const credentials = async (): Promise<{ username: string; password: string }> => {
      asked += 1;
      if (asked > 1) void connection.close();
      return { username: "u", password: "p" };
    };
    const { io, connection, cut, comeBack, servers, events } = await recovering({ credentials });
    await cut();
    await comeBack();
    expect(asked).toBe(2);
    expect(events.at(-1)).toBe("closed by us");
    expect(servers).toHaveLength(1);
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });

  it("wins when reconnecting has just failed", async () => {
    const { io, connection, cut } = await recovering();
    connection.on("reconnect-failed", () => connection.close());
    await cut();
    io.accept = (stream) => stream.hangUp();
    await io.advance(60_000);
    expect(connection.state).toBe("closed");
    expect(io.streams).toHaveLength(2);
    expect(io.timers).toBe(0);
  });

  it("ends the connection when the transport is cut meanwhile", async () => {
    const { io, connection, server, events } = await recovering({}, (prepared) => prepared.on("connection.close"));
    const closing = connection.close();
    await io.settle();
    server().stream.hangUp();
    await settled(io, closing);
    expect(events.at(-1)).toMatch(/^closed/);
    await io.advance(60_000);
    expect(io.streams).toHaveLength(1);
  });
});
