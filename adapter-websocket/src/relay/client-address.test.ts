import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { clientOf, type ForwardedHeader, problemOfRange, trustedProxies } from "./client-address.ts";

const ranges = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"];

function client(peer: string, header: ForwardedHeader, value?: string): string {
  const request = { headers: value === undefined ? {} : { [header]: value } } as unknown as IncomingMessage;
  const end = { address: peer, port: 1234 };
  const { address, port } = clientOf(request, end, { trustedProxies: trustedProxies(ranges), forwardedHeader: header });
  return `${address} ${port}`;
}

describe("the client's address", () => {
  it("is the peer's, whatever a stranger says", () => {
    expect(client("203.0.113.9", "x-forwarded-for", "198.51.100.1")).toBe("203.0.113.9 1234");
    expect(client("203.0.113.9", "forwarded", "for=198.51.100.1")).toBe("203.0.113.9 1234");
  });

  it("is what a trusted proxy says", () => {
    expect(client("10.1.2.3", "x-forwarded-for", "198.51.100.1")).toBe("198.51.100.1 0");
    expect(client("::ffff:10.1.2.3", "x-forwarded-for", "198.51.100.1:4711")).toBe("198.51.100.1 4711");
    expect(client("192.0.2.7", "x-forwarded-for", "2001:db8::1")).toBe("2001:db8::1 0");
    expect(client("fd12::1", "x-forwarded-for", "[2001:db8::1]:443")).toBe("2001:db8::1 443");
    expect(client("192.0.2.8", "x-forwarded-for", "198.51.100.1")).toBe("192.0.2.8 1234");
    expect(client("fd12::1%eth0", "x-forwarded-for", "198.51.100.1")).toBe("198.51.100.1 0");
  });

  it("does not take what was said before the first stranger in the list", () => {
    expect(client("10.1.2.3", "x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.9.9.9")).toBe("198.51.100.1 0");
    expect(client("10.1.2.3", "x-forwarded-for", "10.8.8.8, 10.9.9.9")).toBe("10.8.8.8 0");
  });

  it("is the last proxy's where nothing sensible is said", () => {
    for (const value of [undefined, "", "unknown", "1.2.3.4:99999", "1.1.1.1, garbage", "x".repeat(5_000)]) {
      expect(client("10.1.2.3", "x-forwarded-for", value)).toBe("10.1.2.3 1234");
    }
  });

  it("reads RFC 7239", () => {
    expect(client("10.1.2.3", "forwarded", 'for=1.1.1.1, For="[2001:db8:cafe::17]:4711";proto=https;by=10.1.2.3')).toBe(
      "2001:db8:cafe::17 4711",
    );
    expect(client("10.1.2.3", "forwarded", "proto=https;for=198.51.100.17")).toBe("198.51.100.17 0");
    expect(client("10.1.2.3", "forwarded", "for=_hidden, proto=https")).toBe("10.1.2.3 1234");
  });

  it("does not take for a name what a client has put between quotes", () => {
    // Proxies write the Host header into `host`, which may contain nearly anything.
    for (const host of [
      "a,for=192.0.2.66;x=",
      "a,for=192.0.2.66,b",
      "a;for=192.0.2.66",
      'a\\",for=192.0.2.66;x=\\"',
      "a,for=192.0.2.66\\\\",
    ]) {
      expect(client("10.1.2.3", "forwarded", `for=198.51.100.17;host="${host}"`)).toBe("198.51.100.17 0");
      expect(client("10.1.2.3", "forwarded", `host="${host}";for=198.51.100.17`)).toBe("198.51.100.17 0");
    }
    // What the client wrote stands before what the proxy wrote, and may be anything.
    for (const hearsay of ['for="', 'for="192.0.2.66', '"', 'x="\\', "=;,", 'for=192.0.2.66;host="\\"']) {
      expect(client("10.1.2.3", "forwarded", `${hearsay}, for="198.51.100.17:80"`)).toBe("198.51.100.17 80");
    }
  });

  it("does not read the other header", () => {
    const request = { headers: { "x-forwarded-for": "198.51.100.1" } } as unknown as IncomingMessage;
    const trust = { trustedProxies: trustedProxies(ranges), forwardedHeader: "forwarded" as const };
    expect(clientOf(request, { address: "10.1.2.3", port: 1 }, trust).address).toBe("10.1.2.3");
  });

  it("ranges are addresses with or without a length", () => {
    for (const range of ["10.0.0.0/8", "10.1.2.3", "::1", "fd00::/128"]) expect(problemOfRange(range)).toBeUndefined();
    for (const range of [
      "",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/8/9",
      "10.0.0.0/-1",
      "host",
      "10.0.0.0/",
      "fe80::1%eth0",
    ]) {
      expect(problemOfRange(range)).toMatch(/^is an IP address/);
    }
  });
});
