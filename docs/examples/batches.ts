/** A hundred messages at a time, for a database that likes them so: written together, acknowledged together. */

import { connect, type ConsumerDelivery, encodeText } from "@leveret/node";

const total = 250;
const batchSize = 100;
const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });
const publisher = await connection.openPublisher({ routingKey: queue });
for (let number = 0; number < total; number += 1) publisher.send(encodeText(`row ${number}`));
await publisher.flush();

const written: number[] = [];
const writeRows = async (rows: readonly Uint8Array[]) => void written.push(rows.length);

// The prefetch is the size of a batch: what is not acknowledged is not more than that.
const consumer = await connection.openConsumer({ queue, prefetch: batchSize });
const batch: ConsumerDelivery[] = [];
let left = total;
while (left > 0) {
  // A batch that does not fill up is written when nothing has come for a while.
  const delivery = await consumer.take({ timeout: 2_000 });
  if (delivery !== undefined) batch.push(delivery);
  if (batch.length === 0 || (delivery !== undefined && batch.length < batchSize)) continue;
  await writeRows(batch.map(({ body }) => body));
  batch.at(-1)?.ack({ multiple: true }); // all before it as well
  left -= batch.length;
  batch.length = 0;
}
await consumer.close();
await connection.close();
console.log(`wrote ${written.join(" + ")} rows`);
