/** Handlers and timers in a program that blocks: nothing is called but in the calls that are there for it. */

import { connect, decodeText, encodeText } from "@leveret/node/blocking";

const connection = connect({ uri: process.env.AMQP_URL ?? "amqp://localhost", heartbeat: 5 });
const channel = connection.openChannel();
const { queue } = channel.queueDeclare({ exclusive: true });

let handled = 0;
channel.basicConsume({ queue, prefetch: 1 }, (delivery) => {
  console.log(`handled ${decodeText(delivery.body)}`);
  delivery.ack();
  handled += 1;
  if (handled === 3) channel.stopConsuming();
});

// A timer is called in its time, among the messages.
let count = 0;
const publish = (): void => {
  count += 1;
  channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(`task ${count}`) });
  if (count < 3) connection.callLater(100, publish);
};
connection.callLater(0, publish);

channel.startConsuming(); // returns when the channel has no consumer any more
connection.close();
