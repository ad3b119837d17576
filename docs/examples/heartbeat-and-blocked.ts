/** Notices a dead connection soon, and does not wait for ever for a server that has run out of memory or disk. */

import { connect, encodeText } from "@leveret/node";

const connection = await connect({
  uri: process.env.AMQP_URL ?? "amqp://localhost",
  heartbeat: 10, // seconds, whatever the server proposes; a silent peer is given up after two of them
  blockedTimeout: 300_000, // milliseconds; then the connection is given up. Without it, for ever
});
connection.on("blocked", ({ reason }) => console.log(`publishes wait: ${reason}`));
connection.on("unblocked", () => console.log("publishes go on"));

const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });
// Waiting counts towards the timeout of a message: a caller with a deadline of its own hears in time.
const publisher = await connection.openPublisher({ routingKey: queue, timeout: 5_000 });
await publisher.publish(encodeText("with a deadline"));

console.log(`heartbeat ${connection.negotiated.heartbeat} s, blocked: ${connection.blocked ?? "no"}`);
await connection.close();
