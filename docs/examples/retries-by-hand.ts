/** Retries made by hand, of dead-lettering and a time to live, for queues whose arguments are yours to choose. */

import { connect, type Delivery, deathCountOf, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const work = `work-${crypto.randomUUID()}`;
const retry = `${work}.retry`;
const failed = `${work}.failed`;

const toQueue = (queue: string) => ({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue });
// What is refused in `work` waits in `retry`, where nobody consumes, until its time is up: then it is back in `work`.
await channel.queueDeclare({ queue: work, exclusive: true, arguments: toQueue(retry) });
await channel.queueDeclare({ queue: retry, exclusive: true, arguments: { ...toQueue(work), "x-message-ttl": 100 } });
await channel.queueDeclare({ queue: failed, exclusive: true });

/** Which attempt this is, from 1. RabbitMQ counts for each queue and reason that a message died of. */
function attemptOf(delivery: Delivery): number {
  return 1 + deathCountOf(delivery, { queue: work, reason: "rejected" });
}

const maxAttempts = 3;
const outcomes: string[] = [];
const tasks = ["easy", "second try", "hopeless"];
let finish: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

function attempt(task: string, number: number): void {
  if (task === "hopeless" || (task === "second try" && number === 1)) throw new Error(`${task} failed`);
  outcomes.push(`${task}: done at attempt ${number}`);
}

const publisher = await connection.openPublisher({ mandatory: true });
const consumer = await connection.openConsumer({ queue: work, requeue: false }, async (delivery) => {
  const number = attemptOf(delivery);
  try {
    attempt(decodeText(delivery.body), number);
  } catch (error) {
    if (number < maxAttempts) throw error; // refused without requeueing: on to `retry`
    // Acknowledged only after this is confirmed.
    await publisher.publish(delivery.body, { routingKey: failed, properties: delivery.properties });
    outcomes.push(`${decodeText(delivery.body)}: put aside after attempt ${number}`);
  }
  if (outcomes.length === tasks.length) finish();
});

for (const task of tasks) await publisher.publish(encodeText(task), { routingKey: work });
await finished;
await consumer.close();
await connection.close();
console.log(outcomes.join("\n"));
