import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { amqpHeader } from "./amqp-header.ts";
import { RelayConfigError } from "./config/check.ts";
import { startRelay } from "./relay.ts";
import { admin, Client, connect, startBench } from "./testing/bench.ts";
import { certificateFile, readCertificate } from "./testing/certificates.ts";
import { until } from "./testing/until.ts";
import type { UpstreamPeerOptions } from "./testing/upstream-peer.ts";

const authority = readCertificate("authority.pem");
const server = { cert: readCertificate("server.pem"), key: readCertificate("server.key.pem") };
const front = { tlsCert: certificateFile("server.pem"), tlsKey: certificateFile("server.key.pem") };
const clientFiles = { upstreamCert: certificateFile("client.pem"), upstreamKey: certificateFile("client.key.pem") };

describe("TLS in front", () => {
  it("carries AMQP for a client that trusts the certificate", async () => {
    const bench = await startBench({ upstream: { echo: true }, relay: front });
    const client = new Client(new WebSocket(`wss://localhost:${bench.relay.address.port}/`, { ca: authority }));
    await once(client.socket, "open");
    client.socket.send(amqpHeader);
    await until(() => client.received.length === 8, "the echo");
    client.socket.close();
    expect(await client.close()).toMatchObject({ code: 1005 });
  });

  it("speaks nothing below TLS 1.2, and no other protocol", async () => {
    const { relay } = await startBench({ relay: front });
    const options = { port: relay.address.port, host: "localhost", ca: authority };
    const old = connectTls({ ...options, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
    await expect(once(old, "secureConnect")).rejects.toThrow("protocol version");
    const http2 = connectTls({ ...options, ALPNProtocols: ["h2"] });
    await expect(once(http2, "secureConnect")).rejects.toThrow("no application protocol");
    const fine = connectTls({ ...options, ALPNProtocols: ["h2", "http/1.1"] });
    await once(fine, "secureConnect");
    expect(fine.alpnProtocol).toBe("http/1.1");
    fine.destroy();
  });

  it("reads certificates again, and keeps those that work when the new ones do not", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "leveret-relay-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = (name: string): string => path.join(folder, name);
    const put = async (name: string): Promise<void> => {
      await copyFile(certificateFile(`${name}.pem`), file("cert"));
      await copyFile(certificateFile(`${name}.key.pem`), file("key"));
    };
    await put("server");
    const { relay } = await startBench({ relay: { tlsCert: file("cert"), tlsKey: file("key") } });
    const validTo = async (): Promise<string> => {
      const socket: TLSSocket = connectTls({ port: relay.address.port, host: "localhost", rejectUnauthorized: false });
      await once(socket, "secureConnect");
      const { valid_to: end } = socket.getPeerCertificate();
      socket.destroy();
      return end;
    };
    expect(await validTo()).toContain("2124");
    await put("expired");
    await relay.reload();
    expect(await validTo()).toContain("2020");
    await copyFile(certificateFile("server.key.pem"), file("key"));
    await expect(relay.reload()).rejects.toThrow(RelayConfigError);
    await rm(file("cert"));
    await expect(relay.reload()).rejects.toThrow("ENOENT");
    expect(await validTo()).toContain("2020");
  });

  it("files that cannot be used keep the relay from starting", async () => {
    const base = { upstream: "amqp://127.0.0.1", allowNoOrigin: true };
    await expect(startRelay({ ...base, ...front, tlsKey: clientFiles.upstreamKey })).rejects.toThrow(RelayConfigError);
    await expect(startRelay({ ...base, ...front, tlsKey: "/no/such/file" })).rejects.toThrow("ENOENT");
  });
});

describe("TLS to the upstream", () => {
  const reach = async (peer: UpstreamPeerOptions["tls"], settings: object, host = "127.0.0.1") => {
    const behind = await startBench({ upstream: { echo: true, ...(peer === undefined ? {} : { tls: peer }) } });
    const upstream = `amqps://${host}:${behind.upstream.port}`;
    const bench = await startBench({ relay: { upstream, ...settings } });
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader);
    await until(() => client.received.length === 8 || client.closed !== undefined, "an answer");
    const detail = bench.log.lines.find(({ message }) => message === "connection closed")?.detail;
    return { bench, upstream: behind.upstream, outcome: client.closed?.code ?? "carried", detail };
  };
  const ca = { upstreamCa: certificateFile("authority.pem") };

  it("verifies chain and name", async () => {
    expect(await reach(server, ca)).toMatchObject({ outcome: "carried" });
    expect(await reach(server, ca, "localhost")).toMatchObject({ outcome: "carried" });
    expect(await reach(server, {})).toMatchObject({ outcome: 1013, detail: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    const expired = { cert: readCertificate("expired.pem"), key: readCertificate("expired.key.pem") };
    expect(await reach(expired, ca)).toMatchObject({ outcome: 1013, detail: "CERT_HAS_EXPIRED" });
    const named = { ...ca, upstreamServerName: "rabbit.example.com" };
    expect(await reach(server, named)).toMatchObject({ outcome: 1013, detail: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await reach(server, { ...ca, upstreamServerName: "localhost" })).toMatchObject({ outcome: "carried" });
    const addressed = { ...ca, upstreamServerName: "127.0.0.2" };
    expect(await reach(server, addressed)).toMatchObject({ outcome: 1013, detail: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  it("verifies them also where the environment turns that off for the process", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await reach(server, {})).toMatchObject({ outcome: 1013, detail: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    const named = { ...ca, upstreamServerName: "rabbit.example.com" };
    expect(await reach(server, named)).toMatchObject({ outcome: 1013, detail: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  it("is not started with one who does not speak it", async () => {
    expect(await reach(undefined, ca)).toMatchObject({ outcome: 1013 });
  });

  it("shows the relay's own certificate to one who asks", async () => {
    const strict = { ...server, ca: authority, requestCert: true, rejectUnauthorized: true };
    const { upstream, outcome } = await reach(strict, { ...ca, ...clientFiles });
    expect(outcome).toBe("carried");
    const { socket } = await upstream.connection();
    expect((socket as TLSSocket).getPeerCertificate().subject.CN).toBe("leveret-client");
    expect((await reach({ ...strict, maxVersion: "TLSv1.2" }, ca)).outcome).toBe(1013);
  });

  it("is part of being ready", async () => {
    expect((await admin((await reach(server, ca)).bench.relay, "/readyz")).status).toBe(200);
    expect((await admin((await reach(server, {})).bench.relay, "/readyz")).status).toBe(503);
  });
});

describe("the PROXY protocol", () => {
  const signature = "0d0a0d0a000d0a515549540a";

  it("goes before everything else, with the address of the client", async () => {
    const bench = await startBench({ relay: { proxyProtocol: true, trustedProxy: "127.0.0.0/8" } });
    const client = await connect(bench.relay, "/", { headers: { "X-Forwarded-For": "192.0.2.33:4711" } });
    client.socket.send(amqpHeader);
    const upstream = await bench.upstream.connection();
    await until(() => upstream.bytes.includes(Buffer.from(amqpHeader)), "the header");
    const header = upstream.bytes.subarray(0, -8).toString("hex");
    const port = bench.relay.address.port.toString(16).padStart(4, "0");
    expect(header).toMatch(new RegExp(`^${signature}2111....c00002217f0000011267${port}`));
    const opened = bench.log.lines.find(({ message }) => message === "connection opened");
    expect(header).toContain(Buffer.from(String(opened?.id)).toString("hex"));
  });

  it("goes before TLS, and tells of TLS in front", async () => {
    const plain = await startBench();
    const upstream = plain.upstream.url.replace("amqp:", "amqps:");
    const bench = await startBench({ relay: { ...front, upstream, proxyProtocol: true } });
    const socket = new WebSocket(`wss://localhost:${bench.relay.address.port}/`, { ca: authority });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    socket.send(amqpHeader);
    const connection = await plain.upstream.connection();
    await until(() => connection.bytes.includes(Buffer.from("160301", "hex")), "a TLS handshake");
    const header = connection.bytes.toString("latin1");
    expect(connection.bytes.toString("hex").startsWith(signature)).toBe(true);
    expect(header).toContain("TLSv1.3");
    expect(header).toContain("TLS_AES_256_GCM_SHA384");
  });

  it("says that a look at readiness is nobody's", async () => {
    const bench = await startBench({ relay: { proxyProtocol: true } });
    expect((await admin(bench.relay, "/readyz")).status).toBe(200);
    const upstream = await bench.upstream.connection();
    await until(() => upstream.ended, "the end");
    expect(upstream.bytes.toString("hex")).toBe(`${signature}20000000`);
  });
});
