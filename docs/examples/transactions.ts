/** A transaction: messages are published and acknowledged together, or not at all. */

import { connect, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue: orders } = await channel.queueDeclare({ exclusive: true });
const { queue: invoices } = await channel.queueDeclare({ exclusive: true });
const publisher = await connection.openPublisher({ routingKey: orders });
await publisher.publish(encodeText("order 1"));

const transaction = await connection.openChannel();
await transaction.txSelect();

const order = await transaction.basicGet({ queue: orders });
if (order === undefined) throw new Error("There is no order");
await transaction.basicPublish({ exchange: "", routingKey: invoices, body: encodeText("invoice 1, wrong") });
await transaction.txRollback(); // the wrong invoice is gone; the order is ours still

await transaction.basicPublish({ exchange: "", routingKey: invoices, body: encodeText("invoice 1") });
order.ack();
await transaction.txCommit(); // now both happened

const { messageCount } = await channel.queueDeclare({ queue: invoices, passive: true });
await transaction.close(); // an order that is not acknowledged would come back here
const { messageCount: left } = await channel.queueDeclare({ queue: orders, passive: true });
await connection.close();
console.log(`${messageCount} invoice, ${left} orders left`);
