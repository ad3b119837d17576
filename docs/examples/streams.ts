/** A stream keeps its messages: every consumer says where it begins, and reading takes nothing away. */

import { connect, decodeText, encodeText, streamOffsetOf } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const queue = `history-${crypto.randomUUID()}`;
await channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "stream", "x-max-age": "1h" } });

/** Reads from an offset, or from `"first"`, `"last"`, `"next"`, or a Date, up to the message that says "end". */
async function read(offset: "first" | "last" | "next" | number | Date): Promise<string> {
  const texts: string[] = [];
  const places: string[] = [];
  const consumer = await connection.openConsumer({ queue, prefetch: 100, arguments: { "x-stream-offset": offset } });
  for await (const delivery of consumer) {
    // Its place in the stream: remember it, to go on behind it.
    places.push(String(streamOffsetOf(delivery)));
    texts.push(decodeText(delivery.body));
    delivery.ack(); // asks for more; the message stays
    if (texts.at(-1) === "end") break;
  }
  await consumer.close();
  return `${texts.join(" ")} (${places[0]} to ${places.at(-1)})`;
}

try {
  const publisher = await connection.openPublisher({ routingKey: queue });
  for (const text of ["a", "b", "c", "end"]) await publisher.publish(encodeText(text));
  console.log(`${await read("first")} | ${await read("first")} | ${await read(2)}`);
} finally {
  await channel.queueDelete({ queue });
  await connection.close();
}
