/** Takes single messages out of a queue: for tools and tests. Whoever wants many consumes. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
await channel.confirmSelect();
const { queue } = await channel.queueDeclare({ exclusive: true });
for (const text of ["one", "two", "three"]) {
  await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(text) });
}

for (;;) {
  const message = await channel.basicGet({ queue });
  if (message === undefined) break; // the queue is empty
  console.log(`${decodeText(message.body)}, ${message.messageCount} left`);
  message.ack();
}
await connection.close();
console.log("empty");
