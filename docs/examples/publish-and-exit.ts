/** Publishes one message, knows that the server has it, and exits: what a script or a cron job does. */

import { connect, encodeText } from "@leveret/node";

const url = process.env.AMQP_URL ?? "amqp://localhost";
const queue = `mails-${crypto.randomUUID()}`;

const connection = await connect({ uri: url, connectionName: "publish-and-exit" });
const channel = await connection.openChannel();
await channel.queueDeclare({ queue, durable: true, arguments: { "x-expires": 60_000 } });

const publisher = await connection.openPublisher({ routingKey: queue, mandatory: true });
await publisher.publish(encodeText("Welcome"), { properties: { contentType: "text/plain" }, timeout: 10_000 });
await connection.close();

// The message outlives the connection: another one finds it.
const later = await connect(url);
const { messageCount } = await (await later.openChannel()).queueDelete({ queue });
await later.close();
console.log(`published 1, found ${messageCount}`);
