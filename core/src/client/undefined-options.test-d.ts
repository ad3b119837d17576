/** An option that is `undefined` is as good as none: what passes options on needs no spread, whatever its compiler checks. */

import type { Channel } from "./channel.ts";
import type { TypedPublisher } from "./codecs/typed-publisher.ts";
import type { Connection } from "./connection.ts";
import type { Consumer } from "./consumer.ts";
import type { Delivery } from "./delivery.ts";
import type { KeptConsumer } from "./kept-consumer.ts";
import type { Publisher } from "./publisher.ts";
import type { RetryingConsumer } from "./retries/retrying-consumer.ts";
import type { RpcClient } from "./rpc/rpc-client.ts";
import type { RpcServer } from "./rpc/rpc-server.ts";

type Drains = Consumer | KeptConsumer | RetryingConsumer | RpcClient | RpcServer;

export async function passesOn(
  connection: Connection,
  channel: Channel,
  delivery: Delivery,
  drains: Drains,
  publisher: Publisher | TypedPublisher<unknown>,
): Promise<void> {
  delivery.ack({ multiple: undefined });
  delivery.nack({ multiple: undefined, requeue: undefined });
  delivery.reject({ requeue: undefined });
  await channel.basicRecover({ requeue: undefined, signal: undefined });
  await channel.basicRecoverAsync({ requeue: undefined });
  await channel.close({ replyCode: undefined, replyText: undefined });
  await channel.queueDeclare({ queue: undefined, durable: undefined, exclusive: undefined, arguments: undefined });
  await channel.basicConsume({ queue: "", prefetch: undefined, noAck: undefined, consumerTag: undefined });
  await connection.openChannel({ signal: undefined });
  await connection.openPublisher({ exchange: undefined, maxUnconfirmed: undefined, persistent: undefined });
  await connection.close({ replyCode: undefined, replyText: undefined });
  await drains.close({ drain: undefined });
  await publisher.close({ timeout: undefined });
}
