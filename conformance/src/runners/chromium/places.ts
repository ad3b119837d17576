/**
 * Running things in a page or in a worker of it, for a test that has the page: it says what to run and where, and the
 * objects that it hosts are called from here.
 */

import type { IoServices } from "@leveret/core/client";
import { webSocketIo, type WebSocketConstructor } from "@leveret/websocket";
import { ObjectCaller } from "../../testing/remote-objects.ts";

/** Where something runs, and on what. */
export interface Place {
  readonly inWorker: boolean;
  /** Chromium's `WebSocketStream`, or, where it is hidden, its `WebSocket`. */
  readonly api: "WebSocketStream" | "WebSocket";
}

/** What can be run, by name. The objects are those of the test. */
export type Run = (name: string, io: IoServices, objects: ObjectCaller) => Promise<void>;

/** What a page offers to the test. */
export interface PageProgram {
  run(name: string, place: Place): Promise<void>;
  /** What is known of I/O services before they are used. */
  describe(place: Place): Pick<IoServices, "runtime" | "capabilities">;
}

/** What a page and a worker have in common, as far as it is used. */
interface Scope {
  readonly document?: object;
  readonly WebSocket: WebSocketConstructor;
  readonly Worker: new (url: string, options: object) => MessageEnd;
  /** In a page, made by the test: calls its objects. */
  callObjects(line: string): Promise<string>;
  /** In a page, for the test. */
  program: PageProgram;
}

interface MessageEnd {
  postMessage(message: Message): void;
  onmessage: ((event: { readonly data: Message }) => void) | null;
  terminate(): void;
}

type Message =
  | { readonly run: string; readonly api: Place["api"] }
  | { readonly done: string | undefined }
  | { readonly call: string }
  | { readonly answer: string };

const scope = globalThis as unknown as Scope;

/** Makes a program of this page, or worker. */
export function serve(run: Run): void {
  if (scope.document === undefined) return serveWorker(run);
  const objects = new ObjectCaller((line) => void scope.callObjects(line).then((answer) => objects.received(answer)));
  scope.program = {
    run: (name, { inWorker, api }) => (inWorker ? runInWorker(name, api) : run(name, makeIo(api), objects)),
    describe({ api }) {
      const { runtime, capabilities } = makeIo(api);
      return { runtime, capabilities };
    },
  };
}

function makeIo(api: Place["api"]): IoServices {
  const io = webSocketIo(api === "WebSocket" ? { WebSocket: scope.WebSocket } : {});
  if (io.capabilities.pause !== (api === "WebSocketStream" ? "exact" : "held")) throw new Error(`this is not ${api}`);
  return io;
}

function runInWorker(name: string, api: Place["api"]): Promise<void> {
  const worker = new scope.Worker("/program.js", { type: "module" });
  const ended = new Promise<void>((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if ("call" in data) void scope.callObjects(data.call).then((answer) => worker.postMessage({ answer }));
      if (!("done" in data)) return;
      if (data.done === undefined) resolve();
      else reject(new Error(data.done));
    };
  });
  worker.postMessage({ run: name, api });
  return ended.finally(() => worker.terminate());
}

function serveWorker(run: Run): void {
  const page = globalThis as unknown as MessageEnd;
  const objects = new ObjectCaller((call) => page.postMessage({ call }));
  page.onmessage = ({ data }) => {
    if ("answer" in data) objects.received(data.answer);
    if (!("run" in data)) return;
    run(data.run, makeIo(data.api), objects).then(
      () => page.postMessage({ done: undefined }),
      (error: unknown) =>
        page.postMessage({ done: error instanceof Error ? (error.stack ?? String(error)) : String(error) }),
    );
  };
}
