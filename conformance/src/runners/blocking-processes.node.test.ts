/** How processes end that have a blocking connection: with its worker, whatever the worker does. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, inject, it } from "vitest";

const { url } = inject("rabbitmq");
const limit = 30_000;

let child: ChildProcess | undefined;
afterEach(() => child?.kill("SIGKILL"));

interface Started {
  readonly child: ChildProcess;
  /** Its exit code, and the signal that ended it. */
  readonly ended: Promise<unknown[]>;
}

/** Starts a program with an open `channel`, which goes on with `rest`, and waits for its first words. */
async function start(rest: string): Promise<Started> {
  const program = `
    import { connect } from "@leveret/node/blocking";
    const connection = connect(process.env.AMQP_URL);
    const channel = connection.openChannel();
    const { queue } = channel.queueDeclare({ exclusive: true });
    console.log("ready");
    ${rest}`;
  child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    env: { ...process.env, AMQP_URL: url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [words] = await once(child.stdout as NodeJS.ReadableStream, "data");
  expect(String(words)).toBe("ready\n");
  return { child, ended };
}

it("a program that does not close its connection ends when it has nothing more to do", { timeout: limit }, async () => {
  const { ended } = await start("");
  expect(await ended).toEqual([0, null]);
});

it("process.exit() does not wait for the connection", { timeout: limit }, async () => {
  const { ended } = await start("process.exit(3);");
  expect(await ended).toEqual([3, null]);
});

it("what is thrown ends it", { timeout: limit }, async () => {
  const { ended } = await start(
    "process.exitCode = 0; process.on('uncaughtException', () => process.exit(7)); throw 1;",
  );
  expect(await ended).toEqual([7, null]);
});

it("Ctrl-C ends a program that waits for messages", { timeout: limit }, async () => {
  const started = await start("channel.basicConsume({ queue }, () => {}); channel.startConsuming();");
  started.child.kill("SIGINT");
  expect(await started.ended).toEqual([null, "SIGINT"]);
});
