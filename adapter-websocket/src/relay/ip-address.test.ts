import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientGroup, parseIp, toIpv6 } from "./ip-address.ts";

describe("IP addresses", () => {
  it("are bytes, whichever way they are written", () => {
    expect(parseIp("192.0.2.1")).toEqual([192, 0, 2, 1]);
    expect(parseIp("::")).toEqual(Array<number>(16).fill(0));
    expect(parseIp("2001:db8::ff00:42:8329")).toEqual([
      0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0x42, 0x83, 0x29,
    ]);
    expect(parseIp("fe80::1%eth0")).toEqual([0xfe, 0x80, ...Array<number>(13).fill(0), 1]);
    expect(parseIp("64:ff9b::192.0.2.33")?.slice(-4)).toEqual([192, 0, 2, 33]);
    expect(parseIp("::ffff:10.1.2.3")).toEqual([10, 1, 2, 3]);
    for (const text of ["", "localhost", "1.2.3", "1.2.3.4:80", "[::1]"]) expect(parseIp(text)).toBeUndefined();
  });

  it("come back from any IPv6 text", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = parseIp(text);
        expect(bytes !== undefined && isIPv6(text)).toBe(true);
        const full =
          Buffer.from(toIpv6(bytes ?? []))
            .toString("hex")
            .match(/.{4}/g)
            ?.join(":") ?? "";
        expect(new URL(`http://[${full}]`).host).toBe(new URL(`http://[${text}]`).host);
      }),
    );
  });

  it("count as one client by address, or by /64", () => {
    expect(clientGroup("192.0.2.1")).toBe(clientGroup("::ffff:192.0.2.1"));
    expect(clientGroup("192.0.2.1")).not.toBe(clientGroup("192.0.2.2"));
    expect(clientGroup("2001:db8:1:2::3")).toBe(clientGroup("2001:db8:1:2:ffff::"));
    expect(clientGroup("2001:db8:1:2::3")).not.toBe(clientGroup("2001:db8:1:3::3"));
  });
});
