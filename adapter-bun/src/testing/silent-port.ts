/** A port that answers no dial: it neither accepts nor refuses, as a host behind a firewall. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";

/** See the file's comment. */
export interface SilentPort {
  readonly port: number;
  close(): Promise<void>;
}

/** A dial over loopback that takes longer is not answered, unless this process had no time to notice. */
const answerTime = 300;
/** So many dials in a row that are not answered make a silent port. */
const enough = 3;

/**
 * Starts a process that listens and never accepts, and dials until the kernel, whose queue is full then, answers no more.
 *
 * @param command How the runtime under test runs a program.
 */
export async function silentPort(command: readonly [string, ...string[]]): Promise<SilentPort> {
  const [runtime, ...args] = command;
  const program = fileURLToPath(new URL("listen-and-sleep.ts", import.meta.url));
  const listener = spawn(runtime, [...args, program], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(listener.stdout, "data")) as [Buffer];
  const port = Number(said.toString());
  const sockets: net.Socket[] = [];
  for (let unanswered = 0; unanswered < enough; ) {
    const socket = net.connect(port, "127.0.0.1");
    sockets.push(socket);
    unanswered = (await isAnswered(socket)) ? 0 : unanswered + 1;
  }
  return { port, close: () => close(listener, sockets) };
}

function isAnswered(socket: net.Socket): Promise<boolean> {
  return new Promise((resolve) => {
    // What the kernel has to tell comes before what is immediate.
    const timer = setTimeout(() => setImmediate(() => resolve(false)), answerTime);
    socket.on("error", () => {});
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function close(listener: ChildProcess, sockets: readonly net.Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  listener.kill("SIGKILL");
  await once(listener, "exit");
}
