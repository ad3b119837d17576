import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { external } from "../engine/sasl.ts";
import { UsageError } from "../wire/errors.ts";
import type { Endpoint } from "./io-services.ts";
import type { ConnectOptions, ConnectPlan } from "./parameters.ts";
import { allAddresses } from "./addresses/all-addresses.ts";
import { planConnection as planWith } from "./plan.ts";
import { recovery } from "./recovery.ts";

const planConnection = (options: ConnectOptions | string): ConnectPlan =>
  planWith(options, { addresses: allAddresses, recovery });

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const files = new Map([
  ["ca.pem", "CA"],
  ["cert.pem", "CERT"],
  ["key.pem", "KEY"],
]);
const readFile = async (path: string): Promise<Uint8Array> => {
  const content = files.get(path);
  if (content === undefined) throw new Error("no such file");
  return new TextEncoder().encode(content);
};

async function endpointsOf(plan: ConnectPlan): Promise<readonly Endpoint[]> {
  return (await plan.targets()).map((target) => target.endpoint);
}

async function onlyEndpoint(options: ConnectOptions | string): Promise<Endpoint> {
  const [endpoint, ...more] = await endpointsOf(planConnection(options));
  expect(more).toEqual([]);
  if (endpoint === undefined) throw new Error("no endpoint");
  return endpoint;
}

async function configOf(options: ConnectOptions | string, index = 0) {
  const target = (await planConnection(options).targets())[index];
  if (target === undefined) throw new Error("no target");
  return target.engineConfig();
}

async function firstResponse(options: ConnectOptions | string, index = 0): Promise<string> {
  return text((await configOf(options, index)).mechanisms[0]?.start());
}

function attempt(options: unknown): unknown {
  try {
    return planConnection(options as ConnectOptions);
  } catch (error) {
    return error;
  }
}

describe("planConnection", () => {
  it("knows what to do without any option", async () => {
    const plan = planConnection({});
    expect(plan).toMatchObject({
      connectionAttempts: 1,
      retryDelay: 2000,
      connectTimeout: 10_000,
      openTimeout: 15_000,
      signal: undefined,
    });
    expect(await endpointsOf(plan)).toEqual([{ transport: "tcp", host: "localhost", port: 5672 }]);
    const config = await configOf({});
    expect(config.virtualHost).toBe("/");
    expect(config.mechanisms.map((mechanism) => mechanism.name)).toEqual(["PLAIN", "AMQPLAIN"]);
    expect(await firstResponse({})).toBe("\0guest\0guest");
  });

  it("takes the port that belongs to the scheme, or to TLS", async () => {
    expect(await onlyEndpoint("amqp://h")).toMatchObject({ host: "h", port: 5672 });
    expect(await onlyEndpoint("amqps://h")).toMatchObject({ host: "h", port: 5671, tls: {} });
    expect(await onlyEndpoint({ host: "h", tls: true })).toMatchObject({ host: "h", port: 5671, tls: {} });
    expect(await onlyEndpoint({ host: "h", tls: {}, port: 1 })).toMatchObject({ port: 1, tls: {} });
    expect(await onlyEndpoint({ host: "h", tls: false })).toMatchObject({ port: 5672, tls: undefined });
  });

  it("passes every parameter of the handshake on to the engine", async () => {
    const tap = (): void => {};
    const heartbeat = (proposed: number): number => proposed * 2;
    const given = {
      virtualHost: "v",
      locale: "de_DE",
      connectionName: "n",
      clientProperties: { a: 1 },
      channelMax: 10,
      frameMax: 8192,
      heartbeat,
      requestTimeout: 1,
      closeTimeout: 2,
      blockedTimeout: 3,
      limits: { maxBodySize: 10 },
      tap,
    };
    expect(await configOf(given)).toMatchObject(given);
  });

  it("passes the parameters of the connection on", () => {
    const { signal } = new AbortController();
    const given = { connectionAttempts: Infinity, retryDelay: 0, connectTimeout: 0, openTimeout: 1, signal };
    expect(planConnection(given)).toMatchObject(given);
  });

  it("lets an option win over the same parameter in the URI", async () => {
    const uri = "amqp://user:pw@h/v?heartbeat=5&socket_timeout=1&stack_timeout=2&connection_attempts=3&retry_delay=4";
    const plan = planConnection({ uri, connectTimeout: 7, virtualHost: undefined });
    expect(plan).toMatchObject({ connectTimeout: 7, openTimeout: 2000, connectionAttempts: 3, retryDelay: 4000 });
    expect(await configOf({ uri, virtualHost: "w" })).toMatchObject({ virtualHost: "w", heartbeat: 5 });
    expect(await firstResponse(uri)).toBe("\0user\0pw");
    expect(await firstResponse({ uri, credentials: { username: "other", password: "x" } })).toBe("\0other\0x");
  });

  it("joins TLS of the URI and of the options", async () => {
    const uri = "amqps://h?verify=verify_none&server_name_indication=a&cacertfile=ca.pem";
    const { tls } = (await onlyEndpoint({ uri, tls: { serverName: "b" }, readFile })) as { tls: object };
    expect(tls).toEqual({ verify: false, serverName: "b", ca: "CA" });
  });

  it("is not moved by later changes of the options", async () => {
    const endpoints = ["amqp://a"];
    const options = { endpoints, virtualHost: "v" };
    const plan = planConnection(options);
    endpoints[0] = "amqp://b";
    options.virtualHost = "w";
    expect(await endpointsOf(plan)).toMatchObject([{ host: "a" }]);
    expect((await plan.targets())[0]?.virtualHost).toBe("v");
  });
});

