import { beforeEach, describe, expect, it } from "vitest";
import { type StreamHandler, TransportError } from "./io-services.ts";
import { StreamGate } from "./stream-gate.ts";

describe("StreamGate", () => {
  let told: string[];
  let posted: (() => void)[];
  let drops: number;
  let gate: StreamGate;

  function make(handler: Partial<StreamHandler> = {}): StreamGate {
    return new StreamGate(
      {
        opened: () => void told.push("opened"),
        received: (chunk) => void told.push(`received ${chunk.join()}`),
        writable: () => void told.push("writable"),
        closed: (cause) => void told.push(cause === undefined ? "closed" : `closed ${cause.code}`),
        ...handler,
      },
      (task) => posted.push(task),
      () => {
        drops += 1;
      },
    );
  }

  function runPosted(): void {
    for (const task of posted.splice(0)) task();
  }

  beforeEach(() => {
    told = [];
    posted = [];
    drops = 0;
    gate = make();
  });

  it("passes on what happens", () => {
    gate.opened();
    gate.received(new Uint8Array([1, 2]));
    gate.writable();
    gate.closed(new TransportError("CONNECTION_RESET", "reset"));
    expect(told).toEqual(["opened", "received 1,2", "writable", "closed CONNECTION_RESET"]);
  });

  it("asks its owner where to read to, but not while others' bytes come first", () => {
    const target = new Uint8Array(3);
    gate = make({ readTarget: () => target });
    expect(gate.readTarget()).toBeUndefined();
    gate.opened();
    expect(gate.readTarget()).toBe(target);
    gate.pause();
    expect(gate.readTarget()).toBeUndefined();
    gate.received(new Uint8Array([1]));
    gate.resume();
    expect(gate.readTarget()).toBeUndefined();
    runPosted();
    expect(gate.readTarget()).toBe(target);
    gate.abort();
    expect(gate.readTarget()).toBeUndefined();
  });

  it("drops the transport when its owner throws where it is asked for a place to read to", () => {
    gate = make({
      readTarget: () => {
        throw new Error("lost");
      },
    });
    gate.opened();
    expect(gate.readTarget()).toBeUndefined();
    expect(drops).toBe(1);
    gate.closed();
    expect(told).toEqual(["opened", "closed TRANSPORT_FAILED"]);
  });

  it("has no place to read to where its owner names none", () => {
    gate.opened();
    expect(gate.readTarget()).toBeUndefined();
  });

  it("tells nothing before opened, and opened and closed once", () => {
    gate.received(new Uint8Array([1]));
    gate.writable();
    gate.opened();
    gate.opened();
    gate.closed();
    gate.closed(new TransportError("CONNECTION_RESET", "reset"));
    gate.received(new Uint8Array([1]));
    gate.writable();
    gate.opened();
    expect(told).toEqual(["opened", "closed"]);
  });

  it("holds copies of what comes after pause, and releases them on the loop, before anything newer", () => {
    gate.opened();
    gate.pause();
    const chunk = new Uint8Array([1]);
    gate.received(chunk);
    chunk[0] = 9;
    gate.received(new Uint8Array([2]));
    gate.resume();
    gate.received(new Uint8Array([3]));
    expect(told).toEqual(["opened"]);
    runPosted();
    gate.received(new Uint8Array([4]));
    expect(told).toEqual(["opened", "received 1", "received 2", "received 3", "received 4"]);
  });

  it("stops the release at the next pause", () => {
    gate = make({
      received: (chunk) => {
        told.push(`received ${chunk.join()}`);
        if (chunk[0] === 1) gate.pause();
      },
    });
    gate.opened();
    gate.pause();
    for (const byte of [1, 2, 3]) gate.received(new Uint8Array([byte]));
    gate.resume();
    runPosted();
    expect(told).toEqual(["opened", "received 1"]);
    gate.resume();
    runPosted();
    expect(told).toEqual(["opened", "received 1", "received 2", "received 3"]);
  });

  it("holds copies of what it is lent, also of a Buffer, whose slice() would be a view", () => {
    gate.opened();
    gate.pause();
    const chunk = Buffer.from([1, 2]);
    gate.received(chunk);
    chunk.fill(9);
    gate.resume();
    runPosted();
    expect(told).toEqual(["opened", "received 1,2"]);
  });

  it("tells the end of a paused stream after resume, behind what was held", () => {
    gate.opened();
    gate.pause();
    gate.received(new Uint8Array([1]));
    gate.closed(new TransportError("CONNECTION_RESET", "reset"));
    expect(told).toEqual(["opened"]);
    gate.resume();
    expect(told).toEqual(["opened"]);
    runPosted();
    expect(told).toEqual(["opened", "received 1", "closed CONNECTION_RESET"]);
  });

  it("tells the end that comes between resume and release once", () => {
    gate.opened();
    gate.pause();
    gate.received(new Uint8Array([1]));
    gate.resume();
    gate.closed();
    expect(told).toEqual(["opened"]);
    runPosted();
    expect(told).toEqual(["opened", "received 1", "closed"]);
  });

  it("does not hold the failure of a stream that never opened", () => {
    gate.pause();
    gate.closed(new TransportError("CONNECTION_REFUSED", "refused"));
    expect(told).toEqual(["closed CONNECTION_REFUSED"]);
  });

  it("tells nothing but closed after abort, without a cause", () => {
    gate.opened();
    gate.abort();
    gate.received(new Uint8Array([1]));
    gate.writable();
    gate.closed(new TransportError("CONNECTION_RESET", "reset"));
    expect(told).toEqual(["opened", "closed"]);
  });

  it("drops what was held at abort, and an end that was held is told on the loop", () => {
    gate.opened();
    gate.pause();
    gate.received(new Uint8Array([1]));
    gate.closed(new TransportError("CONNECTION_RESET", "reset"));
    gate.abort();
    expect(told).toEqual(["opened"]);
    runPosted();
    expect(told).toEqual(["opened", "closed"]);
  });

  for (const where of ["opened", "received", "writable"] as const) {
    it(`drops the transport when ${where} throws, and closed has the reason`, () => {
      const mistake = new Error("mistake");
      const fail = (): never => {
        throw mistake;
      };
      let cause: TransportError | undefined;
      gate = make({ [where]: fail, closed: (reason) => (cause = reason) });
      gate.opened();
      gate.received(new Uint8Array([1]));
      gate.writable();
      expect(drops).toBe(1);
      expect(cause).toBeUndefined();
      gate.closed();
      expect(cause).toMatchObject({ code: "TRANSPORT_FAILED", cause: mistake });
    });
  }

  it("ends a stream whose owner throws at what was held", () => {
    const mistake = new Error("mistake");
    let cause: TransportError | undefined;
    gate = make({
      received: () => {
        throw mistake;
      },
      closed: (reason) => (cause = reason),
    });
    gate.opened();
    gate.pause();
    gate.received(new Uint8Array([1]));
    gate.received(new Uint8Array([2]));
    gate.closed();
    gate.resume();
    runPosted();
    expect(cause).toMatchObject({ code: "TRANSPORT_FAILED", cause: mistake });
  });
});
