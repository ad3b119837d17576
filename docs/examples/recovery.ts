/** A broker that goes away and comes back, and handles that outlive it: nothing here is set up twice. */

import { Broker } from "@leveret/conformance/broker";
import { listenBroker } from "@leveret/conformance/broker/node";
import { connect, decodeText, encodeText } from "@leveret/node";

const server = await listenBroker(new Broker(), { port: 0 });
const endpoints = ["amqp://127.0.0.1:1", server.url];

const connection = await connect({ endpoints, recovery: { republish: true } });
connection.on("disconnected", ({ cause }) => console.log("lost:", cause.code));
connection.on("recovered", ({ failures }) => console.log("back, with", failures.length, "failures"));

const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ queue: "orders", durable: true });
const publisher = await connection.openPublisher({ routingKey: queue });
const consumer = await connection.openConsumer({ queue });
await publisher.publish(encodeText("before the outage"));

server.broker.restart({ isGraceful: false });
server.flush();
await publisher.publish(encodeText("after the outage")); // waits until the connection is back

for await (const delivery of consumer) {
  console.log(delivery.redelivered ? "again:" : "new:", decodeText(delivery.body));
  delivery.ack();
  if (decodeText(delivery.body) === "after the outage") break;
}
await connection.close();
await server.close();