describe("endpoints", () => {
  it("may be URIs, addresses, unix sockets and relays", async () => {
    const plan = planConnection({
      endpoints: [
        "amqp://a",
        "amqps://b:1",
        { host: "c" },
        { host: "::1", port: 2, tls: { serverName: "d" }, tcp: { keepAlive: 0 } },
        { transport: "unix", path: "/run/amqp" },
        { transport: "websocket", url: "wss://relay/amqp", protocols: ["amqp091"] },
        "ws://relay",
      ],
    });
    expect(await endpointsOf(plan)).toEqual([
      { transport: "tcp", host: "a", port: 5672 },
      { transport: "tcp", host: "b", port: 1, tls: {} },
      { transport: "tcp", host: "c", port: 5672 },
      { transport: "tcp", host: "::1", port: 2, tls: { serverName: "d" }, tcp: { keepAlive: 0 } },
      { transport: "unix", path: "/run/amqp" },
      { transport: "websocket", url: "wss://relay/amqp", protocols: ["amqp091"] },
      { transport: "websocket", url: "ws://relay" },
    ]);
  });

  it("share the options, and win over them", async () => {
    const options = {
      endpoints: [
        "amqps://u:p@a/va?heartbeat=1&server_name_indication=x",
        "amqps://b",
        { host: "c", tls: { verify: true } },
      ],
      tls: { ca: "CA", serverName: "shared", verify: false },
      credentials: { username: "shared", password: "" },
      virtualHost: "shared",
      heartbeat: 2,
    };
    const tls = (await endpointsOf(planConnection(options))).map((endpoint) => "tls" in endpoint && endpoint.tls);
    expect(tls).toEqual([
      { ca: "CA", serverName: "x", verify: false },
      { ca: "CA", serverName: "shared", verify: false },
      { ca: "CA", serverName: "shared", verify: true },
    ]);
    expect(await configOf(options, 0)).toMatchObject({ virtualHost: "va", heartbeat: 1 });
    expect(await firstResponse(options, 0)).toBe("\0u\0p");
    expect(await configOf(options, 1)).toMatchObject({ virtualHost: "shared", heartbeat: 2 });
    expect(await firstResponse(options, 1)).toBe("\0shared\0");
  });

  it("are asked for again before every round, when they are a function", async () => {
    let asked = 0;
    const plan = planConnection({ endpoints: async () => [{ host: `h${++asked}` }] });
    expect(asked).toBe(0);
    expect(await endpointsOf(plan)).toMatchObject([{ host: "h1" }]);
    expect(await endpointsOf(plan)).toMatchObject([{ host: "h2" }]);
  });

  it("are checked also when a function gives them", async () => {
    const targets = (gave: unknown): Promise<unknown> =>
      planConnection({ endpoints: (() => gave) as () => readonly string[] }).targets();
    const list = "what the endpoints function gave";
    await expect(targets([])).rejects.toThrow(`${list} is an array of 1 to 1024 endpoints, not of 0`);
    await expect(targets(undefined)).rejects.toThrow(`${list} is an array of endpoints, not undefined`);
    await expect(targets(["amqp://h", { host: "h", port: 0 }])).rejects.toThrow(
      `${list}[1].port is an integer from 1 to 65535, not 0`,
    );
  });

  it("reject with what their function throws", async () => {
    const failure = new Error("the registry is down");
    const plan = planConnection({ endpoints: () => Promise.reject(failure) });
    await expect(plan.targets()).rejects.toBe(failure);
  });
});

