/** TLS: who is trusted, which name is asked for and verified, and client certificates. */

import { type TcpEndpoint, type TlsOptions, UsageError } from "@leveret/core/client";
import type { Bench } from "./bench.ts";
import { type BenchCase, failure } from "./connect-cases.ts";
import type { IoContext, PeerTlsOptions } from "./contract.ts";
import { equal, equalLists, ok, thrownBy } from "./expect.ts";

/** Starts a TLS peer that echoes, and gives the way to it with other options of TLS. */
async function tlsPeer(bench: Bench, context: IoContext, tls: PeerTlsOptions = {}) {
  const peer = await bench.listen({ transport: "tls", script: [{ do: "echo" }], tls });
  const port = (peer.endpoint as TcpEndpoint).port;
  return {
    peer,
    endpoint: (options: TlsOptions = {}, host = "localhost"): TcpEndpoint => ({
      transport: "tcp",
      host,
      port,
      tls: { ca: context.peers.certificates.authority, ...options },
    }),
  };
}

async function echoes(bench: Bench, endpoint: TcpEndpoint): Promise<void> {
  const probe = await bench.open(endpoint);
  probe.writePattern(1_000);
  await probe.until(() => probe.received === 1_000, "the echo");
}

/** Options whose secrets are there, but not enumerable, as those of a plan are. */
function sealed(secrets: Pick<TlsOptions, "key" | "passphrase" | "pfx">): TlsOptions {
  const options: TlsOptions = {};
  for (const [name, value] of Object.entries(secrets)) Object.defineProperty(options, name, { value });
  return options;
}

/** The same bytes, as a part of more memory. */
function withinMore(bytes: Uint8Array): Uint8Array {
  const more = new Uint8Array(bytes.length + 8);
  more.set(bytes, 4);
  return more.subarray(4, -4);
}

/** Whether the runtime cannot honour an option, and says so. */
function isRefused({ io }: Bench, endpoint: TcpEndpoint): boolean {
  const handler = { opened: () => {}, received: () => {}, writable: () => {}, closed: () => {} };
  try {
    io.connect(endpoint, handler).abort();
    return false;
  } catch (error) {
    ok(error instanceof UsageError && error.code === "NOT_SUPPORTED", "a UsageError NOT_SUPPORTED");
    return true;
  }
}

/** Runs `body` while a variable of the environment has another value. */
async function withVariable(
  { environment = {} }: IoContext,
  name: string,
  value: string,
  body: () => Promise<void>,
): Promise<void> {
  const before = environment[name];
  environment[name] = value;
  try {
    await body();
  } finally {
    if (before === undefined) delete environment[name];
    else environment[name] = before;
  }
}

