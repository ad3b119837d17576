/**
 * A broker that does nothing, fast: what is published is counted and dropped, what is delivered was encoded beforehand,
 * and confirms come as soon as anything was read. Beside it, a client shows what it costs itself.
 *
 *     node --conditions=@leveret/source bench/null-broker/main.ts [hold]
 *
 * It prints its port, and ends when its standard input does. A client that sends what it should not, or anything out of
 * order, has its connection closed with the reason. With `hold`, confirms wait until any connection opens a channel.
 */

import { createServer } from "node:net";
import { type Held, Session } from "./session.ts";

const held: Held | undefined = process.argv[2] === "hold" ? new Set() : undefined;
const server = createServer({ noDelay: true }, (socket) => {
  const session = new Session(
    (bytes, done) => socket.write(bytes, done),
    () => socket.end(),
    held,
  );
  socket.on("data", (chunk) => session.receive(chunk));
  socket.on("close", () => session.closed());
  socket.on("error", () => session.closed());
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  console.log(address.port);
});

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
