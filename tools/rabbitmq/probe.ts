/**
 * Asks a port whether a broker is behind it. Written without the library: what the tests stand on must not stand on what
 * they test.
 */

import { connect } from "node:net";

const protocolHeader = Buffer.from("AMQP\0\0\x09\x01", "latin1");
const answerWithin = 10_000;

/**
 * The version that a broker names in its `connection.start`.
 *
 * @param within milliseconds.
 * @returns undefined when nothing listens, or what listens does not answer as a broker.
 */
export function probeBroker(host: string, port: number, within: number = answerWithin): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (version?: string) => {
      socket.destroy();
      resolve(version);
    };
    socket.setTimeout(within, () => finish());
    socket.once("error", () => finish());
    socket.once("close", () => finish());
    socket.once("connect", () => socket.write(protocolHeader));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const version = versionIn(received);
      if (version !== undefined) finish(version);
    });
  });
}

/** Server properties are a table: the key as a short string, the type `S`, the value as a long string. */
function versionIn(bytes: Buffer): string | undefined {
  const key = Buffer.from("\x07versionS", "latin1");
  const at = bytes.indexOf(key);
  if (at < 0 || bytes.length < at + key.length + 4) return undefined;
  const start = at + key.length + 4;
  const length = bytes.readUInt32BE(at + key.length);
  return bytes.length < start + length ? undefined : bytes.toString("utf8", start, start + length);
}

/** Whether something accepts connections. */
export function probePort(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: answerWithin });
    const finish = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => finish(true));
    socket.once("timeout", () => finish(false));
    socket.once("error", () => finish(false));
  });
}
