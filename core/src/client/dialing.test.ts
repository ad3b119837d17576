import { describe, expect, it } from "vitest";
import { connect } from "./connect.ts";
import type { ConnectError } from "./errors.ts";
import { TransportError } from "./io-services.ts";
import type { ConnectOptions, EndpointOption } from "./parameters.ts";
import { connected, errorOf, settled, stateOf } from "./testing/fixture.ts";
import { FakeServer, serve } from "./testing/fake-server.ts";
import { VirtualIo, type VirtualStream } from "./testing/virtual-io.ts";

const refused = (): TransportError => new TransportError("CONNECTION_REFUSED", "connection refused", { phase: "tcp" });
const notFound = (): TransportError => new TransportError("NAME_NOT_FOUND", "name not found", { phase: "dns" });

/** Endpoints by host name: what becomes of a stream to each. */
function hosts(io: VirtualIo, behaviour: Record<string, (stream: VirtualStream) => void>): string[] {
  const tried: string[] = [];
  io.accept = (stream) => {
    const host = stream.endpoint.transport === "tcp" ? stream.endpoint.host : "";
    tried.push(host);
    (behaviour[host] ?? (() => {}))(stream);
  };
  return tried;
}

const refuses = (stream: VirtualStream): void => stream.hangUp(refused());
const unknown = (stream: VirtualStream): void => stream.hangUp(notFound());
const silent = (stream: VirtualStream): void => stream.open();
const works = (stream: VirtualStream): void => {
  new FakeServer(stream);
  stream.open();
};

async function connectError(io: VirtualIo, options: ConnectOptions, time = 60_000): Promise<ConnectError> {
  const error = errorOf(connect(io, options));
  await io.advance(time);
  return (await error) as ConnectError;
}

