/**
 * The peers of the I/O contract in a process of Node's, as other runtimes use them. A peer in the runtime under test
 * would share its loop with the adapter, and its mistakes.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Endpoint } from "@leveret/core/client";
import type { Peer, PeerCertificates, PeerHost, PeerOptions, PeerReport } from "../io-contract/index.ts";

/** A call of a method of the host's, or of a peer's. */
export interface PeerCall {
  readonly id: number;
  readonly call: "certificates" | "listen" | "vacant" | "go" | "release" | "report";
  /** The number of a peer, where the method is a peer's. */
  readonly peer?: number | undefined;
  readonly args: readonly unknown[];
}

/** The answer to the call of the same `id`. */
export interface PeerAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** See the file's comment. */
export class RemotePeerHost implements PeerHost {
  #certificates: PeerCertificates | undefined;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  private constructor() {
    const program = fileURLToPath(new URL("peer-process.ts", import.meta.url));
    this.#process = spawn(findNode(), ["--conditions=@leveret/source", program], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"] },
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) =>
      this.#answered(JSON.parse(line) as PeerAnswer),
    );
    this.#process.on("error", (error) => this.#ended(error));
    this.#process.on("exit", (code) => this.#ended(new Error(`The process of the peers ended with the code ${code}`)));
  }

  static async start(): Promise<RemotePeerHost> {
    const host = new RemotePeerHost();
    const said = (await host.#call("certificates")) as PeerCertificates & { readonly pfx: string };
    const { pfx, ...certificates } = said;
    const client = { ...certificates.client, pfx: new Uint8Array(Buffer.from(pfx, "base64")) };
    host.#certificates = { ...certificates, client };
    return host;
  }

  get certificates(): PeerCertificates {
    if (this.#certificates === undefined) throw new Error("The peers have not started");
    return this.#certificates;
  }

  async listen(options: PeerOptions): Promise<Peer> {
    const said = (await this.#call("listen", undefined, options)) as { peer: number; endpoint: Endpoint };
    return {
      endpoint: said.endpoint,
      go: async () => void (await this.#call("go", said.peer)),
      release: async () => void (await this.#call("release", said.peer)),
      report: async () => (await this.#call("report", said.peer)) as PeerReport,
    };
  }

  async vacant(transport: "tcp" | "unix"): Promise<Endpoint> {
    return (await this.#call("vacant", undefined, transport)) as Endpoint;
  }

  /** Ends the peers and their process. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    if (this.#process.exitCode === null) await once(this.#process, "exit");
  }

  #call(call: PeerCall["call"], peer?: number, ...args: readonly unknown[]): Promise<unknown> {
    this.#calls += 1;
    const id = this.#calls;
    this.#process.stdin.write(`${JSON.stringify({ id, call, peer, args } satisfies PeerCall)}\n`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #answered({ id, result, error }: PeerAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #ended(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The Node that the repository pins, where there is a build of it for this machine; else the one that the shell finds. */
function findNode(): string {
  const name = `../../../node_modules/node-${process.platform}-${process.arch}/bin/node`;
  const pinned = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(pinned) ? pinned : "node";
}
