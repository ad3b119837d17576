import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../wire/errors.ts";
import { CredentialsSource } from "../credentials.ts";
import { parseUri } from "./uri.ts";

interface Outcome {
  readonly user?: string;
  readonly password?: string;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly virtualHost?: string;
}

/** What a URI says, in the columns of the specification's table. */
async function parts(uri: string): Promise<Outcome> {
  const { address, parameters } = parseUri(uri);
  const { virtualHost } = parameters;
  const place = "url" in address ? {} : { host: address.host, port: address.port };
  return { ...(await userOf(uri)), ...place, ...(virtualHost === undefined ? {} : { virtualHost }) };
}

async function userOf(uri: string): Promise<{ user?: string; password?: string }> {
  const { credentials } = parseUri(uri).parameters;
  if (credentials === undefined) return {};
  const [mechanism] = await new CredentialsSource(credentials).mechanisms();
  const [, user, password] = new TextDecoder().decode(mechanism?.start()).split("\0");
  return { user: user ?? "", password: password ?? "" };
}

function attempt(uri: string): unknown {
  try {
    parseUri(uri);
    return undefined;
  } catch (error) {
    return error;
  }
}

function errorOf(uri: string): UsageError {
  const error = attempt(uri);
  if (error instanceof UsageError) return error;
  throw new Error(`${uri} was accepted`, { cause: error });
}

describe("the examples of the RabbitMQ URI specification, appendix A", () => {
  const examples: readonly [uri: string, outcome: Outcome][] = [
    [
      "amqp://user:pass@host:10000/vhost",
      { user: "user", password: "pass", host: "host", port: 10_000, virtualHost: "vhost" },
    ],
    [
      "amqp://user%61:%61pass@ho%61st:10000/v%2fhost",
      { user: "usera", password: "apass", host: "hoast", port: 10_000, virtualHost: "v/host" },
    ],
    ["amqp://", {}],
    ["amqp://:@/", { user: "", password: "", virtualHost: "" }],
    ["amqp://user:pass@", { user: "user", password: "pass" }],
    ["amqp://host", { host: "host" }],
    ["amqp://:10000", { port: 10_000 }],
    ["amqp:///vhost", { virtualHost: "vhost" }],
    ["amqp://host/", { host: "host", virtualHost: "" }],
    ["amqp://host/%2f", { host: "host", virtualHost: "/" }],
    ["amqp://[::1]", { host: "::1" }],
  ];
  for (const [uri, outcome] of examples) {
    it(`has ${uri}`, async () => expect(await parts(uri)).toEqual(outcome));
  }

  it("amqp://user@ is refused, since a password that is missing is more often forgotten than empty", () => {
    expect(errorOf("amqp://user@").message).toBe(
      "The URI has a user name without a password; an empty password is written user:@",
    );
  });
});

