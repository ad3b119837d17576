/** Retries with growing delays; what fails too often is put aside, in a queue where somebody can look at it. */

import { connect, decodeText, encodeText, openRetryingConsumer, retryStateOf } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const queue = `work-${crypto.randomUUID()}`;
await channel.queueDeclare({ queue, arguments: { "x-queue-type": "quorum" } });

const outcomes: string[] = [];

const delays = [100, 200]; // milliseconds; in production rather [5_000, 60_000, 600_000]
const consumer = await openRetryingConsumer(connection, { queue, delays }, (delivery, { attempt }) => {
  const task = decodeText(delivery.body);
  if (task === "hopeless" || (task === "second try" && attempt === 1)) throw new Error(`${task} failed`);
  outcomes.push(`${task}: done at attempt ${attempt}`);
});

const publisher = await connection.openPublisher({ routingKey: queue, mandatory: true });
for (const task of ["easy", "second try", "hopeless"]) await publisher.publish(encodeText(task));

// Somebody looks at what was put aside.
const aside = await connection.openConsumer({ queue: `${queue}.parked` });
const parked = await aside.take({ timeout: 10_000 });
if (parked !== undefined) {
  outcomes.push(`${decodeText(parked.body)}: put aside after attempt ${retryStateOf(parked).attempt - 1}`);
  parked.ack();
}

await aside.close();
await consumer.close();
for (const name of [queue, `${queue}.parked`, ...delays.map((delay) => `${queue}.retry.${delay}`)]) {
  await channel.queueDelete({ queue: name });
}
await connection.close();
console.log(outcomes.join("\n"));
