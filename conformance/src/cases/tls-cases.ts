/** TLS: the server is verified, the client may be, and the wrong port is told. */

import { type ConnectError, external } from "@leveret/core/client";
import type { ConformanceCase, TlsFacts } from "./case.ts";
import { CaseError, fails, like, same } from "./expect.ts";
import { bytes, type Scene, text } from "./scene.ts";

export const tlsCases: readonly ConformanceCase[] = [
  {
    name: "connects to a server whose authority is trusted, and carries messages",
    needs: ["tls"],
    async run(scene) {
      const { host, port, ca } = tlsOf(scene);
      const { channel } = await scene.open({ host, port, tls: { ca } });
      const queue = await scene.queue(channel);
      const body = new Uint8Array(1024 * 1024).fill(7);
      await channel.confirmSelect();
      await channel.basicPublish({ exchange: "", routingKey: queue, body });
      same((await channel.basicGet({ queue, noAck: true }))?.body, body, "the body");
    },
  },
  {
    name: "refuses a server whose authority is not trusted",
    needs: ["tls"],
    async run(scene) {
      const { host, port } = tlsOf(scene);
      const error = await fails(scene.connect({ host, port, tls: true }), { code: "CONNECT_FAILED" }, "connecting");
      like(
        (error as ConnectError).errors,
        [{ code: "TLS_CERTIFICATE", phase: "tls", retryable: false }],
        "the attempts",
      );
    },
  },
  {
    name: "refuses a server that is not who it should be",
    needs: ["tls"],
    async run(scene) {
      const { host, port, ca } = tlsOf(scene);
      const connecting = scene.connect({ host, port, tls: { ca, serverName: "somebody.example" } });
      const error = await fails(connecting, { code: "CONNECT_FAILED" }, "connecting");
      like((error as ConnectError).errors, [{ code: "TLS_CERTIFICATE", phase: "tls" }], "the attempts");
    },
  },
  {
    name: "logs in with the client's certificate",
    needs: ["client-certificate"],
    async run(scene) {
      const { host, port, ca, client } = tlsOf(scene);
      if (client === undefined) throw new CaseError("there is no client certificate");
      const { cert, key } = client;
      const connection = await scene.connect({ host, port, tls: { ca, cert, key }, credentials: external() });
      same(connection.negotiated.mechanism, "EXTERNAL", "the mechanism");
      const channel = await connection.openChannel();
      const queue = await scene.queue(channel);
      const message = { exchange: "", routingKey: queue, body: bytes("mine") };
      await channel.basicPublish({ ...message, properties: { userId: client.user } });
      same(text(await channel.basicGet({ queue, noAck: true })), "mine", "a message of that user");
    },
  },
  {
    name: "says that a port speaks TLS, and that one does not",
    needs: ["tls", "tcp"],
    async run(scene) {
      const { host, port, ca } = tlsOf(scene);
      const plainToTls = await fails(scene.connect({ host, port }), { code: "CONNECT_FAILED" }, "plain to TLS");
      like((plainToTls as ConnectError).errors, [{ phase: "header" }], "the attempts");
      const tlsToPlain = scene.connect({ host: scene.broker.host, port: scene.broker.port, tls: { ca } });
      const error = await fails(tlsToPlain, { code: "CONNECT_FAILED" }, "TLS to plain");
      like((error as ConnectError).errors, [{ phase: "tls" }], "the attempts");
    },
  },
];

function tlsOf({ broker }: Scene): TlsFacts {
  if (broker.tls === undefined) throw new CaseError("the broker has no TLS");
  return broker.tls;
}
