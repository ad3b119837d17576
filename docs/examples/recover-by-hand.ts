/** Recovery by hand, as users of Pika write it: three kinds of ends, of which one is worth another try. */

import { Broker } from "@leveret/conformance/broker";
import { listenBroker } from "@leveret/conformance/broker/node";
import { ChannelError, type Connection, ConnectionError, connect, decodeText, encodeText } from "@leveret/node";

const server = await listenBroker(new Broker(), { port: 0 });
const hosts = ["amqp://127.0.0.1:1", server.url];

/** An outage, made to order. The acknowledgement is lost in it, so the message comes again. */
let broken = false;
function breakOnce(): void {
  if (broken) return;
  broken = true;
  server.broker.restart({ isGraceful: false });
  server.flush();
}

async function work(connection: Connection): Promise<void> {
  const channel = await connection.openChannel();
  const { queue } = await channel.queueDeclare({ queue: "tasks", durable: true });
  for await (const delivery of await channel.basicConsume({ queue, prefetch: 1 })) {
    console.log("done:", decodeText(delivery.body));
    delivery.ack();
    if (decodeText(delivery.body) === "the last one") return connection.close();
    breakOnce();
  }
}

async function workForEver(): Promise<void> {
  for (;;) {
    try {
      return await work(await connect({ endpoints: hosts, recovery: false, connectionAttempts: 5, retryDelay: 100 }));
    } catch (error) {
      // The server closed the connection on purpose: asking again would not please it.
      if (error instanceof ConnectionError && error.code === "CONNECTION_CLOSED_BY_SERVER") throw error;
      // The server refused what was asked of it: a mistake in the program.
      if (error instanceof ChannelError) throw error;
      if (!(error instanceof ConnectionError)) throw error;
      console.log("again, after", error.code);
    }
  }
}

const producer = await connect(server.url);
const channel = await producer.openChannel();
await channel.queueDeclare({ queue: "tasks", durable: true });
const publisher = await producer.openPublisher({ routingKey: "tasks" });
for (const task of ["the first one", "the last one"]) await publisher.publish(encodeText(task));
await producer.close();

await workForEver();
await server.close();