describe("credentials", () => {
  it("may be a mechanism, or several", async () => {
    const own = { name: "OWN", start: () => new Uint8Array([1]), respond: (challenge: Uint8Array) => challenge };
    expect((await configOf({ credentials: own })).mechanisms).toEqual([own]);
    const several = await configOf({ credentials: [own, external()] });
    expect(several.mechanisms.map((mechanism) => mechanism.name)).toEqual(["OWN", "EXTERNAL"]);
    const named = await configOf("amqps://h?auth_mechanism=external");
    expect(named.mechanisms.map((mechanism) => mechanism.name)).toEqual(["EXTERNAL"]);
    expect(await firstResponse("amqp://u:p@h?auth_mechanism=plain")).toBe("\0u\0p");
  });

  it("are asked for again before every attempt, when they are a function", async () => {
    let asked = 0;
    const plan = planConnection({ credentials: async () => ({ username: "u", password: `p${++asked}` }) });
    const [target] = await plan.targets();
    expect(asked).toBe(0);
    expect(text((await target?.engineConfig())?.mechanisms[0]?.start())).toBe("\0u\0p1");
    expect(text((await target?.engineConfig())?.mechanisms[0]?.start())).toBe("\0u\0p2");
  });

  it("are checked also when a function gives them", async () => {
    const given = { credentials: (() => ({ username: "u" })) as never };
    await expect(configOf(given)).rejects.toThrow(
      "what the credentials function gave.password is a string, not of type undefined",
    );
  });

  it("reject with what their function throws", async () => {
    const failure = new Error("the vault is sealed");
    await expect(configOf({ credentials: () => Promise.reject(failure) })).rejects.toBe(failure);
  });
});

describe("files", () => {
  const tls = { caFile: "ca.pem", certFile: "cert.pem", keyFile: "key.pem", passphrase: "secret" };

  it("are read again before every round", async () => {
    const plan = planConnection({ tls, readFile });
    const [before] = await endpointsOf(plan);
    expect(before).toMatchObject({ tls: { ca: "CA", cert: "CERT", key: "KEY", passphrase: "secret" } });
    files.set("ca.pem", "CA2");
    const [after] = await endpointsOf(plan);
    files.set("ca.pem", "CA");
    expect(after).toMatchObject({ tls: { ca: "CA2" } });
  });

  it("may be named by a URI", async () => {
    const uri = "amqps://h?cacertfile=ca.pem&certfile=cert.pem&keyfile=key.pem&password=secret";
    expect(await onlyEndpoint({ uri, readFile })).toMatchObject({
      tls: { ca: "CA", key: "KEY", passphrase: "secret" },
    });
  });

  it("are refused where nothing can read them", () => {
    expect(() => planConnection({ tls: { caFile: "ca.pem" } })).toThrow(
      expect.objectContaining({
        code: "NOT_SUPPORTED",
        message: "tls.caFile names a file, and this runtime's adapter cannot read files",
      }),
    );
  });

  it("that are missing or endless are the caller's mistake", async () => {
    await expect(planConnection({ tls: { caFile: "none" }, readFile }).targets()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'tls.caFile: the file "none" cannot be read: no such file',
      cause: new Error("no such file"),
    });
    const endless = async (): Promise<Uint8Array> => new Uint8Array(1_048_577);
    await expect(planConnection({ tls: { caFile: "zero" }, readFile: endless }).targets()).rejects.toThrow(
      'tls.caFile: the file "zero" has more than 1048576 bytes',
    );
  });
});

