import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Bridge, highTide, lowTide } from "./bridge.ts";
import { ManualClock } from "./testing/manual-clock.ts";

describe("a bridge", () => {
  it("stops reading the upstream when too many small messages wait for the client", () => {
    const unsent: (() => void)[] = [];
    const client = {
      get bufferedAmount() {
        return unsent.length * 3;
      },
      send: (_chunk: Uint8Array, _options: object, sent: () => void) => void unsent.push(sent),
    };
    const clock = new ManualClock();
    const stalls: unknown[] = [];
    const upstream = new PassThrough();
    const observer = { carried() {}, moved() {}, stalled: (...stall: unknown[]) => void stalls.push(stall) };
    new Bridge(client as unknown as WebSocket, upstream as unknown as Socket, clock, 0, observer);

    for (let index = 0; index <= highTide + 10; index += 1) upstream.emit("data", Buffer.of(1));
    expect(upstream.isPaused()).toBe(true);
    clock.advance(7);
    while (unsent.length > lowTide + 1) unsent.shift()?.();
    expect(upstream.isPaused()).toBe(true);
    unsent.shift()?.();
    expect(upstream.isPaused()).toBe(false);
    expect(stalls).toEqual([["down", 7]]);
  });
});
