/** What can become of a message that is published with confirms: taken, refused, without a queue, or unknown. */

import { AmqpError, connect, encodeText, NackError, UnroutableError } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({
  exclusive: true,
  arguments: { "x-max-length": 1, "x-overflow": "reject-publish" },
});

const publisher = await connection.openPublisher({ mandatory: true, timeout: 10_000 });

async function publish(routingKey: string, text: string): Promise<string> {
  try {
    await publisher.publish(encodeText(text), { routingKey });
    return "confirmed";
  } catch (error) {
    // No queue is bound there: a mistake in the topology. Trying again does not help.
    if (error instanceof UnroutableError) return `unroutable (${error.replyCode} ${error.replyText})`;
    // The queue is full, or could not store it. Later may be better.
    if (error instanceof NackError) return "refused";
    // The connection went away, or time was up, before the confirm came. Publishing again may make a duplicate.
    if (error instanceof AmqpError && error.outcome === "unknown") return "unknown";
    throw error;
  }
}

console.log(await publish(queue, "the first fits"));
console.log(await publish(queue, "the second does not"));
console.log(await publish(`not-${queue}`, "nobody is there"));
await connection.close();
