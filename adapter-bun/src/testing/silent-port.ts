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

/** A dial over loopback that takes longer is not answered. */
const answerTime = 300;

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
  for (let answered = true; answered; ) {
    const socket = net.connect(port, "127.0.0.1");
    sockets.push(socket);
    answered = await isAnswered(socket);
  }
  return { port, close: () => close(listener, sockets) };
}

function isAnswered(socket: net.Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), answerTime);
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