describe("what is not legal", () => {
  const pem = "-----BEGIN";
  const mistakes: readonly [options: unknown, problem: string, code?: string][] = [
    [null, "what connect() takes is an object, not null"],
    [5, "what connect() takes is an object, not 5"],
    [[], "what connect() takes is an object, not an array"],
    [new URL("amqp://user:hidden@h"), "what connect() takes is an object, not [object URL]"],
    [{ limits: new Map() }, "limits is an object, not [object Map]"],
    [{ hostname: "h" }, "hostname is not an option; the options are host, port, tls, tcp, uri"],
    [{ uri: "amqp://h", host: "h" }, "Give one of uri, host (with port) and endpoints"],
    [{ endpoints: ["amqp://h"], port: 1 }, "Give one of uri, host (with port) and endpoints"],
    [{ uri: 5 }, 'uri is a string, not "number"'],
    [{ host: "" }, 'host is a string that is not empty, not ""'],
    [{ host: 5 }, "host is a string that is not empty, not 5"],
    [{ host: "h:5672" }, 'host is a host without a port; there is an option port, not "h:5672"'],
    [{ host: "a\0b" }, 'host is a host name or an address, without brackets and white space, not "a\\u0000b"'],
    [{ host: "[::1]" }, 'host is a host name or an address, without brackets and white space, not "[::1]"'],
    [{ host: "h/v" }, "host is a host name or an address; a URI goes into the option uri"],
    [{ port: "5672" }, 'port is an integer from 1 to 65535, not "5672"'],
    [{ port: 0 }, "port is an integer from 1 to 65535, not 0"],
    [{ port: 65_536 }, "port is an integer from 1 to 65535, not 65536"],
    [{ port: 1.5 }, "port is an integer from 1 to 65535, not 1.5"],
    [{ endpoints: {} }, "endpoints is an array or a function, not an object"],
    [{ endpoints: [] }, "endpoints is an array of 1 to 1024 endpoints, not of 0"],
    [{ endpoints: Array(1025).fill("amqp://h") }, "endpoints is an array of 1 to 1024 endpoints, not of 1025"],
    [{ endpoints: [5] }, "endpoints[0] is a URI or an object, not 5"],
    [{ endpoints: ["amqp://h", "h"] }, "endpoints[1]: The URI does not start with amqp://"],
    [
      { endpoints: ["amqp://h?retry_delay=1"] },
      "endpoints[0] sets retryDelay, which counts for the connection as a whole",
    ],
    [
      { endpoints: ["amqp://h?channel_max=65536"] },
      "endpoints[0]: channelMax is an integer from 0 to 65535, not 65536",
    ],
    [{ endpoints: [{ transport: "quic", host: "h" }] }, 'endpoints[0].transport is "tcp", not "quic"'],
    [{ endpoints: [{ transport: "unix" }] }, "endpoints[0].path is a string that is not empty, not undefined"],
    [
      { endpoints: [{ host: "h", vhost: "v" }] },
      "endpoints[0].vhost is not an option; the options are transport, host",
    ],
    [
      { endpoints: [{ transport: "websocket", url: "http://h" }] },
      "endpoints[0].url is a URL that starts with ws:// or wss://",
    ],
    [{ endpoints: [{ transport: "websocket", url: "ws://u:p@h" }] }, "endpoints[0].url is a URL that starts with"],
    [{ tls: "yes" }, 'tls is an object, not "yes"'],
    [{ tls: { rejectUnauthorized: false } }, "tls.rejectUnauthorized is not an option; the options are ca, cert"],
    [{ tls: { verify: 0 } }, "tls.verify is true or false, not 0"],
    [{ tls: { minVersion: "TLSv1" } }, 'tls.minVersion is "TLSv1.2" or "TLSv1.3", not "TLSv1"'],
    [{ tls: { ca: [] } }, "tls.ca is one or more strings in PEM format, not an array"],
    [{ tls: { pfx: "x" } }, 'tls.pfx is a Uint8Array, not "string"'],
    [{ tls: { key: 5 } }, "tls.key is a string, not of type number"],
    [{ tls: { cert: pem } }, "tls.cert needs tls.key, its private key"],
    [{ tls: { key: pem } }, "tls.key needs tls.cert, its certificate"],
    [{ tls: { passphrase: "x" } }, "tls.passphrase needs tls.key or tls.pfx, which it opens"],
    [{ tls: { ca: pem, caFile: "f" } }, "tls.ca and tls.caFile are two ways to say the same"],
    [{ tls: { pfx: new Uint8Array(1), cert: pem, key: pem } }, "tls.pfx takes the place of tls.cert and tls.key"],
    [{ uri: "amqp://h", tls: true }, "tls is given beside a URI with amqp:, which is plain TCP; amqps: is TLS"],
    [{ uri: "amqps://h", tls: false }, "tls is false beside a URI with amqps:, which is TLS"],
    [{ endpoints: ["amqp://h"], tls: {} }, "tls is given beside a URI with amqp:"],
    [{ uri: "wss://h", tls: {} }, "tls counts for TCP; wss: is TLS by itself", "NOT_SUPPORTED"],
    [{ uri: "ws://h", tcp: {} }, "tcp counts for TCP, and has no use with the transport websocket", "NOT_SUPPORTED"],
    [{ host: "h", protocols: ["amqp091"] }, "protocols counts for WebSocket", "NOT_SUPPORTED"],
    [{ tcp: { keepAlive: -1 } }, "tcp.keepAlive is a number of milliseconds, 0 or more, not -1"],
    [{ tcp: { noDelay: false } }, "tcp.noDelay is not an option; the options are keepAlive"],
    [{ credentials: "guest" }, "credentials is { username, password }, a SASL mechanism"],
    [{ credentials: [] }, "credentials is at least one SASL mechanism, not an empty array"],
    [
      { credentials: [{ name: "X" }] },
      "credentials[0] is a SASL mechanism, an object with a name and a function start",
    ],
    [{ credentials: { username: "u" } }, "credentials.password is a string, not of type undefined"],
    [{ credentials: { username: "u\0", password: "" } }, "credentials.username is a string without NUL characters"],
    [{ virtualHost: "v".repeat(256) }, "virtualHost is at most 255 bytes long in UTF-8, not 256 bytes"],
    [{ virtualHost: "\u{1f407}".repeat(64) }, "virtualHost is at most 255 bytes long in UTF-8, not 256 bytes"],
    [{ virtualHost: 5 }, "virtualHost is a string, not 5"],
    [{ uri: `amqp://h/${"v".repeat(256)}` }, "virtualHost is at most 255 bytes long in UTF-8, not 256 bytes"],
    [{ clientProperties: [] }, "clientProperties is an object, not an array"],
    [{ channelMax: 65_536 }, "channelMax is an integer from 0 to 65535, not 65536"],
    [{ channelMax: "1" }, 'channelMax is a number, not "1"'],
    [{ frameMax: 100 }, "frameMax is 0 or at least 4096, not 100"],
    [{ heartbeat: -1 }, "heartbeat is an integer from 0 to 65535, not -1"],
    [{ heartbeat: "60" }, 'heartbeat is a number or a function, not "60"'],
    [{ uri: "amqp://h?heartbeat=65536" }, "heartbeat is an integer from 0 to 65535, not 65536"],
    [{ connectionAttempts: 0 }, "connectionAttempts is a positive integer, not 0"],
    [{ uri: "amqp://h?connection_attempts=0" }, "connectionAttempts is a positive integer"],
    [{ retryDelay: Number.NaN }, "retryDelay is a number of milliseconds, 0 or more, not NaN"],
    [{ connectTimeout: Infinity }, "connectTimeout is a number of milliseconds, 0 or more, not Infinity"],
    [{ openTimeout: -1 }, "openTimeout is a number of milliseconds, 0 or more, not -1"],
    [{ blockedTimeout: null }, "blockedTimeout is a number of milliseconds, 0 or more, not null"],
    [{ limits: { maxBodySize: 0 } }, "limits.maxBodySize is a positive integer, not 0"],
    [{ limits: { maxBody: 1 } }, "limits.maxBody is not an option; the options are maxBodySize"],
    [{ signal: {} }, "signal is an AbortSignal, not an object"],
    [{ tap: true }, "tap is a function, not true"],
  ];
  for (const [options, problem, code = "INVALID_ARGUMENT"] of mistakes) {
    it(`${inspect(options).slice(0, 60)}`, () => {
      const error = attempt(options);
      expect(error).toBeInstanceOf(UsageError);
      expect(error).toMatchObject({ code, message: expect.stringContaining(problem) });
    });
  }
});

