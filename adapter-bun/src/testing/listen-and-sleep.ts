/** A program: listens, says where, and does nothing any more. Its kernel takes a few connections in; then it is silent. */

import { writeSync } from "node:fs";
import net from "node:net";

const server = net.createServer();
server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
  writeSync(1, String((server.address() as net.AddressInfo).port));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
