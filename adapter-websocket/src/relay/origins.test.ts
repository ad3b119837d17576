import { describe, expect, it } from "vitest";
import { checkOrigins, problemOfOrigin } from "./origins.ts";

describe("origins", () => {
  it("nobody is let in who was not named", () => {
    const allows = checkOrigins([], false);
    for (const origin of ["https://app.example.com", "null", "", undefined]) expect(allows(origin)).toBe(false);
  });

  it("exact origins are scheme, host and port", () => {
    const allows = checkOrigins(["https://app.example.com", "http://localhost:8080"], false);
    expect(allows("https://app.example.com")).toBe(true);
    expect(allows("HTTPS://APP.example.com")).toBe(true);
    expect(allows("http://localhost:8080")).toBe(true);
    for (const origin of [
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://app.example.com.evil.test",
      "https://evil.test/https://app.example.com",
      "https://xapp.example.com",
      "http://localhost",
    ]) {
      expect(allows(origin)).toBe(false);
    }
  });

  it("are the same in capital letters", () => {
    const allows = checkOrigins(["https://App.Example.com", "HTTPS://*.Example.org"], false);
    expect(allows("https://app.example.com")).toBe(true);
    expect(allows("https://a.example.org")).toBe(true);
  });

  it("are also those of apps and extensions", () => {
    const allows = checkOrigins(["capacitor://localhost", "chrome-extension://abcdef"], false);
    expect(allows("capacitor://localhost")).toBe(true);
    expect(allows("chrome-extension://abcdef")).toBe(true);
    expect(allows("capacitor://localhost.evil.test")).toBe(false);
    expect(allows("https://localhost")).toBe(false);
  });

  it("a wildcard is for subdomains, of any depth, and for nothing else", () => {
    const allows = checkOrigins(["https://*.example.com"], false);
    expect(allows("https://a.example.com")).toBe(true);
    expect(allows("https://a.b-c.example.com")).toBe(true);
    for (const origin of [
      "https://example.com",
      "https://.example.com",
      "https://evilexample.com",
      "https://evil.test/.example.com",
      "https://evil.test:1@a.example.com",
      "https://evil.test#.example.com",
      "http://a.example.com",
      "ionic://a.example.com",
      "https://a.example.com:1",
    ]) {
      expect(allows(origin)).toBe(false);
    }
  });

  it("any, null and no origin are let in only when it is said", () => {
    expect(checkOrigins(["*"], false)("https://anything.test")).toBe(true);
    expect(checkOrigins(["*"], false)(undefined)).toBe(false);
    expect(checkOrigins([], true)(undefined)).toBe(true);
    expect(checkOrigins([], true)("https://anything.test")).toBe(false);
    expect(checkOrigins(["null"], false)("null")).toBe(true);
    expect(checkOrigins(["*"], false)("null")).toBe(true);
  });

  it("a rule that is not an origin is a problem", () => {
    for (const rule of [
      "https://a.example.com",
      "https://*.example.com",
      "http://[::1]:8080",
      "capacitor://localhost",
      "*",
      "null",
    ]) {
      expect(problemOfOrigin(rule)).toBeUndefined();
    }
    for (const rule of [
      "app.example.com",
      "https://app.example.com/",
      "https://app.example.com/path",
      "ws://a.test",
      "https://a.test:443",
      "https://a.test:port",
      "file://",
      "capacitor://localhost/",
      "capacitor://*.localhost",
      "https://a.*.test",
      "*.a.test",
      "",
    ]) {
      expect(problemOfOrigin(rule)).toMatch(/^is an origin such as/);
    }
  });
});
