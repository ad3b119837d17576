/** A consumer whose buffer is full stops the reading. Answers come behind its deliveries, and somebody may wait for them. */

import { describe, expect, it } from "vitest";
import { bytes, type Fixture, settled, stateOf, withChannel } from "./testing/fixture.ts";
import type { Channel } from "./channel.ts";

/** Longer than it takes until a paused link looks for answers, also one that the server has blocked. */
const aWhile = 3000;

/** A channel with a consumer that takes nothing, and whose buffer is full. */
async function withFullBuffer(): Promise<Fixture & { readonly channel: Channel }> {
  const fixture = await withChannel();
  const { io, channel, server } = fixture;
  await settled(io, channel.basicConsume({ queue: "q", consumerTag: "slow", noAck: true }));
  while (!server.stream.paused) {
    server.deliver(
      1,
      "slow",
      Array.from({ length: 1000 }, () => ""),
    );
    await io.settle();
  }
  return fixture;
}

/** The server blocks the connection. Somebody else's answer lets that be read. */
async function block({ io, channel, server }: Awaited<ReturnType<typeof withFullBuffer>>): Promise<void> {
  server.method(0, "connection.blocked", { reason: "memory" });
  const getting = channel.basicGet({ queue: "q" });
  await io.advance(aWhile);
  await getting;
}

describe("while nothing is read", () => {
  it("a channel can be opened", async () => {
    const { io, connection } = await withFullBuffer();
    const opening = connection.openChannel();
    await io.advance(aWhile);
    expect(await stateOf(opening)).toBe("resolved");
  });

  it("a channel can be closed", async () => {
    const { io, channel, server } = await withFullBuffer();
    const closing = channel.close();
    await io.advance(aWhile);
    expect(await stateOf(closing)).toBe("resolved");
    expect(server.stream.paused).toBe(false);
  });

  it("the end of a block is seen: by a message that waits for it, and by a publisher that waits for room", async () => {
    const fixture = await withFullBuffer();
    const { io, connection, channel, server } = fixture;
    const opening = connection.openPublisher();
    await io.advance(aWhile);
    const publisher = await opening;
    for (const wait of [
      () => channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("m") }),
      () => publisher.ready(),
    ]) {
      await block(fixture);
      const waiting = wait();
      await io.advance(aWhile);
      expect(await stateOf(waiting)).toBe("pending");
      server.method(0, "connection.unblocked", {});
      await io.advance(aWhile);
      expect(await stateOf(waiting)).toBe("resolved");
    }
  });

  it("no more than 64 MiB are read quickly for messages that wait for the end of a block: all of it has to be kept", async () => {
    const fixture = await withFullBuffer();
    const { io, channel, server } = fixture;
    await block(fixture);
    const publishing = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("m") });
    const consumed = server.stream.handedOver;
    const body = "m".repeat(1024 * 1024);
    for (let i = 0; i < 100; i += 1) server.deliver(1, "slow", [body]);
    await io.advance(10_000);
    expect(server.stream.handedOver - consumed).toBeGreaterThanOrEqual(64);
    expect(server.stream.handedOver - consumed).toBeLessThanOrEqual(64 + 11);
    expect(await stateOf(publishing)).toBe("pending");
  });

  it("the end of a long block is seen soon, however many deliveries came while it lasted", async () => {
    const fixture = await withFullBuffer();
    const { io, channel, server } = fixture;
    await block(fixture);
    const publishing = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("m") });
    for (let i = 0; i < 1000; i += 1) server.deliver(1, "slow", [""]);
    await io.advance(60_000);
    for (let i = 0; i < 100; i += 1) server.deliver(1, "slow", [""]);
    server.method(0, "connection.unblocked", {});
    await io.advance(2000);
    expect(await stateOf(publishing)).toBe("resolved");
  });

  it("the end of a block is seen for whoever listens to it", async () => {
    const fixture = await withFullBuffer();
    const { io, connection, server } = fixture;
    const heard: string[] = [];
    connection.on("blocked", () => {
      heard.push("blocked");
      connection.on("unblocked", () => heard.push("unblocked"));
    });
    await block(fixture);
    server.method(0, "connection.unblocked", {});
    await io.advance(aWhile);
    expect(heard).toEqual(["blocked", "unblocked"]);
  });

  it("the end of a short block is seen soon, though deliveries come before it; and so is that of the next one", async () => {
    const fixture = await withFullBuffer();
    const { io, channel, server } = fixture;
    for (let round = 0; round < 3; round += 1) {
      await block(fixture);
      const publishing = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("m") });
      for (let i = 0; i < 50; i += 1) server.deliver(1, "slow", [""]);
      server.method(0, "connection.unblocked", {});
      await io.advance(2000);
      expect(await stateOf(publishing)).toBe("resolved");
    }
  });
});
