import { describe, expect, it } from "vitest";
import type { TappedFrame } from "./config.ts";
import { Driver, start, tune } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

/** A driver whose frames are noted down. */
function tapped(): { driver: Driver; frames: TappedFrame[] } {
  const frames: TappedFrame[] = [];
  const driver = new Driver({ tap: (frame) => frames.push(frame), frameMax: 8192 });
  return { driver, frames };
}

function names(frames: readonly TappedFrame[]): string[] {
  return frames.map(({ direction, type, channel, method }) => `${direction} ${channel} ${method ?? type}`);
}

describe("the tap", () => {
  it("sees every frame in both directions", () => {
    const { driver, frames } = tapped();
    driver.open();
    const channel = driver.channel();
    channel.publish({ exchange: "", routingKey: "q", body: new Uint8Array(10_000) });
    driver.sent();
    driver.serve((server) => server.heartbeat());
    expect(names(frames)).toEqual([
      "in 0 connection.start",
      "in 0 connection.tune",
      "in 0 connection.open-ok",
      "out 0 connection.start-ok",
      "out 0 connection.tune-ok",
      "out 0 connection.open",
      "out 1 channel.open",
      "in 1 channel.open-ok",
      "out 1 basic.publish",
      "out 1 header",
      "out 1 body",
      "out 1 body",
      "in 0 heartbeat",
    ]);
    expect(frames.filter(({ type }) => type === "body").map(({ size }) => size)).toEqual([8192, 10_000 - 8184 + 8]);
  });

  it("sees a body frame once and with its whole size, however it arrived", () => {
    const { driver, frames } = tapped();
    driver.open();
    driver.channel();
    frames.length = 0;
    const bytes = new ServerBytes(8192)
      .method(1, "basic.deliver", { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" })
      .content(1, new Uint8Array(8000))
      .take();
    for (let at = 0; at < bytes.length; at += 1000) driver.receive(bytes.subarray(at, at + 1000));
    expect(names(frames)).toEqual(["in 1 basic.deliver", "in 1 header", "in 1 body"]);
    expect(frames[2]?.size).toBe(8008);
  });

  it("cannot disturb by throwing", () => {
    const driver = new Driver({
      tap: () => {
        throw new Error("The tap failed");
      },
    });
    driver.serve((server) => server.method(0, "connection.start", start).method(0, "connection.tune", tune));
    expect(driver.sentNames()).toEqual([
      "protocol-header",
      "connection.start-ok",
      "connection.tune-ok",
      "connection.open",
    ]);
  });

  it("names no method that does not exist, and survives one", () => {
    const { driver, frames } = tapped();
    driver.open();
    driver.serve((server) => server.raw(1, 0, 0, 0, 0, 0, 4, 0, 99, 0, 99, 0xce));
    expect(frames.at(-1)).toMatchObject({ direction: "in", type: "method", method: undefined });
    expect(driver.engine.state).toBe("closed");
  });
});
