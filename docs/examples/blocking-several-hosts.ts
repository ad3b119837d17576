/** Several hosts, and three ways to fail, in a program that blocks: Pika's recipe for recovery by hand. */

import { ChannelError, connect, ConnectionError, decodeText, encodeText } from "@leveret/node/blocking";

const endpoints = ["amqp://127.0.0.1:1", process.env.AMQP_URL ?? "amqp://localhost"];
const body = encodeText("once is enough");

/** Consumes until there is a message, and stops. */
function consumeOnce(): string {
  const connection = connect({ endpoints, recovery: false, timeout: 30_000 });
  try {
    const channel = connection.openChannel();
    const { queue } = channel.queueDeclare({ exclusive: true });
    channel.basicPublish({ exchange: "", routingKey: queue, body });
    for (const delivery of channel.consume({ queue })) {
      delivery.ack();
      return decodeText(delivery.body);
    }
    return "cancelled";
  } finally {
    connection.close();
  }
}

for (let attempt = 1; ; attempt += 1) {
  try {
    console.log(`${consumeOnce()}, at attempt ${attempt}`);
    break;
  } catch (error) {
    if (error instanceof ChannelError) throw error; // a mistake of the program
    if (!(error instanceof ConnectionError)) throw error;
    if (error.code === "CONNECTION_CLOSED_BY_SERVER") throw error; // an operator closed it, say
    console.log(`${error.code}, again`); // anything else: connect again
  }
}
