/** Connecting that fails: every way has a word of its own, and nothing is left behind. */

import { type ConnectError, connect } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, fails, ok, same } from "./expect.ts";
import type { Scene } from "./scene.ts";

/** How the server's handshake falls into bytes: where a proxy cuts, the phase that connecting was in. */
const phaseAfter = [
  { method: "nothing", direction: "to-client", bytes: 0, phase: "header" },
  { method: "connection.start-ok", direction: "to-server", bytes: 20, phase: "sasl" },
  { method: "half of connection.start", direction: "to-client", bytes: 100, phase: "header" },
] as const;

export const connectFailureCases: readonly ConformanceCase[] = [
  {
    name: "a wrong password is told at once, with the server's words, and without the password",
    async run(scene) {
      const credentials = { username: scene.broker.username, password: "not-the-password" };
      const connecting = scene.connect({ credentials, connectionAttempts: 5 });
      const expected = { name: "ConnectError", code: "AUTHENTICATION_FAILED", phase: "sasl", replyCode: 403 };
      const error = await fails(connecting, expected, "connecting");
      ok(!`${error.stack} ${JSON.stringify(error)}`.includes("not-the-password"), "the password is not shown");
      same((error as ConnectError).errors.length, 1, "the attempts");
    },
  },
  {
    name: "no mechanism in common is told, with the names of both sides",
    async run(scene) {
      const credentials = { name: "NOBODY-HAS-THIS", start: () => new Uint8Array(0) };
      const expected = { code: "NO_COMMON_MECHANISM", phase: "sasl" };
      const error = await fails(scene.connect({ credentials }), expected, "connecting");
      ok(error.message.includes("NOBODY-HAS-THIS") && error.message.includes("PLAIN"), "both are named");
    },
  },
  {
    name: "a virtual host that does not exist is told",
    async run(scene) {
      const connecting = scene.connect({ virtualHost: "no such virtual host" });
      const expected = { code: "VIRTUAL_HOST_REFUSED", phase: "open", replyCode: 530, retryable: false };
      await fails(connecting, expected, "connecting");
    },
  },
  {
    name: "when all endpoints fail, every attempt is named, and another round begins with the first",
    needs: ["tcp", "proxy"],
    async run(scene) {
      const { dead, endpoint } = await deadEndpoint(scene);
      const endpoints = [dead, { host: "no-such-host.invalid", port: 4 }];
      const connecting = scene.connect({ endpoints, connectionAttempts: 2, retryDelay: 10 });
      const expected = { name: "ConnectError", code: "CONNECT_FAILED", retryable: true, outcome: "not-sent" };
      const error = (await fails(connecting, expected, "connecting")) as ConnectError;
      like(
        error.errors.map(({ endpoint: at, phase, code, round }) => ({ at, phase, code, round })),
        [1, 2].flatMap((round) => [
          { at: endpoint, phase: "tcp", code: "CONNECTION_REFUSED", round },
          { at: "no-such-host.invalid:4", phase: "dns", code: "NAME_NOT_FOUND", round },
        ]),
        "the attempts",
      );
    },
  },
  ...phaseAfter.map(
    ({ method, direction, bytes, phase }): ConformanceCase => ({
      name: `a connection that is cut after ${method} says how far it had come`,
      needs: ["proxy"],
      async run(scene) {
        const proxy = await scene.proxy();
        await proxy.inflict({ breakAfter: { direction, bytes, how: "cut" } });
        const error = await fails(scene.connect(proxy.address), { code: "CONNECT_FAILED" }, "connecting");
        like((error as ConnectError).errors, [{ phase }], "the attempts");
        await scene.until(async () => (await proxy.report()).open === 0, "no connection to be left");
      },
    }),
  ),
  {
    name: "a server that says nothing is given openTimeout",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ breakAfter: { direction: "to-client", bytes: 0, how: "silence" } });
      const connecting = scene.connect({ ...proxy.address, openTimeout: 2_000 });
      const error = await fails(connecting, { code: "CONNECT_FAILED" }, "connecting");
      like((error as ConnectError).errors, [{ code: "HANDSHAKE_TIMEOUT", phase: "header" }], "the attempts");
      await proxy.inflict({});
      await proxy.speak();
      await scene.until(async () => (await proxy.report()).open === 0, "no connection to be left");
    },
  },
  {
    name: "a signal ends it at any moment, and nothing is left",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ breakAfter: { direction: "to-client", bytes: 0, how: "silence" } });
      const controller = new AbortController();
      const connecting = scene.connect({ ...proxy.address, signal: controller.signal });
      await scene.until(async () => (await proxy.report()).accepted === 1, "the attempt to begin");
      controller.abort("enough");
      const expected = { name: "ConnectError", code: "CONNECT_ABORTED", cause: "enough" };
      await fails(scene.soon(connecting, "the end"), expected, "connecting");
      await proxy.inflict({});
      await proxy.speak();
      await scene.until(async () => (await proxy.report()).open === 0, "no connection to be left");
      await fails(scene.connect({ signal: controller.signal }), { code: "CONNECT_ABORTED" }, "connecting when aborted");
    },
  },
  {
    name: "a signal ends the pause between two rounds",
    needs: ["tcp"],
    async run(scene) {
      const controller = new AbortController();
      let rounds = 0;
      const endpoints = () => {
        rounds += 1;
        return [{ host: "no-such-host.invalid" }];
      };
      const options = { endpoints, connectionAttempts: Infinity, retryDelay: 60_000, signal: controller.signal };
      const connecting = scene.connect(options);
      await scene.until(() => rounds === 1, "the first round");
      controller.abort();
      await fails(scene.soon(connecting, "the end"), { code: "CONNECT_ABORTED" }, "connecting");
    },
  },
  {
    name: "options that make no sense are refused before anything is sent",
    async run(scene) {
      for (const options of [
        { port: 70_000, host: "localhost" },
        { uri: "http://localhost" },
        { uri: "amqp://localhost", host: "localhost" },
        { frameMax: 100 },
        { heartbeat: -1 },
        { virtualHost: "v".repeat(256) },
        { noSuchOption: true } as object,
      ]) {
        const expected = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };
        await fails(connect(scene.io, options), expected, JSON.stringify(options).slice(0, 60));
      }
    },
  },
];

/** An endpoint where nobody listens any more. */
async function deadEndpoint(scene: Scene): Promise<{ dead: { host: string; port: number }; endpoint: string }> {
  const proxy = await scene.proxy();
  const { host = "", port = 0 } = proxy.address;
  await proxy.close();
  return { dead: { host, port }, endpoint: `${host}:${port}` };
}
