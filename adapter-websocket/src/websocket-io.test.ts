import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import {
  connect,
  type Endpoint,
  type IoServices,
  type StreamHandler,
  TransportError,
  UsageError,
} from "@leveret/core/client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { heldLimit } from "./holding.ts";
import { webSocketIo } from "./websocket-io.ts";
import { highWater, lowWater } from "./socket-stream.ts";
import { FakeWebSocket } from "./testing/fake-web-socket.ts";

/** What a handler was told, in order. */
class Told implements StreamHandler {
  readonly calls: string[] = [];
  bytes = 0;
  cause: TransportError | undefined;

  opened(): void {
    this.calls.push("opened");
  }
  received(chunk: Uint8Array): void {
    this.calls.push("received");
    this.bytes += chunk.length;
  }
  writable(): void {
    this.calls.push("writable");
  }
  closed(cause?: TransportError): void {
    this.calls.push("closed");
    this.cause = cause;
  }
}

const url = "wss://user:hidden1@relay.test/path?token=hidden2";
const turn = (io: IoServices): Promise<void> => new Promise((resolve) => io.post(resolve));

function opened() {
  const io = webSocketIo({ WebSocket: FakeWebSocket });
  const told = new Told();
  const stream = io.connect({ transport: "websocket", url, protocols: ["amqp091"] }, told);
  const socket = FakeWebSocket.last;
  socket.emit("open");
  return { io, told, stream, socket };
}

function refusal(io: IoServices, endpoint: Endpoint): UsageError {
  try {
    io.connect(endpoint, new Told());
  } catch (error) {
    if (error instanceof UsageError) return error;
  }
  throw new Error("nothing was thrown");
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("webSocketIo", () => {
  it("offers no subprotocol unless told to, and asks for bytes", () => {
    const io = webSocketIo({ WebSocket: FakeWebSocket });
    io.connect({ transport: "websocket", url: "ws://relay.test" }, new Told());
    expect(FakeWebSocket.last).toMatchObject({ url: "ws://relay.test", protocols: [], binaryType: "arraybuffer" });
    expect(opened().socket.protocols).toEqual(["amqp091"]);
  });

  it("refuses what WebSocket cannot do, and URLs that are none, without a token in the error", () => {
    const io = webSocketIo({ WebSocket: FakeWebSocket });
    expect(refusal(io, { transport: "tcp", host: "a", port: 1 }).code).toBe("NOT_SUPPORTED");
    expect(refusal(io, { transport: "unix", path: "/a" }).code).toBe("NOT_SUPPORTED");
    for (const bad of [
      "",
      "relay",
      "https://relay/?hidden",
      "wss://relay/#hidden",
      "wss://:hidden",
      "wss://hidden:65536/",
    ]) {
      const error = refusal(io, { transport: "websocket", url: bad });
      expect(error).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: "url has an illegal scheme, host or port, or a fragment",
      });
    }
    const Refusing = class extends FakeWebSocket {
      constructor(where: string, protocols: string[]) {
        super(where, protocols);
        throw new SyntaxError(`no: ${where}`);
      }
    };
    const error = refusal(webSocketIo({ WebSocket: Refusing }), { transport: "websocket", url });
    expect(error.message).toBe("the runtime refuses to open wss://relay.test (SyntaxError)");
    expect(error.cause).toBeUndefined();
  });

  it("says so where there is no WebSocket", () => {
    vi.stubGlobal("WebSocket", undefined);
    const io = webSocketIo();
    expect(io.capabilities.websocket).toBe(false);
    expect(refusal(io, { transport: "websocket", url: "ws://relay" }).code).toBe("NOT_SUPPORTED");
  });

  it("names runtimes as they name themselves", () => {
    const agents = {
      "Node.js/24": "node 24",
      "Deno/2.9.6": "deno 2.9.6",
      "Bun/1.4.5": "bun 1.4.5",
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":
        "chrome 156.0.0.0",
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0":
        "edge 156.0",
      "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15": "safari 26.1",
      "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0": "firefox 150.0",
      "": "javascript unknown",
    };
    for (const [userAgent, name] of Object.entries(agents)) {
      vi.stubGlobal("navigator", { userAgent });
      expect(webSocketIo().runtime).toBe(name);
    }
  });

  it("can pause exactly when its class can", () => {
    expect(webSocketIo({ WebSocket: FakeWebSocket }).capabilities.pause).toBe("held");
    class Pausing extends FakeWebSocket {
      pause(): void {}
    }
    expect(webSocketIo({ WebSocket: Pausing }).capabilities.pause).toBe("exact");
  });
});

