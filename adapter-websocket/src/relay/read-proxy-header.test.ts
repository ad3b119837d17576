import fc from "fast-check";
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { decodeProxyHeader, type ProxyHeader, takeProxyHeader } from "./read-proxy-header.ts";
import { encodeLocalHeader, encodeProxyHeader } from "./write-proxy-header.ts";

const signature = "0d0a0d0a000d0a515549540a";

/** The parts, one by one, and what was left to be read behind the header. */
async function take(parts: readonly Uint8Array[]): Promise<{ header: ProxyHeader | "illegal"; rest: Buffer }> {
  const socket = new Duplex({ read() {}, write() {} });
  const taken = new Promise<ProxyHeader | "illegal">((resolve) =>
    takeProxyHeader(socket as unknown as Socket, resolve),
  );
  for (const part of parts) {
    socket.push(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.push(null);
  const header = await taken;
  const rest: Buffer[] = [];
  for await (const chunk of socket) rest.push(chunk as Buffer);
  return { header, rest: Buffer.concat(rest) };
}

const line = (text: string) => decodeProxyHeader(Buffer.from(text, "latin1"));
const header = (hex: string) => decodeProxyHeader(Buffer.from(signature + hex, "hex"));
const nobody = undefined;

describe("version 1 of the PROXY protocol", () => {
  it("names the client", () => {
    // The examples of the specification, 2.1, and its longest line.
    expect(line("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n")).toEqual({
      size: 56,
      source: { address: "255.255.255.255", port: 65_535 },
    });
    const ipv6 = Array(8).fill("ffff").join(":");
    expect(line(`PROXY TCP6 ${ipv6} ${ipv6} 65535 65535\r\n`)).toMatchObject({ source: { port: 65_535 } });
    expect(line("PROXY TCP6 2001:db8::1 ::1 56324 443\r\nGET / HTTP/1.1\r\n")).toEqual({
      size: 38,
      source: { address: "2001:db8::1", port: 56_324 },
    });
  });

  it("ends within the longest line", () => {
    expect(line("PROXY UNKNOWN ".padEnd(106, "x"))).toBe("incomplete");
    expect(line("PROXY UNKNOWN ".padEnd(107, "x"))).toBe("illegal");
  });

  it("may name nobody", () => {
    expect(line("PROXY UNKNOWN\r\n")).toEqual({ size: 15, source: nobody });
    expect(line("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n")).toMatchObject({ source: nobody });
  });

  it.each([
    "GET / HTTP/1.1\r\n",
    "\x16\x03\x01",
    "PROXX",
    "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
    "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
    "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
    "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
    "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
    "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
    "PROXY TCP4 ::1 ::2 1 2\r\n",
    "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n",
    "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
    "PROXY \r\n",
    `PROXY UNKNOWN ${"x".repeat(100)}\r\n`,
    `PROXY TCP4 ${"1".repeat(200)}`,
  ])("refuses %j", (text) => {
    expect(line(text)).toBe("illegal");
  });
});

describe("version 2 of the PROXY protocol", () => {
  it("names the client", () => {
    expect(header("2111000cc0000201c63364028a3401bb")).toEqual({
      size: 28,
      source: { address: "192.0.2.1", port: 35_380 },
    });
    const [source, destination] = ["20010db8000000000000000000000001", "00000000000000000000000000000001"];
    expect(header(`21210024${source}${destination}ea6001bb`)).toEqual({
      size: 52,
      source: { address: "2001:db8::1", port: 60_000 },
    });
    // As AWS sends it, with the identifier of an endpoint behind the addresses.
    expect(header(`21110010${"c0000201c63364028a3401bb"}ea000101`)).toMatchObject({ size: 32 });
    expect(header(`21210024${"00000000000000000000ffffc0000201".repeat(2)}000101bb`)).toMatchObject({
      source: { address: "192.0.2.1", port: 1 },
    });
  });

  it("reads what the relay itself writes", () => {
    const written = encodeProxyHeader({
      source: { address: "2001:db8::7", port: 5_000 },
      destination: { address: "192.0.2.1", port: 443 },
      uniqueId: "id",
      tls: { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" },
    });
    expect(decodeProxyHeader(written)).toEqual({
      size: written.length,
      source: { address: "2001:db8::7", port: 5_000 },
    });
    expect(decodeProxyHeader(encodeLocalHeader())).toEqual({ size: 16, source: nobody });
  });

  it("may name nobody", () => {
    expect(header("20000000")).toEqual({ size: 16, source: nobody });
    // Of a health check the addresses are to be skipped.
    expect(header("2011000cc0000201c63364028a3401bb")).toEqual({ size: 28, source: nobody });
    expect(header("2100000401020304")).toEqual({ size: 20, source: nobody });
    // Two unix domain sockets, of 108 bytes each.
    expect(header(`213100d8${"00".repeat(216)}`)).toEqual({ size: 232, source: nobody });
  });

  it.each([
    ["version 1 of it", "1111000c"],
    ["an unknown command", "2211000c"],
    ["a datagram", "2112000cc0000201c63364028a3401bb"],
    ["too little for its addresses", "2111000bc0000201c63364028a3401"],
    ["more than there is room for", "21110ff1"],
  ])("refuses %s", (_, hex) => {
    expect(header(hex)).toBe("illegal");
  });
});

describe("a connection that begins with it", () => {
  const headers = [
    Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 35380 443\r\n"),
    Buffer.from(`${signature}2111000cc0000201c63364028a3401bb`, "hex"),
  ];

  it("goes on behind it, however it is split", async () => {
    const rests = ["", "GET / HTTP/1.1\r\n\r\n"];
    for (const bytes of headers) {
      for (const rest of rests) {
        const all = Buffer.concat([bytes, Buffer.from(rest)]);
        const splits = [[all], [...all].map((byte) => Uint8Array.of(byte)), [all.subarray(0, 20), all.subarray(20)]];
        for (const parts of splits) {
          const taken = await take(parts);
          expect(taken.header).toEqual({ size: bytes.length, source: { address: "192.0.2.1", port: 35_380 } });
          expect(taken.rest.toString()).toBe(rest);
        }
      }
    }
  });

  it("is refused at the first byte that is not of it, and never waits for more than it may be long", () => {
    for (const bytes of headers) {
      for (let size = 0; size < bytes.length; size += 1) {
        expect(decodeProxyHeader(bytes.subarray(0, size))).toBe("incomplete");
      }
    }
    fc.assert(
      fc.property(
        fc.constantFrom(...headers),
        fc.nat(70),
        fc.uint8Array({ minLength: 4_097 }),
        (bytes, kept, noise) => {
          const result = decodeProxyHeader(Buffer.concat([bytes.subarray(0, kept), noise]));
          expect(result).not.toBe("incomplete");
        },
      ),
    );
  });
});
