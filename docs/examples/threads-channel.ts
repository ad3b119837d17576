/** One channel, used by a worker thread: it consumes, settles and publishes there; the connection stays here. */

import { connect, decodeText } from "@leveret/node";
import { serveChannel } from "@leveret/core/threads";
import { Worker } from "node:worker_threads";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });

const { port1, port2 } = new MessageChannel();
const worker = new Worker(new URL("workers/upper-case.ts", import.meta.url));
worker.postMessage({ port: port2, queue }, [port2 as never]);
const served = await serveChannel(connection, port1);

const results: string[] = [];
for await (const result of await channel.basicConsume({ queue })) {
  results.push(decodeText(result.body));
  result.ack();
  if (results.length === 3) break;
}
console.log(results.join(" "));

await worker.terminate();
const { error, requeued } = await served.closed; // the worker is gone: what it had is back in its queue
console.log(`${error?.code}, ${requeued} requeued`);
await connection.close();
