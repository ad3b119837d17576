import { describe, expect, it } from "vitest";
import type { ConnectionEvent } from "../engine/events.ts";
import { plain } from "../engine/sasl.ts";
import { Link } from "./link.ts";
import { withChannel } from "./testing/fixture.ts";
import { VirtualIo } from "./testing/virtual-io.ts";

describe("an engine that fails", () => {
  it("ends the connection, with the reason, and nobody hangs", async () => {
    const io = new VirtualIo();
    const events: ConnectionEvent[] = [];
    let ended = 0;
    const link = new Link(
      io,
      { mechanisms: [plain("guest", "guest")] },
      {
        handle: (event) => events.push(event),
        expectsAnswers: () => false,
        ended: () => (ended += 1),
      },
    );
    link.connect({ transport: "tcp", host: "broker", port: 5672 });
    await io.settle();
    const bug = new Error("a bug");
    Object.defineProperty(link.engine, "receive", {
      value: () => {
        throw bug;
      },
    });
    io.streams[0]?.send(Uint8Array.of(1));
    await io.settle();
    expect(events).toMatchObject([{ type: "closed", error: { code: "CONNECTION_LOST", cause: bug } }]);
    expect(ended).toBe(1);
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });
});

describe("a chunk of many megabytes", () => {
  it("is taken in parts, so that it reaches no limit", async () => {
    const { io, server, connection } = await withChannel({ limits: { maxUnparsedInput: 3 * 1024 * 1024 } });
    const heartbeat = [8, 0, 0, 0, 0, 0, 0, 206];
    const before = connection.counters?.framesReceived ?? 0;
    const chunk = new Uint8Array(8 * 1024 * 1024);
    for (let at = 0; at < chunk.length; at += heartbeat.length) chunk.set(heartbeat, at);
    server.stream.send(chunk);
    await io.settle();
    expect((connection.counters?.framesReceived ?? 0) - before).toBe(1024 * 1024);
    expect(connection.state).toBe("open");
  });
});
