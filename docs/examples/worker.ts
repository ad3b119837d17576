/** A work queue: two workers share its tasks, one at a time each, and settle every task themselves. */

import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });

const tasks = ["resize 1", "resize 2", "explode", "resize 3", "resize 4"];
let done = 0;
let givenUp = 0;
let finish: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

async function work(task: string): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (!task.startsWith("resize ")) throw new Error(`Nobody knows how to ${task}`);
}

const startWorker = () =>
  connection.openConsumer({ queue, prefetch: 1, settle: "manual" }, async (delivery) => {
    try {
      await work(decodeText(delivery.body));
      delivery.ack();
      done += 1;
    } catch {
      // One more try, perhaps by another worker; after that the message is dropped, or dead-lettered.
      const again = !delivery.redelivered;
      delivery.nack({ requeue: again });
      if (!again) givenUp += 1;
    }
    if (done + givenUp === tasks.length) finish();
  });
const workers = await Promise.all([startWorker(), startWorker()]);

const publisher = await connection.openPublisher({ routingKey: queue, mandatory: true });
await Promise.all(tasks.map((task) => publisher.publish(encodeText(task))));
await finished;
await Promise.all(workers.map((worker) => worker.close()));
await connection.close();
console.log(`${done} tasks done, ${givenUp} given up after a second try`);
