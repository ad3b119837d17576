/** Ends on SIGTERM without losing or repeating work: no new messages, running handlers finish, the rest goes back. */

import { once } from "node:events";
import { connect, encodeText } from "@leveret/node";

const total = 100;
const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });
const publisher = await connection.openPublisher({ routingKey: queue });
for (let number = 0; number < total; number += 1) publisher.send(encodeText(`job ${number}`));
await publisher.flush();

const terminated = once(process, "SIGTERM");
let handled = 0;
const consumer = await connection.openConsumer({ queue, prefetch: 20, concurrency: 5 }, async () => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  handled += 1;
  if (handled === total / 4) process.kill(process.pid, "SIGTERM"); // whoever deploys does that
});

await terminated;
const { unfinished } = await consumer.close({ drain: 25_000 }); // less than you are given before SIGKILL
const { messageCount } = await channel.queueDelete({ queue }); // says how many were left
await connection.close();
console.log(`${total - handled - messageCount} lost or repeated, ${unfinished} unfinished`);
console.log(messageCount > 0 ? "the rest was left for the next start" : "nothing was left");
