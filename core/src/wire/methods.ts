/**
 * Every method of AMQP 0-9-1 with RabbitMQ's extensions, one line each: the only place where the protocol's methods are
 * written down. Types are derived from this table and the codec interprets it.
 *
 * - `id`: class id in the upper 16 bits, method id in the lower 16.
 * - `from`: which peer may send it.
 * - `replies`: the methods that answer it; a method with replies is synchronous.
 * - `content`: a content header and body frames follow.
 * - `fields`: in wire order. Fields that the specification reserves keep their place here, and appear in no type.
 *
 * Names are those of the specification (amqp0-9-1.xml and RabbitMQ's extended JSON), fields in camelCase.
 */
// biome-ignore format: one line a method is what makes this table readable
export const methods = {
  "connection.start": { id: 0x000a_000a, from: "server", replies: ["connection.start-ok"], fields: { versionMajor: "octet", versionMinor: "octet", serverProperties: "table", mechanisms: "longstr", locales: "longstr" } },
  "connection.start-ok": { id: 0x000a_000b, from: "client", fields: { clientProperties: "table", mechanism: "shortstr", response: "longstr", locale: "shortstr" } },
  "connection.secure": { id: 0x000a_0014, from: "server", replies: ["connection.secure-ok"], fields: { challenge: "longstr" } },
  "connection.secure-ok": { id: 0x000a_0015, from: "client", fields: { response: "longstr" } },
  "connection.tune": { id: 0x000a_001e, from: "server", replies: ["connection.tune-ok"], fields: { channelMax: "short", frameMax: "long", heartbeat: "short" } },
  "connection.tune-ok": { id: 0x000a_001f, from: "client", fields: { channelMax: "short", frameMax: "long", heartbeat: "short" } },
  "connection.open": { id: 0x000a_0028, from: "client", replies: ["connection.open-ok"], fields: { virtualHost: "shortstr", capabilities: "reserved-shortstr", insist: "reserved-bit" } },
  "connection.open-ok": { id: 0x000a_0029, from: "server", fields: { knownHosts: "reserved-shortstr" } },
  "connection.close": { id: 0x000a_0032, from: "both", replies: ["connection.close-ok"], fields: { replyCode: "short", replyText: "shortstr", classId: "short", methodId: "short" } },
  "connection.close-ok": { id: 0x000a_0033, from: "both", fields: {} },
  "connection.blocked": { id: 0x000a_003c, from: "server", fields: { reason: "shortstr" } },
  "connection.unblocked": { id: 0x000a_003d, from: "server", fields: {} },
  "connection.update-secret": { id: 0x000a_0046, from: "client", replies: ["connection.update-secret-ok"], fields: { newSecret: "longstr", reason: "shortstr" } },
  "connection.update-secret-ok": { id: 0x000a_0047, from: "server", fields: {} },

  "channel.open": { id: 0x0014_000a, from: "client", replies: ["channel.open-ok"], fields: { outOfBand: "reserved-shortstr" } },
  "channel.open-ok": { id: 0x0014_000b, from: "server", fields: { channelId: "reserved-longstr" } },
  "channel.flow": { id: 0x0014_0014, from: "both", replies: ["channel.flow-ok"], fields: { active: "bit" } },
  "channel.flow-ok": { id: 0x0014_0015, from: "both", fields: { active: "bit" } },
  "channel.close": { id: 0x0014_0028, from: "both", replies: ["channel.close-ok"], fields: { replyCode: "short", replyText: "shortstr", classId: "short", methodId: "short" } },
  "channel.close-ok": { id: 0x0014_0029, from: "both", fields: {} },

  "access.request": { id: 0x001e_000a, from: "client", replies: ["access.request-ok"], fields: { realm: "shortstr", exclusive: "bit", passive: "bit", active: "bit", write: "bit", read: "bit" } },
  "access.request-ok": { id: 0x001e_000b, from: "server", fields: { ticket: "short" } },

  "exchange.declare": { id: 0x0028_000a, from: "client", replies: ["exchange.declare-ok"], fields: { ticket: "reserved-short", exchange: "shortstr", type: "shortstr", passive: "bit", durable: "bit", autoDelete: "bit", internal: "bit", noWait: "bit", arguments: "table" } },
  "exchange.declare-ok": { id: 0x0028_000b, from: "server", fields: {} },
  "exchange.delete": { id: 0x0028_0014, from: "client", replies: ["exchange.delete-ok"], fields: { ticket: "reserved-short", exchange: "shortstr", ifUnused: "bit", noWait: "bit" } },
  "exchange.delete-ok": { id: 0x0028_0015, from: "server", fields: {} },
  "exchange.bind": { id: 0x0028_001e, from: "client", replies: ["exchange.bind-ok"], fields: { ticket: "reserved-short", destination: "shortstr", source: "shortstr", routingKey: "shortstr", noWait: "bit", arguments: "table" } },
  "exchange.bind-ok": { id: 0x0028_001f, from: "server", fields: {} },
  "exchange.unbind": { id: 0x0028_0028, from: "client", replies: ["exchange.unbind-ok"], fields: { ticket: "reserved-short", destination: "shortstr", source: "shortstr", routingKey: "shortstr", noWait: "bit", arguments: "table" } },
  // 51 and not 41: RabbitMQ's own numbering (amqp-rabbitmq-0.9.1.json).
  "exchange.unbind-ok": { id: 0x0028_0033, from: "server", fields: {} },

  "queue.declare": { id: 0x0032_000a, from: "client", replies: ["queue.declare-ok"], fields: { ticket: "reserved-short", queue: "shortstr", passive: "bit", durable: "bit", exclusive: "bit", autoDelete: "bit", noWait: "bit", arguments: "table" } },
  "queue.declare-ok": { id: 0x0032_000b, from: "server", fields: { queue: "shortstr", messageCount: "long", consumerCount: "long" } },
  "queue.bind": { id: 0x0032_0014, from: "client", replies: ["queue.bind-ok"], fields: { ticket: "reserved-short", queue: "shortstr", exchange: "shortstr", routingKey: "shortstr", noWait: "bit", arguments: "table" } },
  "queue.bind-ok": { id: 0x0032_0015, from: "server", fields: {} },
  "queue.purge": { id: 0x0032_001e, from: "client", replies: ["queue.purge-ok"], fields: { ticket: "reserved-short", queue: "shortstr", noWait: "bit" } },
  "queue.purge-ok": { id: 0x0032_001f, from: "server", fields: { messageCount: "long" } },
  "queue.delete": { id: 0x0032_0028, from: "client", replies: ["queue.delete-ok"], fields: { ticket: "reserved-short", queue: "shortstr", ifUnused: "bit", ifEmpty: "bit", noWait: "bit" } },
  "queue.delete-ok": { id: 0x0032_0029, from: "server", fields: { messageCount: "long" } },
  // The only bind or unbind without a no-wait bit.
  "queue.unbind": { id: 0x0032_0032, from: "client", replies: ["queue.unbind-ok"], fields: { ticket: "reserved-short", queue: "shortstr", exchange: "shortstr", routingKey: "shortstr", arguments: "table" } },
  "queue.unbind-ok": { id: 0x0032_0033, from: "server", fields: {} },

  "basic.qos": { id: 0x003c_000a, from: "client", replies: ["basic.qos-ok"], fields: { prefetchSize: "long", prefetchCount: "short", global: "bit" } },
  "basic.qos-ok": { id: 0x003c_000b, from: "server", fields: {} },
  "basic.consume": { id: 0x003c_0014, from: "client", replies: ["basic.consume-ok"], fields: { ticket: "reserved-short", queue: "shortstr", consumerTag: "shortstr", noLocal: "bit", noAck: "bit", exclusive: "bit", noWait: "bit", arguments: "table" } },
  "basic.consume-ok": { id: 0x003c_0015, from: "server", fields: { consumerTag: "shortstr" } },
  // Sent by the server too: the consumer cancel notification.
  "basic.cancel": { id: 0x003c_001e, from: "both", replies: ["basic.cancel-ok"], fields: { consumerTag: "shortstr", noWait: "bit" } },
  "basic.cancel-ok": { id: 0x003c_001f, from: "both", fields: { consumerTag: "shortstr" } },
  "basic.publish": { id: 0x003c_0028, from: "client", content: true, fields: { ticket: "reserved-short", exchange: "shortstr", routingKey: "shortstr", mandatory: "bit", immediate: "bit" } },
  "basic.return": { id: 0x003c_0032, from: "server", content: true, fields: { replyCode: "short", replyText: "shortstr", exchange: "shortstr", routingKey: "shortstr" } },
  "basic.deliver": { id: 0x003c_003c, from: "server", content: true, fields: { consumerTag: "shortstr", deliveryTag: "longlong", redelivered: "bit", exchange: "shortstr", routingKey: "shortstr" } },
  "basic.get": { id: 0x003c_0046, from: "client", replies: ["basic.get-ok", "basic.get-empty"], fields: { ticket: "reserved-short", queue: "shortstr", noAck: "bit" } },
  "basic.get-ok": { id: 0x003c_0047, from: "server", content: true, fields: { deliveryTag: "longlong", redelivered: "bit", exchange: "shortstr", routingKey: "shortstr", messageCount: "long" } },
  "basic.get-empty": { id: 0x003c_0048, from: "server", fields: { clusterId: "reserved-shortstr" } },
  // From the client a settlement of a delivery, from the server one of a publish (confirm mode).
  "basic.ack": { id: 0x003c_0050, from: "both", fields: { deliveryTag: "longlong", multiple: "bit" } },
  "basic.reject": { id: 0x003c_005a, from: "client", fields: { deliveryTag: "longlong", requeue: "bit" } },
  "basic.recover-async": { id: 0x003c_0064, from: "client", fields: { requeue: "bit" } },
  "basic.recover": { id: 0x003c_006e, from: "client", replies: ["basic.recover-ok"], fields: { requeue: "bit" } },
  "basic.recover-ok": { id: 0x003c_006f, from: "server", fields: {} },
  "basic.nack": { id: 0x003c_0078, from: "both", fields: { deliveryTag: "longlong", multiple: "bit", requeue: "bit" } },

  "confirm.select": { id: 0x0055_000a, from: "client", replies: ["confirm.select-ok"], fields: { noWait: "bit" } },
  "confirm.select-ok": { id: 0x0055_000b, from: "server", fields: {} },

  "tx.select": { id: 0x005a_000a, from: "client", replies: ["tx.select-ok"], fields: {} },
  "tx.select-ok": { id: 0x005a_000b, from: "server", fields: {} },
  "tx.commit": { id: 0x005a_0014, from: "client", replies: ["tx.commit-ok"], fields: {} },
  "tx.commit-ok": { id: 0x005a_0015, from: "server", fields: {} },
  "tx.rollback": { id: 0x005a_001e, from: "client", replies: ["tx.rollback-ok"], fields: {} },
  "tx.rollback-ok": { id: 0x005a_001f, from: "server", fields: {} },
} as const;
