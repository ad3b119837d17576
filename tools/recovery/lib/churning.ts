/** Everything that comes and goes: whatever is kept of it for too long shows in the memory. */

import { AmqpError, type Connection, encodeText } from "@leveret/node";
import type { Tell } from "./process.ts";

const messages = 20;
const body = encodeText("churn");

/** Goes round until `stop`. What the loss of a connection takes along is counted, and is no failure. */
export async function churn(
  connection: Connection,
  stop: Promise<void>,
  tell: Tell,
  isReady: () => void,
): Promise<void> {
  let finishing = false;
  void stop.then(() => {
    finishing = true;
  });
  isReady();
  while (!finishing) {
    let lost = 0;
    try {
      await round(connection);
    } catch (error) {
      if (!isLoss(error)) throw error;
      lost = 1;
      await connection.ready();
    }
    tell({ type: "churned", rounds: 1, lost });
  }
}

async function round(connection: Connection): Promise<void> {
  const channel = await connection.openChannel();
  try {
    const exchange = `churn.${process.pid}`;
    await channel.exchangeDeclare({ exchange, type: "topic", durable: false, autoDelete: true });
    const queue = `churn.${process.pid}`;
    await channel.queueDeclare({ queue, exclusive: true });
    await channel.queueBind({ queue, exchange, routingKey: "a.*" });
    const consumer = await channel.basicConsume({ queue, prefetch: 5 });
    await channel.confirmSelect();
    for (let index = 0; index < messages; index += 1) {
      await channel.basicPublish({ exchange, routingKey: "a.b", body });
      // With the connection the queue is gone, and what was in it.
      const delivery = await consumer.take({ timeout: 1_000 });
      delivery?.ack();
    }
    await consumer.cancel();
    await channel.queueUnbind({ queue, exchange, routingKey: "a.*" });
    await channel.queueDelete({ queue });
  } finally {
    await channel.close();
  }
}

/** A loss, or what may follow from one: something was not declared, so that what needs it closes the channel. */
function isLoss(error: unknown): boolean {
  if (!(error instanceof AmqpError)) return false;
  return error.outcome === "unknown" || error.outcome === "not-sent" || error.code === "CHANNEL_CLOSED_BY_SERVER";
}
