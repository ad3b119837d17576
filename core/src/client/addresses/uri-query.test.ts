import { describe, expect, it } from "vitest";
import { UsageError } from "../../wire/errors.ts";
import { parseQuery, type UriQuery } from "./uri-query.ts";

const encode = (value: unknown): string => encodeURIComponent(JSON.stringify(value));

describe("parseQuery", () => {
  const legal: readonly [query: string, outcome: UriQuery][] = [
    ["", {}],
    ["heartbeat=0", { heartbeat: 0 }],
    ["channel_max=100&frame_max=8192&locale=de_DE", { channelMax: 100, frameMax: 8192, locale: "de_DE" }],
    ["connection_timeout=2500", { connectTimeout: 2500 }],
    ["socket_timeout=2.5", { connectTimeout: 2500 }],
    ["stack_timeout=20", { openTimeout: 20_000 }],
    ["blocked_connection_timeout=300", { blockedTimeout: 300_000 }],
    ["connection_attempts=3&retry_delay=0.5", { connectionAttempts: 3, retryDelay: 500 }],
    ["auth_mechanism=EXTERNAL", { authMechanism: "external" }],
    [`client_properties=${encode({ app: "a b", n: 1 })}`, { clientProperties: { app: "a b", n: 1 } }],
    [
      "cacertfile=/a%20b/ca.pem&certfile=c.pem&keyfile=k.pem",
      { tls: { caFile: "/a b/ca.pem", certFile: "c.pem", keyFile: "k.pem" } },
    ],
    ["verify=verify_none", { tls: { verify: false } }],
    ["verify=verify_peer&server_name_indication=rabbit", { tls: { verify: true, serverName: "rabbit" } }],
    [
      `ssl_options=${encode({ ca_certs: "ca.pem", ca_data: "PEM", certfile: "c", keyfile: "k", ciphers: "x", server_hostname: "s" })}`,
      { tls: { caFile: "ca.pem", ca: "PEM", certFile: "c", keyFile: "k", ciphers: "x", serverName: "s" } },
    ],
    [`tcp_options=${encode({ TCP_KEEPIDLE: 60 })}`, { tcp: { keepAlive: 60_000 } }],
  ];
  for (const [query, outcome] of legal) {
    it(`reads ${query || "nothing"}`, () => expect(parseQuery(query)).toEqual(outcome));
  }

  it("has the passphrase where it is looked for by name", () => {
    expect(parseQuery("keyfile=k&password=pw").tls?.passphrase).toBe("pw");
    expect(parseQuery(`ssl_options=${encode({ password: "pw" })}`).tls?.passphrase).toBe("pw");
  });

  const mistakes: readonly [query: string, problem: string][] = [
    ["hearbeat=5", "URI parameter hearbeat is unknown; known are heartbeat, channel_max"],
    ["constructor=5", "URI parameter constructor is unknown"],
    ["%2e%2e=5", "URI parameter (not a plain word) is unknown"],
    ["%ff=5", "A URI parameter has a name that is not percent-encoded UTF-8"],
    ["heartbeat=5&heartbeat=5", "URI parameter heartbeat comes twice"],
    ["heartbeat", "URI parameter heartbeat has no value"],
    ["heartbeat=", "URI parameter heartbeat has no value"],
    ["heartbeat=5&", "URI parameter (not a plain word) is unknown"],
    ["heartbeat=-5", "URI parameter heartbeat is not a whole number"],
    ["heartbeat=1e3", "URI parameter heartbeat is not a whole number"],
    ["heartbeat=5s", "URI parameter heartbeat is not a whole number"],
    ["heartbeat=%ff", "URI parameter heartbeat is not percent-encoded UTF-8"],
    ["retry_delay=fast", "URI parameter retry_delay is not a number of seconds"],
    ["retry_delay=Infinity", "URI parameter retry_delay is not a number of seconds"],
    [
      "connection_timeout=5&socket_timeout=5",
      "URI parameter socket_timeout sets the option connectTimeout, which another",
    ],
    [
      "cacertfile=a&ssl_options=%7B%22cafile%22:%22b%22%7D",
      "URI parameter ssl_options sets the option caFile, which another",
    ],
    ["password=a&ssl_options=%7B%22password%22:%22b%22%7D", "URI parameter ssl_options sets the option passphrase"],
    ["verify=maybe", "URI parameter verify is none of verify_peer, verify_none"],
    ["auth_mechanism=scram", "URI parameter auth_mechanism is none of plain, amqplain, external, anonymous"],
    ["client_properties={", "URI parameter client_properties is not JSON"],
    ["client_properties=[]", "URI parameter client_properties is not a JSON object"],
    ["ssl_options=null", "URI parameter ssl_options is not a JSON object"],
    [
      "ssl_options=%7B%22capath%22:%22b%22%7D",
      "URI parameter ssl_options has capath, which is none of cafile, ca_certs",
    ],
    ["ssl_options=%7B%22cafile%22:1%7D", "URI parameter ssl_options has a cafile that is not a string"],
    [
      "ssl_options=%7B%22cafile%22:%22a%22,%22ca_certs%22:%22a%22%7D",
      "URI parameter ssl_options sets the option tls.caFile twice",
    ],
    ["tcp_options=%7B%22TCP_KEEPCNT%22:1%7D", "URI parameter tcp_options has TCP_KEEPCNT; of the options of TCP"],
    ["tcp_options=%7B%7D", "URI parameter tcp_options has no TCP_KEEPIDLE"],
    ["depth=2", "URI parameter depth is unknown"],
  ];
  for (const [query, problem] of mistakes) {
    it(`refuses ${query}`, () => {
      expect(() => parseQuery(query)).toThrow(UsageError);
      expect(() => parseQuery(query)).toThrow(problem);
    });
  }
});
