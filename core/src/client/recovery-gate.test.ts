/** What waits while there is no connection: how long, how much, and who gives up. */

import { describe, expect, it } from "vitest";
import { errorOf, failure, settled } from "./testing/fixture.ts";
import { message, notSent, recoveringChannel } from "./testing/recovering.ts";

describe("the gate", () => {
  it("lets calls wait for so long, so many, and so many bytes", async () => {
    const limits = { acquireTimeout: 500, maxWaitingCalls: 3, maxWaitingBytes: 2_000 };
    const { io, channel, cut, comeBack } = await recoveringChannel({ recovery: limits });
    await cut();
    const waiting = [
      errorOf(channel.queuePurge({ queue: "q" })),
      errorOf(channel.basicPublish(message("x".repeat(1_500)))),
      errorOf(channel.basicPublish(message("x".repeat(1_500)))),
    ];
    await io.settle();
    expect(await waiting[2]).toMatchObject(notSent);
    const third = errorOf(channel.queuePurge({ queue: "q" }));
    expect(await errorOf(channel.queuePurge({ queue: "q" }))).toMatchObject(notSent);
    await io.advance(500);
    for (const call of [waiting[0], waiting[1], third]) expect(await call).toMatchObject(notSent);
    await comeBack();
    await settled(io, channel.queuePurge({ queue: "q" }));
  });

  it("lets nobody wait with whenDown: fail", async () => {
    const { io, connection, channel, cut, comeBack } = await recoveringChannel({ recovery: { whenDown: "fail" } });
    await cut();
    expect(await failure(io, channel.basicPublish(message("m")))).toMatchObject(notSent);
    expect(await failure(io, channel.queuePurge({ queue: "q" }))).toMatchObject(notSent);
    expect(await failure(io, connection.openChannel())).toMatchObject(notSent);
    await comeBack();
    await settled(io, channel.queuePurge({ queue: "q" }));
  });

  it("lets go of whoever gives up", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await cut();
    const controller = new AbortController();
    const calls = [
      errorOf(channel.queuePurge({ queue: "q", signal: controller.signal })),
      errorOf(channel.basicPublish({ ...message("m"), signal: controller.signal })),
      errorOf(channel.basicPublish({ ...message("m"), timeout: 10 })),
    ];
    controller.abort();
    await io.advance(10);
    expect(await Promise.all(calls)).toMatchObject([
      { code: "ABORTED", outcome: "not-sent" },
      { code: "ABORTED", outcome: "not-sent" },
      { code: "TIMEOUT", outcome: "not-sent" },
    ]);
    await comeBack();
    expect(server().log).toEqual(["1 channel.open"]);
  });

  it("counts publishes that waited for room when the connection was lost", async () => {
    const { io, channel, cut, server } = await recoveringChannel({ recovery: { acquireTimeout: 500 } });
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waiting = errorOf(channel.basicPublish(message("m")));
    await cut();
    await io.advance(500);
    expect(await waiting).toMatchObject(notSent);
  });
});
