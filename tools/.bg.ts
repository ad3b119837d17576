import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { startRelay, silentLog } from "@leveret/websocket/relay";
import { startRabbitMQ } from "./rabbitmq/index.ts";
import { bundlePage } from "../adapter-websocket/src/relay/testing/bundle-page.ts";
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { WebSocket } from "ws";
const r = await startRabbitMQ();
const relay = await startRelay({
  listen: "127.0.0.1:0",
  upstream: `amqp://${r.host}:${r.port}`,
  origin: "*",
  log: silentLog,
  pingInterval: 0,
});
writeFileSync(
  "adapter-websocket/src/.bg.ts",
  `import { connect } from "./index.ts"; import { webSocketIo } from "./index.ts"; import { connect as c2 } from "@leveret/core/client";
(async () => { const plain = location.hash === "#plain"; const o = { uri: ${JSON.stringify(`ws://127.0.0.1:${relay.address.port}/`)}, credentials: { username: ${JSON.stringify(r.username)}, password: ${JSON.stringify(r.password)} }, heartbeat: 10 } as const;
const c = plain ? await c2(webSocketIo({ WebSocket: WebSocket as never }), o) : await connect(o);
(globalThis as any).S = { c, ticks: [] as number[], t0: performance.now() };
setInterval(() => (globalThis as any).S.ticks.push(Math.round(performance.now() - (globalThis as any).S.t0)), 1000);
document.title = "open " + c.negotiated.heartbeat; c.closed.then((e) => { document.title = "closed " + e; }); })().catch((e) => { document.title = "failed " + e; });`,
);
const js = await bundlePage("adapter-websocket/src/.bg.ts");
const server = createServer((q, s) => {
  s.setHeader("Content-Type", q.url === "/p.js" ? "text/javascript" : "text/html").end(
    q.url === "/p.js" ? js : "<!doctype html><script type=module src=/p.js></script>",
  );
});
await new Promise<void>((ok) => server.listen(0, "127.0.0.1", ok));
const base = `http://127.0.0.1:${(server.address() as any).port}/`;
const chrome = spawn(
  "/usr/bin/chromium",
  [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-port=0",
    "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5",
    `--user-data-dir=${mkdtempSync("/tmp/wst/p")}`,
    "about:blank",
  ],
  { stdio: ["ignore", "ignore", "pipe"] },
);
const url = await new Promise<string>((ok) => {
  let t = "";
  chrome.stderr.on("data", (d) => {
    t += d;
    const m = /ws:\/\/\S+/.exec(t);
    if (m) ok(m[0]);
  });
});
const ws = new WebSocket(url);
await new Promise((ok) => ws.on("open", ok));
let id = 0;
const waiting = new Map<number, (v: any) => void>();
ws.on("message", (d) => {
  const m = JSON.parse(String(d));
  if (m.id) waiting.get(m.id)?.(m.result ?? m.error);
});
const call = (method: string, params: object = {}, sessionId?: string) =>
  new Promise<any>((ok) => {
    waiting.set(++id, ok);
    ws.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }));
  });
const tabs = [];
for (const h of ["", "#plain"]) {
  const { targetId } = await call("Target.createTarget", { url: base + h });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  tabs.push(sessionId);
  await new Promise((ok) => setTimeout(ok, 1500));
}
await call("Target.createTarget", { url: "about:blank" });
const evalIn = async (s: string, e: string) =>
  (await call("Runtime.evaluate", { expression: e, returnByValue: true }, s)).result?.value;
for (let i = 0; i < 10; i++) {
  await new Promise((ok) => setTimeout(ok, 15000));
  for (const s of tabs)
    console.log(
      i * 15 + 15,
      await evalIn(s, "JSON.stringify([document.title, document.visibilityState, S.ticks.slice(-3), S.c.counters])"),
    );
}
chrome.kill();
await relay.close();
await r.stop();
process.exit();
