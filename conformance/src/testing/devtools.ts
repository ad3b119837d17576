/**
 * A Chromium driven by its own protocol. What drives it otherwise (Playwright) keeps every page in the foreground; here
 * a page can be in the background, be slowed down, and be frozen.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findChromium, flags } from "./chromium.ts";

type Params = Readonly<Record<string, unknown>>;

interface Answer {
  readonly id?: number;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

/** A running Chromium. End it with {@link close}. */
export class Devtools {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: Params): void; reject(error: Error): void }>();
  #lastId = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#received(JSON.parse(String(data)) as Answer));
    socket.addEventListener("close", () => {
      for (const asked of this.#waiting.values()) asked.reject(new Error("Chromium is gone"));
    });
  }

  static async launch(): Promise<Devtools> {
    const profile = await mkdtemp(path.join(tmpdir(), "leveret-chromium-"));
    const place = ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const process = spawn(findChromium(), [...flags, ...place], { stdio: ["ignore", "ignore", "pipe"] });
    const socket = new WebSocket(await said(process, /listening on (ws:\S+)/));
    await once(socket, "open");
    return new Devtools(process, profile, socket);
  }

  /** Opens a page, and shows it in place of the others. */
  async open(url: string): Promise<DevtoolsPage> {
    const { targetId } = await this.send("Target.createTarget", { url });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new DevtoolsPage(this, String(sessionId));
    await this.send("Target.activateTarget", { targetId });
    return page;
  }

  send(method: string, params: Params, sessionId?: string): Promise<Params> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  async close(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill();
    await exited;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }

  #received({ id, result, error }: Answer): void {
    if (id === undefined) return;
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) asked?.resolve(result ?? {});
    else asked?.reject(new Error(error.message));
  }
}

export class DevtoolsPage {
  readonly #devtools: Devtools;
  readonly #session: string;

  constructor(devtools: Devtools, session: string) {
    this.#devtools = devtools;
    this.#session = session;
  }

  /** What an expression gives; a promise is waited for. */
  async evaluate(expression: string): Promise<unknown> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = (await this.#devtools.send(
      "Runtime.evaluate",
      params,
      this.#session,
    )) as unknown as Evaluated;
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  /** A page that is `frozen` runs nothing at all, until it is `active` again. */
  async setLifecycle(state: "frozen" | "active"): Promise<void> {
    await this.#devtools.send("Page.setWebLifecycleState", { state }, this.#session);
  }
}

/** The first group of what a process says on its standard error, which is read on. */
function said(process: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    process.stderr?.on("data", (chunk: Buffer) => {
      text += String(chunk);
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    process.once("error", reject);
    process.once("exit", () => reject(new Error(`Chromium ended: ${text}`)));
  });
}