describe("secrets", () => {
  const secret = "Sw0rdf1sh";
  const shows = (value: unknown): string =>
    inspect(value, { depth: Infinity, getters: true }) + JSON.stringify(value) + String(value);

  const secretive: readonly (ConnectOptions | string)[] = [
    `amqp://user:${secret}@h`,
    `wss://user:${secret}@h/?token=${secret}`,
    { credentials: { username: "u", password: secret } },
    { tls: { cert: "CERT", key: secret, passphrase: secret } },
    { tls: { pfx: new TextEncoder().encode(secret), passphrase: secret } },
    { endpoints: [`amqps://u:${secret}@h`, { host: "h", tls: { cert: "CERT", key: secret } }], tls: { verify: true } },
    { endpoints: [{ transport: "websocket", url: `wss://h/?${secret}` }] },
  ];
  for (const [index, options] of secretive.entries()) {
    it(`do not show in a plan, its targets or its configurations (${index})`, async () => {
      const plan = planConnection(options);
      const targets = await plan.targets();
      const configs = await Promise.all(targets.map((target) => target.engineConfig()));
      const bytes = [...new TextEncoder().encode(secret)].join(",");
      for (const shown of [
        shows(plan),
        shows(targets),
        shows(configs),
        shows(targets.map((t) => ({ ...t.endpoint }))),
      ]) {
        expect(shown).not.toContain(secret);
        expect(shown.replaceAll(" ", "")).not.toContain(bytes);
      }
    });
  }

  it("do not show in errors about the options beside them", () => {
    const wrong: readonly unknown[] = [
      { host: `amqp://user:${secret}@h` },
      { host: `user:${secret}@h` },
      { endpoints: [{ host: `amqp://user:${secret}@h` }] },
      { endpoints: [`user:${secret}@h`] },
      { endpoints: [{ transport: "websocket", url: `https://user:${secret}@h` }] },
      { credentials: secret },
      { credentials: { username: "u", password: [secret] } },
      { credentials: { username: "u", password: `${secret}\0` } },
      { tls: { key: [secret] } },
      { tls: { passphrase: { secret } } },
      { uri: [`amqp://user:${secret}@h`] },
    ];
    for (const options of wrong) {
      const error = attempt(options);
      expect(error).toBeInstanceOf(UsageError);
      expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(secret);
    }
  });
});
