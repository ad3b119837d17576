/** A publisher with a window of unconfirmed messages, and a consumer with ten handlers at a time. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
const bodies = Array.from({ length: 1000 }, (_, number) => encodeText(`task ${number}`));

let handled = 0;
let finish: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});
async function handle(body: Uint8Array): Promise<void> {
  if (!decodeText(body).startsWith("task ")) throw new Error("That was not published here");
  handled += 1;
  if (handled === bodies.length) finish();
}

const publisher = await connection.openPublisher({ routingKey: queue });
for (const body of bodies) if (!publisher.send(body)) await publisher.ready();
await publisher.flush();

const consumer = await connection.openConsumer({ queue, concurrency: 10 }, async (delivery) => {
  await handle(delivery.body); // acknowledged when this returns, requeued when it throws
});
await finished;
await consumer.close(); // waits for the handlers that still run
await connection.close();
console.log(`${handled} tasks done`);
