/** The worker of threads-channel.ts: a queue of its own, from which it forwards. */

import { decodeText, encodeText, UnroutableError } from "@leveret/node";
import { openWorkerPublisher, workerChannel } from "@leveret/core/threads";
import { once } from "node:events";
import { parentPort } from "node:worker_threads";

if (parentPort === null) throw new Error("This is the program of a worker");
const [{ port, queue }] = await once(parentPort, "message");
const channel = await workerChannel(port);
await channel.confirmSelect();

const { queue: own } = await channel.queueDeclare({ exclusive: true });
await channel.basicConsume({ queue: own, settle: "manual", prefetch: 4 }, async (delivery) => {
  const body = encodeText(decodeText(delivery.body).toUpperCase());
  await channel.basicPublish({ exchange: "", routingKey: queue, body, mandatory: true });
  await delivery.ack(); // "settled", or "stale" when the connection was lost meanwhile
});
const publisher = await openWorkerPublisher(channel, { routingKey: own, mandatory: true });
for (const word of ["one", "two", "three"]) await publisher.publish(encodeText(word));

try {
  await publisher.publish(encodeText("lost"), { routingKey: "nowhere" });
} catch (error) {
  if (!(error instanceof UnroutableError)) throw error; // the same class, with the message that came back
}
