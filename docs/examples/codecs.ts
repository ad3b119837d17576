/** Values in place of bytes: a codec on both sides, and what it cannot decode goes to the dead letters. */

import { connect, encodeText, gzipCodec, jsonCodec, openTypedConsumer, openTypedPublisher } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue: dead } = await channel.queueDeclare({ exclusive: true });
const { queue } = await channel.queueDeclare({
  exclusive: true,
  arguments: { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead },
});

interface Order {
  readonly id: number;
  readonly items: readonly string[];
}

// What `parse` returns is the type of the values. A schema library's parse function fits here.
function parse(value: unknown): Order {
  const { id, items } = value as Partial<Order>;
  if (typeof id !== "number" || !Array.isArray(items)) throw new TypeError("not an order");
  return { id, items };
}
const orders = gzipCodec(jsonCodec({ parse }));

const sold: string[] = [];
const consumer = await openTypedConsumer(connection, { queue, codec: orders, concurrency: 1 }, (order) => {
  sold.push(`${order.id}: ${order.items.join(" and ")}`);
});

const publisher = await openTypedPublisher(connection, { routingKey: queue, codec: orders, mandatory: true });
await publisher.publish({ id: 1, items: ["carrots"] });
// One promise for all of them; a BatchError names those that were not confirmed.
await publisher.publishBatch([
  { id: 2, items: ["clover", "parsley"] },
  { id: 3, items: ["hay"] },
]);
await publisher.publisher.publish(encodeText("an order by phone"));

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
await until(() => sold.length === 3);
await until(async () => (await channel.queueDeclare({ queue: dead, passive: true })).messageCount === 1);
await consumer.close();
await connection.close();
console.log(sold.join("\n"));
console.log("dead letters: 1");