export const tlsCases: readonly BenchCase[] = [
  {
    name: "an authority of one's own is trusted, by name and by address",
    needs: ["tls"],
    async run(bench, context) {
      const { peer, endpoint } = await tlsPeer(bench, context);
      await echoes(bench, endpoint());
      await echoes(bench, endpoint({}, "127.0.0.1"));
      // RFC 6066: an address is never sent as a server name.
      equalLists((await peer.report()).serverNames, ["localhost", ""], "server names");
    },
  },
  {
    name: "several authorities can be given",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      const { authority, client } = context.peers.certificates;
      await echoes(bench, endpoint({ ca: [client.cert, authority] }));
    },
  },
  {
    name: "an authority that nobody gave is not trusted",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      const cause = await failure(bench, { ...endpoint(), tls: {} });
      equal(cause.code, "TLS_CERTIFICATE", "its code");
      equal(cause.phase, "tls", "its phase");
    },
  },
  {
    name: "a variable of the environment does not turn verification off",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      // Node's, which Deno and Bun have of it: it is for requests that do not say themselves what they want.
      await withVariable(context, "NODE_TLS_REJECT_UNAUTHORIZED", "0", async () => {
        for (const one of [{ ...endpoint(), tls: {} }, endpoint({ serverName: "other.test" })]) {
          equal((await failure(bench, one)).code, "TLS_CERTIFICATE", "its code");
        }
      });
    },
  },
  {
    name: "a certificate of another name is not accepted",
    needs: ["tls"],
    async run(bench, context) {
      const { peer, endpoint } = await tlsPeer(bench, context);
      const cause = await failure(bench, endpoint({ serverName: "other.test" }));
      equal(cause.code, "TLS_CERTIFICATE", "its code");
      equal(cause.phase, "tls", "its phase");
      equalLists((await peer.report()).serverNames, ["other.test"], "server names");
    },
  },
  {
    name: "a certificate of another address is not accepted",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      const cause = await failure(bench, endpoint({ serverName: "127.0.0.2" }, "127.0.0.1"));
      equal(cause.code, "TLS_CERTIFICATE", "its code");
    },
  },
  {
    name: "serverName is asked for and verified in place of the host, without a final dot",
    needs: ["tls"],
    async run(bench, context) {
      const { peer, endpoint } = await tlsPeer(bench, context);
      await echoes(bench, endpoint({ serverName: "localhost" }, "127.0.0.1"));
      // RFC 6066: the name is sent without the dot that says that it is complete.
      await echoes(bench, endpoint({ serverName: "localhost." }, "127.0.0.1"));
      equalLists((await peer.report()).serverNames, ["localhost", "localhost"], "server names");
    },
  },
  {
    name: "an expired certificate is not accepted",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { certificate: "expired" });
      equal((await failure(bench, endpoint())).code, "TLS_CERTIFICATE", "its code");
    },
  },
  {
    name: "verify: false accepts any certificate of any name",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { certificate: "expired" });
      await echoes(bench, { ...endpoint(), tls: { verify: false, serverName: "other.test" } });
    },
  },
  {
    name: "TLS with a peer that speaks plainly fails, and says so",
    needs: ["tls"],
    async run(bench, context) {
      const peer = await bench.listen({
        transport: "tcp",
        script: [{ do: "hear", bytes: 1 }, { do: "say", bytes: 100 }, { do: "end" }],
      });
      const cause = await failure(bench, {
        ...(peer.endpoint as TcpEndpoint),
        tls: { ca: context.peers.certificates.authority },
      });
      equal(cause.code, "TLS_HANDSHAKE", "its code");
      equal(cause.phase, "tls", "its phase");
      ok(cause.message.includes("does not speak TLS"), `the message says so: ${cause.message}`);
    },
  },
  {
    name: "a peer that ends in the middle of the handshake, or breaks it, is a reset",
    needs: ["tls"],
    async run(bench) {
      for (const last of ["end", "reset"] as const) {
        const peer = await bench.listen({ transport: "tcp", script: [{ do: "hear", bytes: 1 }, { do: last }] });
        const cause = await failure(bench, { ...(peer.endpoint as TcpEndpoint), tls: {} });
        equal(cause.code, "CONNECTION_RESET", "its code");
        equal(cause.phase, "tls", "its phase");
      }
    },
  },
  {
    name: "an authority that is no certificate is refused at once",
    needs: ["tls"],
    async run(bench) {
      const handler = { opened: () => {}, received: () => {}, writable: () => {}, closed: () => {} };
      for (const ca of ["no certificate", ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]]) {
        const endpoint = { transport: "tcp", host: "localhost", port: 1, tls: { ca } } as const;
        const error = thrownBy(() => bench.io.connect(endpoint, handler), "an authority that is none");
        ok(error instanceof UsageError && error.code === "INVALID_ARGUMENT", "a UsageError INVALID_ARGUMENT");
      }
    },
  },
  {
    name: "what is written around certificates does not matter",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      const { authority, client } = context.peers.certificates;
      const commented = `\uFEFF# An authority\r\nsubject=CN = leveret\r\n${authority.replaceAll("\n", "\r\n")}`;
      await echoes(bench, endpoint({ ca: commented }));
      await echoes(bench, endpoint({ ca: `\uFEFF${authority}` }));
      await echoes(bench, endpoint({ ca: `${client.cert}\n# Another\n${authority}` }));
    },
  },
  {
    name: "abort while the peer lets the handshake wait",
    needs: ["tls"],
    async run(bench) {
      const peer = await bench.listen({ transport: "tcp", script: [{ do: "hear-end" }] });
      const probe = bench.connect({ ...(peer.endpoint as TcpEndpoint), tls: {} });
      await bench.until(async () => (await peer.report()).received > 0, "the client's hello");
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
      ok(!probe.isOpen, "the stream never opened");
    },
  },
  {
    name: "a version below minVersion is refused",
    needs: ["tls", "min-version"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { maxVersion: "TLSv1.2" });
      await echoes(bench, endpoint({ minVersion: "TLSv1.2" }));
      equal((await failure(bench, endpoint({ minVersion: "TLSv1.3" }))).code, "TLS_HANDSHAKE", "its code");
    },
  },
  {
    name: "no other ciphers are used than those that were given, or the option is refused at once",
    needs: ["tls"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { maxVersion: "TLSv1.2" });
      const fitting = endpoint({ ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" });
      if (isRefused(bench, fitting)) return;
      await echoes(bench, fitting);
      // The peer's key is one of ECDSA.
      const cause = await failure(bench, endpoint({ ciphers: "ECDHE-RSA-AES256-GCM-SHA384" }));
      equal(cause.code, "TLS_HANDSHAKE", "its code");
      const handler = { opened: () => {}, received: () => {}, writable: () => {}, closed: () => {} };
      const error = thrownBy(() => bench.io.connect(endpoint({ ciphers: "NONE-SUCH" }), handler), "ciphers of no name");
      ok(error instanceof UsageError && error.code === "INVALID_ARGUMENT", "a UsageError INVALID_ARGUMENT");
    },
  },
  {
    name: "a client certificate is shown",
    needs: ["tls", "client-certificate"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { requireClientCertificate: true });
      const { cert, key } = context.peers.certificates.client;
      await echoes(bench, endpoint({ cert, key }));
    },
  },
  {
    name: "a client certificate whose key has a passphrase is shown",
    needs: ["tls", "client-certificate", "passphrase", "pfx"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context, { requireClientCertificate: true });
      const { cert, encryptedKey, passphrase, pfx } = context.peers.certificates.client;
      await echoes(bench, endpoint({ cert, key: encryptedKey, passphrase }));
      await echoes(bench, endpoint({ pfx: withinMore(pfx), passphrase }));
    },
  },
  {
    name: "secrets that are not enumerable are used",
    needs: ["tls", "client-certificate"],
    async run(bench, context) {
      const { peer, endpoint } = await tlsPeer(bench, context, { requireClientCertificate: true });
      const { authority, client } = context.peers.certificates;
      const tls: TlsOptions = Object.assign(sealed({ key: client.key }), { ca: authority, cert: client.cert });
      await echoes(bench, { ...endpoint(), tls });
      equal((await peer.report()).accepted, 1, "connections that the peer accepted");
    },
  },
  {
    name: "a client certificate that is missing is a failure of the handshake",
    needs: ["tls", "client-certificate"],
    async run(bench, context) {
      for (const maxVersion of [undefined, "TLSv1.2"] as const) {
        const { endpoint } = await tlsPeer(bench, context, { requireClientCertificate: true, maxVersion });
        // With TLS 1.3 the stream may have opened already: the peer's refusal follows the client's last message.
        const cause = await bench.connect(endpoint()).closed();
        equal(cause?.code, "TLS_HANDSHAKE", "its code");
      }
    },
  },
  {
    name: "a key that the passphrase does not open, or of another certificate, is refused at once",
    needs: ["tls", "client-certificate", "passphrase", "pfx"],
    async run(bench, context) {
      const { endpoint } = await tlsPeer(bench, context);
      const { authority, client } = context.peers.certificates;
      const { cert, key, encryptedKey, pfx } = client;
      const handler = { opened: () => {}, received: () => {}, writable: () => {}, closed: () => {} };
      for (const wrong of [
        { cert, key: encryptedKey, passphrase: "wrong" },
        { pfx, passphrase: "wrong" },
        { cert: authority, key },
      ]) {
        const error = thrownBy(() => bench.io.connect(endpoint(wrong), handler), "what does not belong together");
        ok(error instanceof UsageError && error.code === "INVALID_ARGUMENT", "a UsageError INVALID_ARGUMENT");
      }
    },
  },
];