describe("connecting", () => {
  it("opens, and knows what was negotiated", async () => {
    const { connection, io } = await connected({ heartbeat: 7, channelMax: 5 });
    expect(connection.state).toBe("open");
    expect(connection.negotiated).toEqual({ mechanism: "PLAIN", channelMax: 5, frameMax: 131_072, heartbeat: 7 });
    expect(connection.serverProperties["product"]).toBe("Fake");
    expect(connection.serverCapabilities["publisher_confirms"]).toBe(true);
    await settled(io, connection.close());
    expect(connection.state).toBe("closed");
    expect(await connection.closed).toBeUndefined();
  });

  it("goes on to the next endpoint, also when a name is not found", async () => {
    const io = new VirtualIo();
    const tried = hosts(io, { a: unknown, b: refuses, c: works });
    const connecting = connect(io, { endpoints: [{ host: "a" }, { host: "b" }, { host: "c" }] });
    await io.advance(0);
    expect((await connecting).state).toBe("open");
    expect(tried).toEqual(["a", "b", "c"]);
    expect(io.openStreams).toBe(1);
  });

  it("names every attempt, its endpoint and its phase when all fail", async () => {
    const io = new VirtualIo();
    hosts(io, { a: unknown, "::1": refuses });
    const error = await connectError(io, { endpoints: [{ host: "a" }, { host: "::1", port: 5673 }] });
    expect(error).toMatchObject({ name: "ConnectError", code: "CONNECT_FAILED", phase: "tcp", outcome: "not-sent" });
    expect(error.errors).toMatchObject([
      { endpoint: "a:5672", phase: "dns", code: "NAME_NOT_FOUND", round: 1 },
      { endpoint: "[::1]:5673", phase: "tcp", code: "CONNECTION_REFUSED", round: 1 },
    ]);
    expect(error.message).toContain("a:5672 (dns): name not found");
    expect(error.retryable).toBe(true);
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });

  it("names an endpoint once, and an address of it where a transport says which one failed", async () => {
    const io = new VirtualIo();
    const fails = (where: string) => (stream: VirtualStream) =>
      stream.hangUp(new TransportError("CONNECTION_REFUSED", `${where}: refused`, { phase: "tcp" }));
    hosts(io, { "192.0.2.1": fails("192.0.2.1:5672"), name: fails("192.0.2.2:5672") });
    const error = await connectError(io, { endpoints: [{ host: "192.0.2.1" }, { host: "name" }] });
    expect(error.message).toBe(
      "Could not connect: 192.0.2.1:5672 (tcp): refused; name:5672 (tcp): 192.0.2.2:5672: refused",
    );
  });

  it("says why the transport ended in the handshake", async () => {
    const io = new VirtualIo();
    hosts(io, {
      a: (stream) => {
        stream.open();
        stream.hangUp(new TransportError("WEBSOCKET_CLOSED", "the WebSocket was closed with code 1013: no broker"));
      },
    });
    const error = await connectError(io, { host: "a" });
    expect(error.message).toBe(
      "Could not connect: a:5672 (header): The server hung up before it spoke AMQP: " +
        "the WebSocket was closed with code 1013: no broker",
    );
  });

  it("begins each round with the first endpoint, and waits between rounds only", async () => {
    const io = new VirtualIo();
    const times: number[] = [];
    const tried = hosts(io, { a: refuses, b: refuses });
    const { accept } = io;
    io.accept = (stream) => {
      times.push(io.now());
      accept(stream);
    };
    const options = { endpoints: [{ host: "a" }, { host: "b" }], connectionAttempts: 3, retryDelay: 700 };
    const error = await connectError(io, options);
    expect(tried).toEqual(["a", "b", "a", "b", "a", "b"]);
    expect(times).toEqual([1000, 1000, 1700, 1700, 2400, 2400]);
    expect(error.errors.map(({ round }) => round)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it("asks the function for endpoints before each round", async () => {
    const io = new VirtualIo();
    const tried = hosts(io, { a: refuses, b: works });
    const lists: EndpointOption[][] = [[{ host: "a" }], [{ host: "b" }]];
    const connecting = connect(io, {
      endpoints: async () => lists.shift() ?? [],
      connectionAttempts: 5,
      retryDelay: 10,
    });
    await io.advance(20);
    expect((await connecting).state).toBe("open");
    expect(tried).toEqual(["a", "b"]);
  });

  it("takes a function that fails for a round that failed", async () => {
    const io = new VirtualIo();
    const error = await connectError(io, {
      endpoints: () => Promise.reject(new Error("consul is down")),
      connectionAttempts: 2,
      retryDelay: 10,
    });
    expect(error.errors).toMatchObject([
      { code: "ENDPOINTS_FAILED", endpoint: "endpoints", round: 1 },
      { code: "ENDPOINTS_FAILED", endpoint: "endpoints", round: 2 },
    ]);
  });

  it("does not wait for ever for the functions it asks", async () => {
    const io = new VirtualIo();
    hosts(io, { a: works });
    const never = (): Promise<never> => new Promise(() => {});
    expect((await connectError(io, { endpoints: never })).errors).toMatchObject([{ code: "ENDPOINTS_FAILED" }]);
    const credentials = await connectError(io, { host: "a", credentials: never });
    expect(credentials.errors).toMatchObject([{ code: "CREDENTIALS_FAILED", endpoint: "a:5672" }]);
    expect(io.timers).toBe(0);
  });

  it("rejects with a usage error when the options are wrong, before anything is sent", async () => {
    const io = new VirtualIo();
    expect(await errorOf(connect(io, { port: 70_000 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await errorOf(connect(io, { frameMax: 100 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(io.streams).toHaveLength(0);
  });
});

describe("timeouts", () => {
  it("gives a transport connectTimeout", async () => {
    const io = new VirtualIo();
    hosts(io, {});
    const error = await connectError(io, { host: "a", connectTimeout: 300 }, 400);
    expect(error.errors).toMatchObject([{ code: "CONNECT_TIMEOUT", phase: "tcp", endpoint: "a:5672" }]);
    expect(io.openStreams).toBe(0);
  });

  it("gives the whole stack openTimeout: a server that accepts and says nothing", async () => {
    const io = new VirtualIo();
    hosts(io, { a: silent });
    const error = await connectError(io, { host: "a", openTimeout: 900 }, 900);
    expect(error.errors).toMatchObject([{ code: "HANDSHAKE_TIMEOUT", phase: "header" }]);
    expect(io.openStreams).toBe(0);
  });

  it("counts openTimeout from the beginning of the transport", async () => {
    const io = new VirtualIo();
    hosts(io, {});
    const error = await connectError(io, { host: "a", openTimeout: 300, connectTimeout: 0 }, 400);
    expect(error.errors).toMatchObject([{ code: "CONNECT_TIMEOUT", phase: "tcp" }]);
    expect(io.openStreams).toBe(0);
  });

  it("needs neither", async () => {
    const { connection } = await connected({ openTimeout: 0, connectTimeout: 0 });
    expect(connection.state).toBe("open");
  });

  it("never has two dials open", async () => {
    const io = new VirtualIo();
    let most = 0;
    io.accept = () => {
      most = Math.max(most, io.openStreams);
    };
    await connectError(io, { endpoints: [{ host: "a" }, { host: "b" }], connectionAttempts: 3, connectTimeout: 50 });
    expect(most).toBe(1);
  });
});

describe("what no other endpoint can cure", () => {
  const refusedLogin = (stream: VirtualStream): void => {
    new FakeServer(stream).on("connection.start-ok", (_, server) =>
      server.method(0, "connection.close", { replyCode: 403, replyText: "ACCESS_REFUSED", classId: 0, methodId: 0 }),
    );
    stream.open();
  };

  it("stops at refused credentials", async () => {
    const io = new VirtualIo();
    const tried = hosts(io, { a: refuses, b: refusedLogin, c: works });
    const options = { endpoints: [{ host: "a" }, { host: "b" }, { host: "c" }], connectionAttempts: 3 };
    const error = await connectError(io, options);
    expect(error).toMatchObject({ code: "AUTHENTICATION_FAILED", phase: "sasl", replyCode: 403, retryable: false });
    expect(error.errors).toHaveLength(2);
    expect(tried).toEqual(["a", "b"]);
  });

  it("stops at a virtual host that is refused", async () => {
    const io = new VirtualIo();
    hosts(io, {
      a: (stream) => {
        new FakeServer(stream).on("connection.open", (_, server) =>
          server.method(0, "connection.close", { replyCode: 530, replyText: "NOT_ALLOWED", classId: 10, methodId: 40 }),
        );
        stream.open();
      },
    });
    const error = await connectError(io, { endpoints: [{ host: "a" }, { host: "a" }] });
    expect(error).toMatchObject({ code: "VIRTUAL_HOST_REFUSED", phase: "open", replyCode: 530 });
    expect(error.errors).toHaveLength(1);
  });

  it("goes on after what another endpoint may do better", async () => {
    const io = new VirtualIo();
    const http = (stream: VirtualStream): void => {
      stream.open();
      stream.send(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    };
    hosts(io, { a: http, b: works });
    const connecting = connect(io, { endpoints: [{ host: "a" }, { host: "b" }] });
    await io.advance(2000);
    expect((await connecting).state).toBe("open");
    expect(io.openStreams).toBe(1);
  });

  it("says in which phase the server hung up", async () => {
    const io = new VirtualIo();
    const hangsUpAfter = (method: "connection.start-ok" | "connection.open") => (stream: VirtualStream) => {
      new FakeServer(stream).on(method, (_, server) => server.stream.hangUp());
      stream.open();
    };
    hosts(io, {
      header: (stream) => {
        stream.open();
        stream.hangUp();
      },
      sasl: hangsUpAfter("connection.start-ok"),
      open: hangsUpAfter("connection.open"),
    });
    const endpoints = [{ host: "header" }, { host: "sasl" }, { host: "open" }];
    const error = await connectError(io, { endpoints });
    expect(error.errors.map(({ phase }) => phase)).toEqual(["header", "sasl", "open"]);
  });
});

describe("giving up", () => {
  const reason = new Error("enough");

  it("ends before it began when the signal is aborted already", async () => {
    const io = new VirtualIo();
    const error = await connectError(io, { host: "a", signal: AbortSignal.abort(reason) });
    expect(error).toMatchObject({ code: "CONNECT_ABORTED", cause: reason });
    expect(io.streams).toHaveLength(0);
  });

  it.each([
    ["while the transport opens", 0, {}],
    ["during the handshake", 1, { a: silent }],
    ["between two rounds", 100, { a: refuses }],
  ] as const)("leaves nothing behind: %s", async (_, time, behaviour) => {
    const io = new VirtualIo();
    hosts(io, behaviour);
    const controller = new AbortController();
    const connecting = errorOf(
      connect(io, { host: "a", signal: controller.signal, connectionAttempts: 3, retryDelay: 1000 }),
    );
    await io.advance(time);
    controller.abort(reason);
    await io.settle();
    expect(await connecting).toMatchObject({ code: "CONNECT_ABORTED", cause: reason });
    expect(io.openStreams).toBe(0);
    expect(io.timers).toBe(0);
  });

  it("ends while it waits for endpoints, or for credentials", async () => {
    const io = new VirtualIo();
    const never = (): Promise<never> => new Promise(() => {});
    for (const options of [{ endpoints: never }, { host: "a", credentials: never }]) {
      const controller = new AbortController();
      const connecting = errorOf(connect(io, { ...options, signal: controller.signal }));
      await io.settle();
      controller.abort();
      await io.settle();
      expect(await connecting).toMatchObject({ code: "CONNECT_ABORTED" });
    }
    expect(io.timers).toBe(0);
  });

  it("ends when whoever is asked for endpoints, or for credentials, gives up for the caller", async () => {
    const io = new VirtualIo();
    hosts(io, { a: works });
    for (const name of ["endpoints", "credentials"] as const) {
      const controller = new AbortController();
      const answers = { endpoints: ["amqp://a"], credentials: { username: "u", password: "p" } };
      const ask = (): never => {
        controller.abort(reason);
        return answers[name] as never;
      };
      const asking = name === "endpoints" ? { endpoints: ask } : { host: "a", credentials: ask };
      const error = await connectError(io, { ...asking, signal: controller.signal });
      expect(error).toMatchObject({ code: "CONNECT_ABORTED", cause: reason });
    }
    expect(io.streams).toHaveLength(0);
    expect(io.timers).toBe(0);
  });

  it("does nothing to a connection that is open", async () => {
    const controller = new AbortController();
    const { connection, io } = await connected({ signal: controller.signal });
    controller.abort();
    await io.settle();
    expect(connection.state).toBe("open");
  });
});

describe("secrets", () => {
  it("are in no error", async () => {
    const io = new VirtualIo();
    hosts(io, { a: refuses });
    const error = await connectError(io, {
      endpoints: ["amqp://user:hunter2@a", { transport: "websocket", url: "wss://relay/x?token=hunter2" }],
      connectTimeout: 10,
    });
    expect(error.errors.map(({ endpoint }) => endpoint)).toEqual(["a:5672", "wss://relay/x"]);
    expect(JSON.stringify(error) + error.stack + error.errors.map(String).join()).not.toContain("hunter2");
  });
});

describe("events right after the opening", () => {
  it("are not lost", async () => {
    const io = new VirtualIo();
    serve(io, (server) =>
      server.on("connection.open", () =>
        server.together((bytes) =>
          bytes.method(0, "connection.open-ok", {}).method(0, "connection.blocked", { reason: "low on memory" }),
        ),
      ),
    );
    const connection = await settled(io, connect(io, { host: "a" }));
    expect(connection.blocked).toBe("low on memory");
    expect(await stateOf(connection.closed)).toBe("pending");
  });
});
