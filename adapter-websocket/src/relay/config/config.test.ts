import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkSettings, RelayConfigError } from "./check.ts";
import { help } from "./help.ts";
import type { RelayConfig } from "./schema.ts";
import { settings } from "./schema.ts";
import { flagOf, readSources, variableOf } from "./sources.ts";

const least = { upstream: "amqp://rabbit", allowNoOrigin: true };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "leveret-relay-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(content: string): Promise<string> {
  const name = path.join(folder, `${Math.random()}.json`);
  await writeFile(name, content);
  return name;
}

async function config(args: readonly string[], environment: Record<string, string> = {}): Promise<RelayConfig> {
  const { given, nameOf } = await readSources(args, environment);
  return checkSettings(given, nameOf);
}

async function problems(args: readonly string[], environment: Record<string, string> = {}): Promise<readonly string[]> {
  try {
    await config(args, environment);
  } catch (error) {
    if (error instanceof RelayConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("settings", () => {
  it("have defaults that let nobody in by accident", () => {
    const given = checkSettings(least);
    expect(given).toMatchObject({
      listen: { host: "127.0.0.1", port: 15_670 },
      origin: [],
      trustedProxy: [],
      proxyProtocol: false,
      demo: false,
      logLevel: "info",
      maxMessageSize: 1_048_576,
      maxUpgradesPerMinutePerAddress: 600,
      idleTimeout: 300_000,
      maxLifetime: 0,
    });
    expect(given.admin).toBeUndefined();
  });

  it("flags win over variables, and variables over the file", async () => {
    const name = await file(JSON.stringify({ ...least, idleTimeout: "1s", pingInterval: "1s", pongTimeout: 1_000 }));
    const environment = { LEVERET_RELAY_IDLE_TIMEOUT: "2s", LEVERET_RELAY_PING_INTERVAL: "2s" };
    const given = await config(["--config", name, "--idle-timeout", "3s"], environment);
    expect(given).toMatchObject({ idleTimeout: 3_000, pingInterval: 2_000, pongTimeout: 1_000 });
    expect(await config([], { ...environment, LEVERET_RELAY_CONFIG: name })).toMatchObject({ idleTimeout: 2_000 });
  });

  it("a list of a stronger source takes the place of the weaker one's", async () => {
    const environment = { LEVERET_RELAY_ORIGIN: "https://a.test, https://b.test", LEVERET_RELAY_UPSTREAM: "amqp://a" };
    expect((await config([], environment)).origin).toEqual(["https://a.test", "https://b.test"]);
    expect((await config(["--origin", "https://c.test", "--origin=null"], environment)).origin).toEqual([
      "https://c.test",
      "null",
    ]);
  });

  it("a switch can be turned off again", async () => {
    const environment = { LEVERET_RELAY_PROXY_PROTOCOL: "true" };
    const args = ["--upstream", "amqp://a", "--allow-no-origin"];
    expect((await config(args, environment)).proxyProtocol).toBe(true);
    expect((await config([...args, "--no-proxy-protocol"], environment)).proxyProtocol).toBe(false);
  });

  it("upstreams have paths of their own, and perhaps one for all others", () => {
    const { upstream } = checkSettings({ ...least, upstream: ["/a=amqp://one", "/b/c=amqps://two", "amqp://three"] });
    expect([...upstream].map(([route, { name }]) => `${route} ${name}`)).toEqual([
      "/a amqp://one:5672",
      "/b/c amqps://two:5671",
      "* amqp://three:5672",
    ]);
  });

  it("what is wrong with each upstream is said", async () => {
    const urls = ["/a=amqp://one", "/b=http://two", "/a=amqp://three", "/c=amqp://u:p@four", "/é=amqp://five"];
    const flags = urls.flatMap((url) => ["--upstream", url]);
    expect(await problems([...flags, "--allow-no-origin"])).toEqual([
      "--upstream (2 of 5) begins with amqp://, amqps:// or unix:/, after the /PATH= that it may have",
      "--upstream (3 of 5) is one more for the path /a",
      "--upstream (4 of 5) has no user and no password: each client gives its own",
      "--upstream (5 of 5) is for a path that is sent as /%C3%A9",
    ]);
    expect(await problems(["--allow-no-origin"], { LEVERET_RELAY_UPSTREAM: "amqp://a, amqp://b" })).toEqual([
      "LEVERET_RELAY_UPSTREAM (2 of 2) is one more without a path",
    ]);
    expect(await problems(["--allow-no-origin"], { LEVERET_RELAY_UPSTREAM: " " })).toEqual([
      "LEVERET_RELAY_UPSTREAM names no broker",
    ]);
  });

  it("everything that is wrong is said at once, in the words of its source", async () => {
    const name = await file(JSON.stringify({ pingInterval: "soon", nonsense: 1 }));
    const found = await problems(["--config", name, "--idle-timeout", "30"], { LEVERET_RELAY_MAX_CONNECTIONS: "many" });
    expect(found).toEqual(
      expect.arrayContaining([
        "--upstream must be given",
        "LEVERET_RELAY_MAX_CONNECTIONS is a whole number, 0 for no limit",
        "--idle-timeout is 0 or a duration such as 500ms, 30s, 5m or 12h",
        `pingInterval (in ${name}) is 0 or a duration such as 500ms, 30s, 5m or 12h`,
        `nonsense (in ${name}) is not a setting`,
      ]),
    );
    expect(found).toHaveLength(5);
  });

  it("what contradicts itself is refused", async () => {
    const base = ["--upstream", "amqp://a"];
    expect(await problems(base)).toEqual([expect.stringContaining("nobody could connect")]);
    const open = [...base, "--allow-no-origin"];
    expect(await problems([...open, "--tls-cert", "a.pem"])).toEqual(["--tls-cert and --tls-key need each other"]);
    expect(await problems([...open, "--upstream-key", "a"])).toEqual([
      "--upstream-cert and --upstream-key need each other",
    ]);
    expect(await problems([...open, "--upstream-ca", "a"])).toEqual([
      "--upstream-ca is for brokers with amqps:, and there is none",
    ]);
    expect(await problems([...open, "--accept-proxy-protocol"])).toEqual([
      "--accept-proxy-protocol is for load balancers that are named with --trusted-proxy, and there is none",
    ]);
    expect(await problems([...open, "--close-timeout", "0"])).toEqual([
      "--close-timeout is a duration such as 500ms, 5s or 1m",
    ]);
    // Every client that is silent for a moment would be gone.
    expect(await problems([...open, "--pong-timeout", "0"])).toEqual([
      "--pong-timeout is a duration such as 500ms, 5s or 1m",
    ]);
  });

  it.each([
    ["listen", ["127.0.0.1", ":80", "a:b:1", "a:65536", ""]],
    ["origin", ["app.example.com", "https://a.test/x"]],
    ["allowedHost", ["a:80", "a/b"]],
    ["trustedProxy", ["10.0.0.0/99"]],
    ["forwardedHeader", ["x-real-ip"]],
    ["maxMessageSize", ["1MB", "-1", "1.5MiB"]],
    ["maxUpgradesPerMinutePerAddress", ["10/s", "0.5", "-1"]],
    ["maxConnections", ["1k", "-1", "1e99", "9007199254740993"]],
    ["idleTimeout", ["5", "5 minutes", "-1s"]],
    ["proxyProtocol", ["yes", "1"]],
    ["logLevel", ["loud"]],
    ["upstream", ["amqp://a,amqp://b", "", "a=amqp://b", "/a?b=amqp://c"]],
  ])("%s is checked", (name, values) => {
    for (const value of values) expect(() => checkSettings({ ...least, [name]: value })).toThrow(RelayConfigError);
  });

  it("passwords that end up in the wrong place are not shown", async () => {
    const secret = "hunter2";
    const broken = await file(`{"upstream": "amqp://u:${secret}@rabbit", `);
    const whole = await file(`{"upstream": "amqp://u:${secret}@rabbit"}`);
    const all = [
      await problems(["--upstream", `amqp://guest:${secret}@rabbit`]),
      await problems([], { LEVERET_RELAY_UPSTREAM: `amqp://guest:${secret}@rabbit` }),
      await problems([`amqp://guest:${secret}@rabbit`]),
      await problems([`--upstrem=amqp://guest:${secret}@rabbit`]),
      await problems([`--demo=${secret}`]),
      await problems(["--config", broken]),
      await problems(["--config", whole]),
    ].flat();
    expect(all).toHaveLength(7);
    expect(all.join()).not.toContain(secret);
  });

  it("flags and files that do not exist are refused, foreign variables are not", async () => {
    expect(await problems(["--no-such-flag"])).toEqual(["Unknown option '--no-such-flag'"]);
    expect(await problems(["-x"])).toEqual(["Unknown option '-x'"]);
    expect(await problems(["--max-connections", "-5"])).toEqual(["Option '--max-connections' argument is ambiguous"]);
    expect(await readSources(["-h"], {})).toMatchObject({ help: true });
    expect(await problems(["--config", "/no/such/file"])).toEqual(["/no/such/file cannot be read: ENOENT"]);
    expect(await problems(["--config", await file("[]")])).toEqual([expect.stringContaining("is not a JSON object")]);
    const kubernetes = { LEVERET_RELAY_SERVICE_HOST: "10.0.0.1", LEVERET_RELAY_PORT: "tcp://10.0.0.1:15670" };
    expect(await problems(["--upstream", "amqp://a", "--allow-no-origin"], kubernetes)).toEqual([]);
  });

  it("the help names every setting", () => {
    const shown = help();
    for (const name of Object.keys(settings)) expect(shown).toContain(`  ${flagOf(name)} `);
    expect(shown).toMatch(/ --max-upgrades-per-minute-per-address N +new connections .* \(default: 600\)\n/);
    expect(variableOf("maxMessageSize")).toBe("LEVERET_RELAY_MAX_MESSAGE_SIZE");
  });
});
