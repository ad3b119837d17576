/** Four ways to publish, each with what is known when it is over, and how long it took. */

import { connect, encodeText } from "@leveret/node";

const messages = Number(process.env.MESSAGES ?? 5_000);
const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const plain = await connection.openChannel();
const { queue } = await plain.queueDeclare({ exclusive: true });
const body = encodeText("a message");
const confirmed = await connection.openPublisher({ routingKey: queue, persistent: false });

const ways: Readonly<Record<string, () => Promise<void>>> = {
  async "without confirms"() {
    for (let sent = 0; sent < messages; sent += 1) await plain.basicPublish({ exchange: "", routingKey: queue, body });
  },
  async "one by one, each confirmed"() {
    for (let sent = 0; sent < messages / 10; sent += 1) await confirmed.publish(body);
  },
  async "all at once, each confirmed"() {
    await Promise.all(Array.from({ length: messages }, () => confirmed.publish(body)));
  },
  async "sent in a loop, then flushed"() {
    for (let sent = 0; sent < messages; sent += 1) if (!confirmed.send(body)) await confirmed.ready();
    await confirmed.flush();
  },
};

for (const [name, publish] of Object.entries(ways)) {
  const since = performance.now();
  await publish();
  // Purging says how many there were, behind what this channel published. A passive declaration may overtake that.
  const { messageCount } = await plain.queuePurge({ queue });
  const perSecond = messageCount / ((performance.now() - since) / 1000);
  console.log(`${name}: ${messageCount} messages, ${Math.round(perSecond)} a second`);
}
await connection.close();
