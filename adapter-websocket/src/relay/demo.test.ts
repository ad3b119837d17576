import { describe, expect, it } from "vitest";
import { demoOrigins } from "./demo.ts";
import { startBench, upgradeStatus } from "./testing/bench.ts";

describe("the demo mode", () => {
  it("serves the page and its files, which may do nothing but connect", async () => {
    const { relay } = await startBench({ relay: { demo: true } });
    const get = (path: string, method = "GET") => fetch(`http://127.0.0.1:${relay.address.port}${path}`, { method });
    const page = await get("/");
    const text = await page.text();
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
    expect(files).toEqual(["style.css", "page.js"]);
    for (const name of files) expect((await get(`/${name}`)).status).toBe(200);
    expect(await (await get("/page.js")).text()).toContain("WebSocket");
    expect(await (await get("/", "HEAD")).text()).toBe("");
    for (const path of ["/package.json", "/../package.json", "/src/demo/page.ts"])
      expect((await get(path)).status).toBe(426);
    expect((await get("/", "POST")).status).toBe(426);
  });

  it("is not there unless it is asked for", async () => {
    const { relay } = await startBench();
    expect((await fetch(`http://127.0.0.1:${relay.address.port}/`)).status).toBe(426);
  });

  it("lets in its own page, and no page whose name only points here", async () => {
    const { relay } = await startBench({ relay: { demo: true, allowNoOrigin: false, origin: "https://other.test" } });
    const { port } = relay.address;
    for (const origin of [
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}`,
      `http://[::1]:${port}`,
      "https://other.test",
    ]) {
      expect(await upgradeStatus(relay, "/", { Origin: origin })).toMatchObject({ status: 101 });
    }
    const rebound = { Origin: `http://evil.test:${port}`, Host: `evil.test:${port}` };
    expect(await upgradeStatus(relay, "/", rebound)).toMatchObject({ status: 403 });
    expect(await upgradeStatus(relay)).toMatchObject({ status: 403 });
  });

  it("knows its own origin, whatever the scheme and port", () => {
    expect(demoOrigins({ host: "::1", port: 443 }, true)).toEqual([
      "https://localhost",
      "https://127.0.0.1",
      "https://[::1]",
      "https://[::1]",
    ]);
    expect(demoOrigins({ host: "10.0.0.1", port: 8080 }, false)).toContain("http://10.0.0.1:8080");
  });
});
