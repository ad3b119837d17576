/** Consumes with a loop in place of a handler: with `for await`, and with a limit on how long to wait. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });
const publisher = await connection.openPublisher({ routingKey: queue });
for (let number = 1; number <= 10; number += 1) await publisher.publish(encodeText(String(number)));

const first: string[] = [];
const consumer = await connection.openConsumer({ queue, prefetch: 4 });
for await (const delivery of consumer) {
  first.push(decodeText(delivery.body));
  delivery.ack();
  if (first.length === 5) break; // cancels the consumer: what was sent ahead goes back to the queue
}
await consumer.close();

const second: string[] = [];
const drain = await connection.openConsumer({ queue, prefetch: 4 });
for (;;) {
  const delivery = await drain.take({ timeout: 2_000 });
  if (delivery === undefined) break; // nothing came for two seconds
  second.push(decodeText(delivery.body));
  delivery.ack();
}
await drain.close();
await connection.close();
console.log(`${first.join(" ")} | ${second.join(" ")}`);
