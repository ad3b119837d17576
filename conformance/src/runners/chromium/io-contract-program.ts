/**
 * The cases of the I/O contract, in a page or in a worker of it. The page is told by its host which case to run; peers
 * live with the host, which is called through the page.
 */

import type { Endpoint, IoServices } from "@leveret/core/client";
import { webSocketIo, type WebSocketConstructor } from "@leveret/websocket";
import { ioContract, type Peer, type PeerHost, type PeerReport } from "../../io-contract/index.ts";
import { greetingIo } from "../../testing/greeting-io.ts";

/** Where a case runs, and on what. */
export interface Place {
  readonly inWorker: boolean;
  /** Chromium's `WebSocketStream`, or, where it is hidden, its `WebSocket`. */
  readonly api: "WebSocketStream" | "WebSocket";
}

/** Calls a method of the host's peers; arguments and result are JSON. */
export type CallHost = (method: string, args: string) => Promise<string>;

/** What a page and a worker have in common, as far as it is used. */
interface Scope {
  readonly document?: object;
  readonly WebSocket: WebSocketConstructor;
  readonly Worker: new (url: string, options: object) => MessageEnd;
  /** In a page: made by the host. */
  callHost: CallHost;
  /** In a page: for the host. */
  runCase(name: string, place: Place): Promise<void>;
}

interface MessageEnd {
  postMessage(message: Message): void;
  onmessage: ((event: { readonly data: Message }) => void) | null;
}

type Message =
  | { readonly run: string; readonly api: Place["api"] }
  | { readonly done: string | undefined }
  | { readonly call: number; readonly method: string; readonly args: string }
  | { readonly answer: number; readonly result: string };

const scope = globalThis as unknown as Scope;

if (scope.document === undefined) serveWorker(globalThis as unknown as MessageEnd);
else scope.runCase = (name, { inWorker, api }) => (inWorker ? runInWorker(name, api) : run(name, api, scope.callHost));

async function run(name: string, api: Place["api"], callHost: CallHost): Promise<void> {
  const one = ioContract.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`there is no case "${name}"`);
  const io: IoServices = webSocketIo(api === "WebSocket" ? { WebSocket: scope.WebSocket } : {});
  const canPause = api === "WebSocketStream" ? "exact" : "held";
  if (io.capabilities.pause !== canPause) throw new Error(`this is not ${api}`);
  await one.run({ io: greetingIo(io), peers: await distantPeers(callHost) });
}

async function distantPeers(callHost: CallHost): Promise<PeerHost> {
  const call = async (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    JSON.parse(await callHost(method, JSON.stringify(args)));
  return {
    certificates: (await call("certificates")) as PeerHost["certificates"],
    async listen(options): Promise<Peer> {
      const { peer, endpoint } = (await call("listen", options)) as {
        readonly peer: number;
        readonly endpoint: Endpoint;
      };
      return {
        endpoint,
        go: async () => void (await call("go", peer)),
        release: async () => void (await call("release", peer)),
        report: async () => (await call("report", peer)) as PeerReport,
      };
    },
    vacant: async (transport) => (await call("vacant", transport)) as Endpoint,
  };
}

function runInWorker(name: string, api: Place["api"]): Promise<void> {
  const worker = new scope.Worker("/program.js", { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if ("call" in data) {
        void scope.callHost(data.method, data.args).then((result) => worker.postMessage({ answer: data.call, result }));
      } else if ("done" in data) {
        if (data.done === undefined) resolve();
        else reject(new Error(data.done));
      }
    };
    worker.postMessage({ run: name, api });
  });
}

function serveWorker(page: MessageEnd): void {
  const waiting = new Map<number, (result: string) => void>();
  let calls = 0;
  const callHost: CallHost = (method, args) =>
    new Promise((resolve) => {
      calls += 1;
      waiting.set(calls, resolve);
      page.postMessage({ call: calls, method, args });
    });
  page.onmessage = ({ data }) => {
    if ("answer" in data) waiting.get(data.answer)?.(data.result);
    if (!("run" in data)) return;
    run(data.run, data.api, callHost).then(
      () => page.postMessage({ done: undefined }),
      (error: unknown) => page.postMessage({ done: String(error) }),
    );
  };
}
