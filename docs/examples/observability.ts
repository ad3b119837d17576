/** Follows messages and a connection from outside: a log, OpenTelemetry, hooks of one's own, counters, and every frame. */

import { otel } from "@leveret/core/otel";
import { connect, decodeText, encodeText, errorFacts, type Hooks, instrument, type Logger, logTo } from "@leveret/node";

const uri = process.env.AMQP_URL ?? "amqp://localhost";

// Anything with debug, info, warn and error is a logger: `console`, pino, or as here something that keeps lines.
const lines: string[] = [];
const write = (_fields: object, message: string): void => void lines.push(message);
const logger: Logger = { debug: write, info: write, warn: write, error: write };

const failed: unknown[] = [];
const hooks: Hooks = {
  publish({ headers }) {
    headers["tenant"] = "hares"; // goes with every message
    return (error) => error !== undefined && failed.push(error);
  },
  settle({ action, queue }) {
    lines.push(`${action} of ${queue}`);
  },
};

const connection = await connect({
  uri,
  connectionName: "observability example",
  instrumentation: instrument(logTo(logger), otel(), hooks),
});
connection.on("state", ({ before, state }) => lines.push(`${before} to ${state}`));

const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ queue: "", exclusive: true, noWait: false });
const publisher = await connection.openPublisher({ routingKey: queue });
const received = new Promise<string>((resolve) => {
  void channel.basicConsume({ queue }, ({ body, properties }) => {
    resolve(`${decodeText(body, 0, body.length)}, for ${String(properties.headers?.["tenant"])}`);
  });
});
await publisher.publish(encodeText("news"));
console.log(await received);

const error: unknown = await channel
  .queueDeclare({ queue: "nobody.made.this", passive: true })
  .catch((reason: unknown) => reason);
const { kind, code, replyCode, method, retryable } = errorFacts(error);
console.log(`${kind}: ${code} ${replyCode} at ${method}, ${retryable ? "may pass" : "will not pass"}`);

const { messagesPublished, messagesReceived } = connection.totals;
const { publishes, requests } = connection.inFlight;
console.log(
  `${messagesPublished} out, ${messagesReceived} in, ${publishes + requests} under way, ${failed.length} failed`,
);
await connection.close();
console.log(lines.map((line) => line.replace(queue, "the queue")).join(", "));

const frames: string[] = [];
const tapped = await connect({
  uri,
  tap: ({ direction, method }) => method !== undefined && frames.push(`${direction} ${method}`),
});
await tapped.close();
console.log(`${frames.length} methods, the last: ${frames.at(-1)}`);
