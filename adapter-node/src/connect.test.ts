import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { ConnectError, UsageError } from "@leveret/core/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "./connect.ts";
import * as entry from "./index.ts";

const fixtures = new URL("../../conformance/src/testing/certificates/", import.meta.url);

describe("connect", () => {
  let server: tls.Server;
  let port: number;
  /** The first bytes of every connection. */
  const greetings: string[] = [];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "leveret-connect-"));
    await writeFile(path.join(folder, "ca.pem"), await readFile(new URL("authority.pem", fixtures)));
    server = tls.createServer(
      {
        cert: await readFile(new URL("server.pem", fixtures)),
        key: await readFile(new URL("server.key.pem", fixtures)),
      },
      (socket) => {
        socket.on("error", () => {});
        socket.on("data", (chunk: Buffer) => {
          greetings.push(chunk.toString("latin1"));
          socket.end();
        });
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as net.AddressInfo).port;
  });

  afterAll(async () => {
    server.close();
    await once(server, "close");
    await rm(folder, { recursive: true });
  });

  it("reads the files that a URI names", async () => {
    greetings.length = 0;
    const uri = `amqps://localhost:${port}?cacertfile=${encodeURIComponent(path.join(folder, "ca.pem"))}`;
    await expect(connect(uri)).rejects.toBeInstanceOf(ConnectError);
    // The peer was trusted, and greeted.
    expect(greetings).toEqual(["AMQP\0\0\x09\x01"]);
  });

  it("reads the files that options name", async () => {
    greetings.length = 0;
    const tlsOptions = { caFile: path.join(folder, "ca.pem") };
    await expect(connect({ host: "127.0.0.1", port, tls: tlsOptions })).rejects.toBeInstanceOf(ConnectError);
    expect(greetings).toHaveLength(1);
  });

  it("says which file cannot be read", async () => {
    const missing = path.join(folder, "none.pem");
    const failure = connect({ host: "127.0.0.1", port, tls: { caFile: missing } });
    await expect(failure).rejects.toBeInstanceOf(UsageError);
    await expect(failure).rejects.toThrow(`tls.caFile: the file ${JSON.stringify(missing)} cannot be read: ENOENT`);
  });

  it("does not trust whom nobody vouches for", async () => {
    await expect(connect({ host: "127.0.0.1", port, tls: true })).rejects.toMatchObject({ phase: "tls" });
  });

  it("refuses what is neither a URI nor options, and does not go to the default address", async () => {
    for (const given of [new URL("amqp://user:hidden@127.0.0.1:1"), 5672, null, ["amqp://h"]]) {
      const error: unknown = await connect(given as never).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("connect() takes") });
      expect(String(error)).not.toContain("hidden");
    }
  });

  it("does not load what only TLS and files need", async () => {
    const program = `
      const before = new Set(process.moduleLoadList);
      const { connect } = await import("@leveret/node");
      const { code } = await connect({ host: "127.0.0.1", port: 1, recovery: false }).catch((error) => error);
      const added = process.moduleLoadList.filter((name) => !before.has(name));
      const isLoaded = (name) => added.includes("NativeModule " + name);
      console.log(JSON.stringify([code, ...["net", "tls", "crypto", "fs/promises"].filter(isLoaded)]));`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--conditions=@leveret/source",
      "--input-type=module",
      "--eval",
      program,
    ]);
    expect(JSON.parse(stdout)).toEqual(["CONNECT_FAILED", "net"]);
  });

  it("is the connect of the entry, which has everything of the client besides", () => {
    expect(entry.connect).toBe(connect);
    expect(entry.UsageError).toBe(UsageError);
    expect(entry.nodeIo().runtime).toBe(`node ${process.versions.node}`);
  });
});
