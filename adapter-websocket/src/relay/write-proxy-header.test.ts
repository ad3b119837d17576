import { describe, expect, it } from "vitest";
import { encodeLocalHeader, encodeProxyHeader } from "./write-proxy-header.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const ipv4 = (port: number, to: number) => ({
  source: { address: "127.0.0.1", port },
  destination: { address: "127.0.0.1", port: to },
});

// The bytes are what HAProxy 2.6.12 sent for the same connections.
describe("the PROXY protocol, version 2", () => {
  it("is HAProxy's for IPv4", () => {
    expect(hex(encodeProxyHeader(ipv4(40_001, 40_100)))).toBe(
      "0d0a0d0a000d0a515549540a2111000c7f0000017f0000019c419ca4",
    );
  });

  it("is HAProxy's for IPv6", () => {
    const header = encodeProxyHeader({
      source: { address: "::1", port: 40_002 },
      destination: { address: "::1", port: 40_101 },
    });
    expect(hex(header)).toBe(
      "0d0a0d0a000d0a515549540a2121002400000000000000000000000000000001000000000000000000000000000000019c429ca5",
    );
  });

  it("is HAProxy's for a unique id", () => {
    expect(hex(encodeProxyHeader({ ...ipv4(40_004, 40_103), uniqueId: "relay-1" }))).toBe(
      "0d0a0d0a000d0a515549540a211100167f0000017f0000019c449ca705000772656c61792d31",
    );
  });

  it("is HAProxy's for TLS, but says that no client certificate was verified", () => {
    const header = encodeProxyHeader({
      ...ipv4(40_003, 40_102),
      tls: { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" },
    });
    // HAProxy writes 0, "verified", also when there was no certificate; the specification asks for anything else.
    const verify = { haproxy: "00000000", ours: "00000001" };
    const haproxy =
      `0d0a0d0a000d0a515549540a211100377f0000017f0000019c439ca620002801${verify.haproxy}` +
      "210007544c5376312e33230016544c535f4145535f3235365f47434d5f534841333834";
    expect(hex(header)).toBe(haproxy.replace(`01${verify.haproxy}`, `01${verify.ours}`));
  });

  it("writes both ends as IPv6 when they are of two families", () => {
    const header = encodeProxyHeader({
      source: { address: "192.0.2.1", port: 1 },
      destination: { address: "2001:db8::2", port: 2 },
    });
    expect(hex(header.subarray(13))).toBe(
      "210024" + "00000000000000000000ffffc0000201" + "20010db8000000000000000000000002" + "0001" + "0002",
    );
  });

  it("takes a mapped address for what it is", () => {
    const header = encodeProxyHeader({
      source: { address: "::ffff:192.0.2.1", port: 65_535 },
      destination: { address: "::ffff:192.0.2.2", port: 0 },
    });
    expect(hex(header.subarray(13))).toBe("11000c" + "c0000201" + "c0000202" + "ffff" + "0000");
  });

  it("leaves out what is not an address", () => {
    const header = encodeProxyHeader({
      source: { address: "", port: 0 },
      destination: { address: "127.0.0.1", port: 5672 },
    });
    expect(hex(header)).toBe("0d0a0d0a000d0a515549540a21000000");
  });

  it("says LOCAL for the relay's own connections", () => {
    expect(hex(encodeLocalHeader())).toBe("0d0a0d0a000d0a515549540a20000000");
  });
});
