/** Remote calls made of nothing but publishing and consuming, for who wants to see what `openRpcClient` saves. */

import { type BasicProperties, connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });

// The server. It answers failures too: a caller that hears nothing can only wait.
function fibonacci(n: number): number {
  if (!Number.isInteger(n) || n < 0 || n > 70) throw new RangeError("a whole number from 0 to 70, please");
  let [previous, current] = [0, 1];
  for (let i = 0; i < n; i += 1) [previous, current] = [current, previous + current];
  return previous;
}

const answers = await connection.openPublisher({ persistent: false });
const server = await connection.openConsumer({ queue, prefetch: 10 }, async (delivery) => {
  const { replyTo, correlationId } = delivery.properties;
  if (replyTo === undefined) return;
  const answer = (type: string, text: string) =>
    answers.publish(encodeText(text), { routingKey: replyTo, properties: { type, correlationId } });
  try {
    await answer("result", String(fibonacci(Number(decodeText(delivery.body)))));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    await answer("error", error.message);
  }
});

// The client. Whoever waits is in the map before the request leaves, so that no answer can come too early.
const callTimeout = 10_000;
const client = await connection.openChannel();
await client.confirmSelect();
const waiting = new Map<string, (properties: BasicProperties, body: Uint8Array) => void>();
await client.basicConsume({ queue: "amq.rabbitmq.reply-to", noAck: true }, ({ properties, body }) => {
  waiting.get(properties.correlationId ?? "")?.(properties, body);
});

function call(argument: number): Promise<number> {
  const correlationId = crypto.randomUUID();
  let timer: NodeJS.Timeout | undefined;
  const answered = new Promise<number>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error("There was no answer in time")), callTimeout);
    waiting.set(correlationId, ({ type }, body) => {
      if (type === "result") resolve(Number(decodeText(body)));
      else reject(new Error(decodeText(body)));
    });
  });
  const published = client.basicPublish({
    exchange: "",
    routingKey: queue,
    mandatory: true, // no server at all is an error at once
    properties: { correlationId, replyTo: "amq.rabbitmq.reply-to", expiration: String(callTimeout) },
    body: encodeText(String(argument)),
  });
  return Promise.all([answered, published])
    .then(([result]) => result)
    .finally(() => {
      clearTimeout(timer);
      waiting.delete(correlationId);
    });
}

const results = await Promise.all([10, 20, 30].map(call));
const refusal = await call(-1).catch((error: unknown) => (error as Error).message);
await server.close();
await connection.close();
console.log(`${results.join(", ")}; refused: ${refusal}`);