describe("posting without setImmediate", () => {
  it("takes one channel for all connections, since a page keeps each for ever", async () => {
    vi.stubGlobal("setImmediate", undefined);
    let channels = 0;
    vi.stubGlobal(
      "MessageChannel",
      class extends MessageChannel {
        constructor() {
          super();
          channels += 1;
        }
      },
    );
    for (let count = 0; count < 5; count += 1) await turn(webSocketIo());
    expect(channels).toBeLessThanOrEqual(1);
  });

  it("is in order, after the microtasks, and survives a task that throws", async () => {
    vi.stubGlobal("setImmediate", undefined);
    const io = webSocketIo();
    const ran: unknown[] = [];
    const thrown = new Promise<unknown>((resolve) => {
      process.once("uncaughtException", resolve);
    });
    const others = process.listeners("uncaughtException").slice(0, -1);
    for (const listener of others) process.off("uncaughtException", listener);
    io.post(() => ran.push(1));
    io.post(() => {
      throw new Error("a task's mistake");
    });
    queueMicrotask(() => ran.push(0));
    await new Promise<void>((resolve) => io.post(resolve));
    expect(ran).toEqual([0, 1]);
    expect(await thrown).toMatchObject({ message: "a task's mistake" });
    for (const listener of others) process.on("uncaughtException", listener);
  });
});

