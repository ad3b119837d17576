/** Routing: a direct exchange gives a message to the queues that are bound with its routing key. */

import { connect, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const exchange = `log-${crypto.randomUUID()}`;
await channel.exchangeDeclare({ exchange, type: "direct", autoDelete: true });

async function queueOf(...severities: string[]): Promise<string> {
  const { queue } = await channel.queueDeclare({ exclusive: true });
  for (const routingKey of severities) await channel.queueBind({ queue, exchange, routingKey });
  return queue;
}
const alerts = await queueOf("error");
const archive = await queueOf("info", "warning", "error");

const publisher = await connection.openPublisher({ exchange, mandatory: true });
for (const severity of ["info", "warning", "error", "info"]) {
  await publisher.publish(encodeText(`something of severity ${severity}`), { routingKey: severity });
}

// A passive declaration asks how many messages are ready.
const count = async (queue: string) => (await channel.queueDeclare({ queue, passive: true })).messageCount;
console.log(`${await count(alerts)} alert, ${await count(archive)} archived`);
await connection.close();
