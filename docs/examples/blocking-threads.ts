/** A slow handler in another thread, which has its message acknowledged in the thread with the connection. */

import { CallbackCaller, connect, decodeText, encodeText } from "@leveret/node/blocking";
import { isMainThread, Worker, workerData } from "node:worker_threads";

if (!isMainThread) {
  const { handle, task, deliveryTag } = workerData;
  let sum = 0;
  for (let i = 0; i < 1e7; i += 1) sum += i;
  new CallbackCaller(handle).call({ deliveryTag, result: `${task}: ${sum}` });
} else {
  const connection = connect(process.env.AMQP_URL ?? "amqp://localhost");
  const channel = connection.openChannel();
  const { queue } = channel.queueDeclare({ exclusive: true });
  for (const task of ["a", "b"]) channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(task) });

  let done = 0;
  const finished = ({ deliveryTag, result }: { deliveryTag: number; result: string }): void => {
    channel.basicAck({ deliveryTag });
    console.log(result);
    done += 1;
    if (done === 2) channel.stopConsuming();
  };
  channel.basicConsume({ queue }, ({ body, deliveryTag }) => {
    const handle = connection.callbackHandle(finished);
    const transferList = [handle.port as never];
    new Worker(new URL(import.meta.url), {
      workerData: { handle, task: decodeText(body), deliveryTag },
      transferList,
    });
  });
  channel.startConsuming();
  connection.close();
}