describe("parseUri", () => {
  it("decodes user name, password and virtual host as percent-encoded UTF-8", async () => {
    const texts = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
    await fc.assert(
      fc.asyncProperty(texts, texts, texts, async (user, password, virtualHost) => {
        const uri = `amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/${encodeURIComponent(virtualHost)}`;
        expect(await parts(uri)).toEqual({ user, password, host: "h", virtualHost });
      }),
    );
  });

  it("reads the colons of a password as a part of it", async () => {
    expect(await userOf("amqp://user:a:b:c@host")).toEqual({ user: "user", password: "a:b:c" });
  });

  it("does not mind the case of scheme and host", () => {
    expect(parseUri("AMQPS://RABBIT.Example")).toMatchObject({ scheme: "amqps", address: { host: "rabbit.example" } });
  });

  it("takes an IPv6 address with a zone and a port", () => {
    expect(parseUri("amqp://[fe80::1%25eth0]:5673").address).toMatchObject({ host: "fe80::1%eth0", port: 5673 });
  });

  it("tells TLS from plain TCP by the scheme", () => {
    expect(parseUri("amqps://host").address).toMatchObject({ tls: true });
    expect(parseUri("amqp://host").address).toMatchObject({ tls: undefined });
  });

  const mistakes: readonly [uri: string, problem: string][] = [
    ["", "The URI does not start with amqp://, amqps://, ws:// or wss://"],
    ["localhost", "The URI does not start with amqp://"],
    ["amqp:host", "The URI does not start with amqp://"],
    ["http://host", "The URI has the scheme http:, which is none of amqp:, amqps:, ws: and wss:"],
    ["amqp://host\n", "The URI contains white space"],
    ["amqp://u:pass#word@host", "The URI contains a #; in a user name, password or virtual host it is written %23"],
    ["amqp://u:p@ss@host", "The URI has two @; in a user name or password it is written %40"],
    ["amqp://u:pa/ss@host", "The URI has a host or port that cannot be read"],
    ["amqp://u:pa?ss@host", "The URI has a host or port that cannot be read"],
    ["amqp://u:12?ss@host", "The URI has an @ in its query"],
    ["amqp://u:%zz@host", "The URI has a password that is not percent-encoded UTF-8; a % itself is written %25"],
    ["amqp://u:%ff@host", "The URI has a password that is not percent-encoded UTF-8"],
    ["amqp://%ff:p@host", "The URI has a user name that is not"],
    ["amqp://host/%ff", "The URI has a virtual host that is not"],
    ["amqp://host:0", "The URI has a port that is not from 1 to 65535"],
    ["amqp://host:65536", "The URI has a port that is not from 1 to 65535"],
    ["amqp://host:http", "The URI has a host or port that cannot be read"],
    ["amqp://::1", "The URI has a host or port that cannot be read"],
    ["amqp://[::1", "The URI has a host or port that cannot be read"],
    ["amqp://[rabbit]", "The URI has a host or port that cannot be read"],
    ["amqp://a%2fb", "The URI has a host that is not a name or an address"],
    ["amqp://host/a/b", "The URI has a path of several segments; in a virtual host / is written %2F"],
    ["amqp://host//", "The URI has a path of several segments"],
    ["amqp://host?cacertfile=/ca.pem", "The URI has parameters of TLS, which amqp: does not use; amqps: does"],
    ["amqps://u:p@host?auth_mechanism=external", "The URI has a user name, which auth_mechanism external does not use"],
    [`amqp://${"h".repeat(70_000)}`, "The URI is longer than 65536 characters"],
    ["ws://", "The URI has no host"],
    ["wss://relay/ x", "The URI has white space or #; / ? # [ ] @ in a user name or password are percent-encoded"],
    ["wss://u:pa#ss@relay/", "The URI has white space or #;"],
    ["wss://u:pa/ss@relay/@", "The URI is not wss://user:password@host:port/path; / ? # [ ] @ in a user name or"],
    ["wss://relay:port/", "The URI is not wss://user:password@host:port/path;"],
  ];
  for (const [uri, problem] of mistakes) {
    it(`refuses ${JSON.stringify(uri.slice(0, 40))}`, () => {
      const error = errorOf(uri);
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toContain(problem);
    });
  }
});

describe("a URI of a relay", () => {
  it("keeps path and query for the relay, and takes the credentials out", async () => {
    const uri = "wss://user:pass@relay.example:8443/amqp/v%2f1?token=t%20k";
    expect(parseUri(uri).address).toMatchObject({ transport: "websocket" });
    const { address } = parseUri(uri);
    expect("url" in address && address.url).toBe("wss://relay.example:8443/amqp/v%2f1?token=t%20k");
    expect(await userOf(uri)).toEqual({ user: "user", password: "pass" });
    expect(parseUri(uri).parameters.virtualHost).toBeUndefined();
  });

  it("keeps the brackets of an IPv6 address", () => {
    const { address } = parseUri("ws://[::1]:15670/");
    expect("url" in address && address.url).toBe("ws://[::1]:15670/");
  });
});

describe("secrets", () => {
  const secret = "Sw0rdf1sh";

  it("are not in what a log shows of a parsed URI", () => {
    const uris = [
      `amqps://user:${secret}@host/v`,
      `amqps://user:${secret}@host?password=${secret}&keyfile=/key.pem`,
      `amqps://host?ssl_options=${encodeURIComponent(JSON.stringify({ password: secret }))}`,
      `amqp://user:${secret}@host?auth_mechanism=plain`,
      `amqp://user:${secret}@host?auth_mechanism=amqplain`,
      `wss://user:${secret}@host/?token=${secret}`,
    ];
    for (const uri of uris) {
      const parsed = parseUri(uri);
      expect(inspect(parsed, { depth: Infinity })).not.toContain(secret);
      expect(JSON.stringify(parsed)).not.toContain(secret);
      expect(JSON.stringify({ ...parsed, address: { ...parsed.address } })).not.toContain(secret);
    }
  });

  it("are not in an error, wherever in a password the special characters stand", () => {
    const piece = fc.constantFrom(
      secret,
      "1",
      "/",
      "?",
      "#",
      "@",
      ":",
      "&",
      "=",
      "%",
      "[",
      "]",
      " ",
      "%2f",
      "//",
      "://",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 6 }),
        fc.constantFrom("amqp", "amqps", "ws"),
        (pieces, scheme) => {
          const uri = `${scheme}://user:${secret}${pieces.join("")}${secret}@host/vhost?heartbeat=5`;
          try {
            parseUri(uri);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
            expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(secret);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
