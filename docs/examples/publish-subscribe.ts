/** Publish and subscribe: every subscriber has a queue of its own, and gets every event. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const exchange = `events-${crypto.randomUUID()}`;
await channel.exchangeDeclare({ exchange, type: "fanout", autoDelete: true });

const events = ["started", "changed", "stopped"];

/** Subscribes, and resolves with a promise of the events that come. */
async function subscribe(): Promise<{ readonly received: Promise<string[]> }> {
  const { queue } = await channel.queueDeclare({ exclusive: true });
  await channel.queueBind({ queue, exchange });
  const consumer = await connection.openConsumer({ queue, noAck: true });
  const receive = async (): Promise<string[]> => {
    const received: string[] = [];
    for await (const { body } of consumer) if (received.push(decodeText(body)) === events.length) break;
    return received;
  };
  return { received: receive() };
}

// A fanout exchange keeps nothing: who subscribes later misses what was published before.
const subscribers = await Promise.all([subscribe(), subscribe()]);

const publisher = await connection.openPublisher({ exchange });
for (const event of events) await publisher.publish(encodeText(event));

const received = await Promise.all(subscribers.map((subscriber) => subscriber.received));
await connection.close();
console.log(received.map((texts) => texts.join(" ")).join("; "));