describe("a stream on WebSocket", () => {
  it("is full above a mark, and takes more below another, asked by a timer", async () => {
    const { told, stream, socket } = opened();
    expect(stream.write([new Uint8Array(highWater - 1)])).toBe(true);
    expect(stream.write([new Uint8Array(1)])).toBe(false);
    expect(stream.write([new Uint8Array(1)])).toBe(false);
    socket.bufferedAmount = lowWater + 1;
    await expect.poll(() => socket.sent.length).toBeGreaterThan(1);
    expect(told.calls).toEqual(["opened"]);
    socket.bufferedAmount = lowWater;
    await expect.poll(() => told.calls).toEqual(["opened", "writable"]);
    expect(stream.write([new Uint8Array(1)])).toBe(true);
  });

  it("takes more when a message arrives, although no timer fires", () => {
    vi.useFakeTimers();
    const { told, stream, socket } = opened();
    expect(stream.write([new Uint8Array(highWater)])).toBe(false);
    socket.bufferedAmount = 0;
    socket.emit("message", { data: new ArrayBuffer(1) });
    expect(told.calls).toEqual(["opened", "received", "writable"]);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("asks no more after its end", () => {
    vi.useFakeTimers();
    for (const finish of ["abort", "end", "close"] as const) {
      const { stream, socket } = opened();
      stream.write([new Uint8Array(highWater)]);
      expect(vi.getTimerCount()).toBe(1);
      if (finish === "close") socket.emit("close", { code: 1006, reason: "", wasClean: false });
      else stream[finish]();
      vi.advanceTimersByTime(0);
      expect(vi.getTimerCount()).toBe(0);
    }
    vi.useRealTimers();
  });

  it("ends with an error for text, which is no AMQP", async () => {
    const { io, told, socket } = opened();
    socket.emit("message", { data: new ArrayBuffer(3) });
    socket.emit("message", { data: "text" });
    socket.emit("message", { data: new ArrayBuffer(3) });
    await turn(io);
    expect(told.calls).toEqual(["opened", "received", "closed"]);
    expect(told.cause).toMatchObject({ code: "TRANSPORT_FAILED" });
    expect(socket.closes).toEqual([[4000, "aborted"]]);
  });

  it.each([
    ["text", "text"],
    ["more than its limit", new ArrayBuffer(heldLimit)],
  ])("takes nothing behind a message that ended it while the owner had paused: %s", async (_, data) => {
    const { io, told, stream, socket } = opened();
    stream.pause();
    for (const each of [new ArrayBuffer(3), data, new ArrayBuffer(5)]) socket.emit("message", { data: each });
    stream.resume();
    await turn(io);
    expect(told.bytes).toBe(3);
    expect(told.calls.at(-1)).toBe("closed");
    expect(socket.closes).toHaveLength(1);
  });

  it("does not hold more than its limit for an owner that has paused", async () => {
    const { io, told, stream, socket } = opened();
    stream.pause();
    const part = new ArrayBuffer(heldLimit / 4);
    for (let count = 0; count < 4; count += 1) socket.emit("message", { data: part });
    expect(socket.closes).toEqual([]);
    socket.emit("message", { data: new ArrayBuffer(1) });
    expect(socket.closes).toHaveLength(1);
    expect(told.calls).toEqual(["opened"]);
    stream.resume();
    await turn(io);
    expect(told.bytes).toBe(heldLimit);
    expect(told.calls.at(-1)).toBe("closed");
    expect(told.cause?.message).toContain("prefetch");
  });

  it("has room again for what was held and then given", async () => {
    const { io, told, stream, socket } = opened();
    const part = new ArrayBuffer(heldLimit / 2);
    for (let round = 0; round < 3; round += 1) {
      stream.pause();
      socket.emit("message", { data: part });
      stream.resume();
      await turn(io);
    }
    expect(told.bytes).toBe(1.5 * heldLimit);
    expect(socket.closes).toEqual([]);
  });

  it.each([
    [1000, true, undefined],
    [1005, true, undefined],
    [1001, true, "the WebSocket was closed with code 1001: going"],
    [1013, true, "the WebSocket was closed with code 1013: going"],
    [1006, false, "the WebSocket broke"],
    [0, false, "the WebSocket broke"],
  ])("the cause of an end with code %s", (code, wasClean, message) => {
    const { told, socket } = opened();
    socket.emit("close", { code, reason: "going", wasClean });
    expect(told.calls).toEqual(["opened", "closed"]);
    expect(told.cause?.message).toBe(message);
    if (message !== undefined) expect(told.cause).toMatchObject({ code: "WEBSOCKET_CLOSED", phase: undefined });
  });

  it("takes bytes of another realm, as where tests have a page of jsdom", async () => {
    const { told, socket } = opened();
    socket.emit("message", { data: runInNewContext("new ArrayBuffer(3)") });
    expect(told.calls).toEqual(["opened", "received"]);
    expect(told.bytes).toBe(3);
  });

  it("ends with an error for a Blob, where a class does not give what was asked for", async () => {
    const { told, socket } = opened();
    socket.emit("message", { data: new Blob(["AMQP"]) });
    expect(told.calls).toEqual(["opened", "closed"]);
    expect(told.cause).toMatchObject({ code: "TRANSPORT_FAILED" });
  });

  it("says what came, where a text message comes in place of AMQP", async () => {
    const io = webSocketIo({ WebSocket: FakeWebSocket });
    const connecting = connect(io, { uri: url, recovery: false }).catch((error: unknown) => error);
    await turn(io);
    FakeWebSocket.last.emit("open");
    FakeWebSocket.last.emit("message", { data: "hidden" });
    expect(await connecting).toMatchObject({
      phase: "header",
      message:
        "Could not connect: wss://relay.test/path (header): The server hung up before it spoke AMQP: " +
        "the peer sent a text message; AMQP is bytes",
    });
  });

  it("is over after an error, also where no close follows", async () => {
    const why = new Error("an illegal frame");
    const { io, told, socket } = opened();
    socket.emit("message", { data: new ArrayBuffer(3) });
    socket.emit("error", { error: why });
    await turn(io);
    expect(told.calls).toEqual(["opened", "received", "closed"]);
    expect(told.cause).toMatchObject({ code: "WEBSOCKET_CLOSED", phase: undefined, cause: why });
    socket.emit("close", { code: 1006, reason: "", wasClean: false });
    await turn(io);
    expect(told.calls).toHaveLength(3);
  });

  it("is over after an error of its handshake, also where no close follows", async () => {
    const io = webSocketIo({ WebSocket: FakeWebSocket });
    const told = new Told();
    io.connect({ transport: "websocket", url }, told);
    FakeWebSocket.last.emit("error", { message: "refused" });
    await turn(io);
    expect(told.calls).toEqual(["closed"]);
    expect(told.cause).toMatchObject({ code: "WEBSOCKET_HANDSHAKE", phase: "tcp", cause: "refused" });
  });

  it("ends with the close that follows an error, which says more", async () => {
    const { io, told, socket } = opened();
    socket.emit("error", {});
    socket.emit("close", { code: 1011, reason: "mistake", wasClean: true });
    await turn(io);
    expect(told.cause?.message).toBe("the WebSocket was closed with code 1011: mistake");
  });

  it("tells the end of an abort later, also where the class tells it inside of close", async () => {
    class Inline extends FakeWebSocket {
      override close(): void {
        this.emit("error", { error: new Error("closed before it was open") });
        this.emit("close", { code: 1006, reason: "", wasClean: false });
      }
    }
    const io = webSocketIo({ WebSocket: Inline });
    const told = new Told();
    const stream = io.connect({ transport: "websocket", url }, told);
    stream.abort();
    expect(told.calls).toEqual([]);
    await turn(io);
    expect(told.calls).toEqual(["closed"]);
    expect(told.cause).toBeUndefined();
  });

  it.each(["opening", "open"])("shows no token of a URL that the runtime quotes: %s", async (phase) => {
    const io = webSocketIo({ WebSocket: FakeWebSocket });
    const told = new Told();
    io.connect({ transport: "websocket", url }, told);
    if (phase === "open") FakeWebSocket.last.emit("open");
    FakeWebSocket.last.emit("error", { error: new Error(`WebSocket connection to '${url}' failed: code 403`) });
    FakeWebSocket.last.emit("close", { code: 1006, reason: "", wasClean: false });
    expect(told.cause?.cause).toMatchObject({
      message: "WebSocket connection to '…' failed: code 403",
    });
    expect(inspect(told.cause, { depth: 10 })).not.toContain("hidden");
  });

  it("a handshake that fails says what the runtime knows of why", () => {
    const told = new Told();
    webSocketIo({ WebSocket: FakeWebSocket }).connect({ transport: "websocket", url }, told);
    const why = new Error("Unexpected server response: 403");
    FakeWebSocket.last.emit("error", { error: why });
    FakeWebSocket.last.emit("close", { code: 1006, reason: "", wasClean: false });
    expect(told.calls).toEqual(["closed"]);
    expect(told.cause).toBeInstanceOf(TransportError);
    expect(told.cause).toMatchObject({
      code: "WEBSOCKET_HANDSHAKE",
      phase: "tcp",
      message: "the WebSocket did not open: Unexpected server response: 403",
      cause: why,
    });
  });
});
