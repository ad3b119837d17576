/** The worker of threads.ts: computes without a pause, and publishes its answer. */

import { decodeText, encodeText } from "@leveret/node";
import { handleDeliveries } from "@leveret/core/threads";
import { parentPort } from "node:worker_threads";

await handleDeliveries(parentPort, async (delivery, channel) => {
  const [task, milliseconds] = decodeText(delivery.body).split(" ");
  const end = performance.now() + Number(milliseconds);
  let rounds = 0;
  while (performance.now() < end) rounds += 1;
  const routingKey = delivery.properties.replyTo ?? "";
  await channel.basicPublish({ exchange: "", routingKey, body: encodeText(`${task} done`) });
  if (rounds === 0) throw new Error("Nothing was computed");
}); // acknowledged when the handler is done, requeued when it throws
