/** Topics: bindings are patterns. `*` stands for one word of the routing key, `#` for any number, none included. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const exchange = `sensors-${crypto.randomUUID()}`;
await channel.exchangeDeclare({ exchange, type: "topic", autoDelete: true });

async function queueFor(pattern: string): Promise<string> {
  const { queue } = await channel.queueDeclare({ exclusive: true });
  await channel.queueBind({ queue, exchange, routingKey: pattern });
  return queue;
}
const patterns = ["kitchen.#", "*.temperature", "*.*.battery"];
const queues = await Promise.all(patterns.map(queueFor));

const publisher = await connection.openPublisher({ exchange, mandatory: true });
for (const routingKey of ["kitchen.temperature", "kitchen.door.battery", "garage.temperature"]) {
  await publisher.publish(encodeText(routingKey), { routingKey });
}

async function keysIn(queue: string): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const message = await channel.basicGet({ queue, noAck: true });
    if (message === undefined) return keys;
    keys.push(decodeText(message.body));
  }
}
const received = await Promise.all(queues.map(keysIn));
await connection.close();
console.log(patterns.map((pattern, index) => `${pattern} got ${received[index]?.length}`).join(", "));
