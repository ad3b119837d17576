/** Remote calls: a server that answers from a queue, and a client with many calls under way. */

import { type Codec, connect, decodeText, encodeText, openRpcClient, openRpcServer, RpcError } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ exclusive: true });

/** Both sides speak of numbers; what travels is text. */
const numbers: Codec<number> = {
  contentType: "text/plain",
  encode: (value) => encodeText(String(value)),
  decode: (body) => Number(decodeText(body)),
};
const codecs = { requestCodec: numbers, replyCodec: numbers };

// The server. What the handler returns is the reply; an RpcError reaches the caller.
const server = await openRpcServer(connection, { queue, ...codecs }, (n) => {
  if (!Number.isInteger(n) || n < 0 || n > 70)
    throw new RpcError("OUT_OF_RANGE", "a whole number from 0 to 70, please");
  let [previous, current] = [0, 1];
  for (let i = 0; i < n; i += 1) [previous, current] = [current, previous + current];
  return previous;
});

// The client. Its calls share a channel, and replies come straight to it (direct reply-to).
const client = await openRpcClient(connection, { routingKey: queue, timeout: 10_000, ...codecs });
const replies = await Promise.all([10, 20, 30].map((n) => client.call(n)));
const refusal = await client.call(-1).catch((error: unknown) => error);

await client.close();
await server.close();
await connection.close();
console.log(replies.map(({ value }) => value).join(", "));
if (refusal instanceof RpcError) console.log(`refused: ${refusal.remoteCode}: ${refusal.message}`);
