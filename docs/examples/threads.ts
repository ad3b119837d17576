/**
 * A pool of worker threads: handlers that compute for long keep neither heartbeats nor other messages waiting. Each worker
 * settles what it gets, and publishes its answers, as if the connection were its own.
 */

import { connect, decodeText, encodeText } from "@leveret/node";
import { openWorkerPool } from "@leveret/core/threads";
import { Worker } from "node:worker_threads";

// How long each message is computed on: give 60000 to see that a minute does no harm.
const milliseconds = Number(process.argv[2] ?? 3000);

const connection = await connect({ uri: process.env.AMQP_URL ?? "amqp://localhost", heartbeat: 1, recovery: false });
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });
const { queue: answers } = await channel.queueDeclare({ exclusive: true });

const pool = await openWorkerPool(connection, {
  queue,
  size: 2,
  concurrency: 1,
  start: () => new Worker(new URL("workers/burn.ts", import.meta.url)),
});
pool.on("worker-lost", ({ error, requeued }) => console.log(`${error.message}; ${requeued} messages went back`));

const publisher = await connection.openPublisher({ properties: { replyTo: answers } });
for (const task of ["one", "two"]) {
  await publisher.publish(encodeText(`${task} ${milliseconds}`), { routingKey: queue });
}

const done: string[] = [];
for await (const answer of await channel.basicConsume({ queue: answers })) {
  done.push(decodeText(answer.body));
  answer.ack();
  if (done.length === 2) break;
}
await pool.close();
console.log(
  `${done.sort().join(", ")}; connection ${connection.state}, heartbeat ${connection.negotiated.heartbeat} s`,
);
await connection.close();
