import { Broker } from "@leveret/conformance/broker";
import { memoryIo } from "@leveret/conformance/broker/memory";
import { listenBroker } from "@leveret/conformance/broker/node";
import { connect } from "@leveret/core/client";
import { connect as connectToPort, decodeText, encodeText, nodeIo } from "@leveret/node";

{
  // Without a socket: the client of a test leads straight to the broker.
  const broker = new Broker({ profile: "4.0" });
  const io = memoryIo(broker, nodeIo());
  const connection = await connect(io, { uri: "amqp://localhost", recovery: false });
  const channel = await connection.openChannel();
  const { queue } = await channel.queueDeclare({ queue: "orders", durable: true });
  await channel.confirmSelect();
  await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("one book") });

  // What the broker holds is plain values.
  const [message] = broker.queue("orders")?.messages ?? [];
  console.log(`in the queue: ${decodeText(message?.body ?? new Uint8Array(0))}`);

  // And it makes trouble when it is told to.
  broker.closeConnections("maintenance");
  io.flush();
  const reason = await connection.closed;
  console.log(`closed: ${reason?.replyCode} ${reason?.replyText}`);
  io.close();
}

{
  // On a port: for programs in other processes, and for other clients.
  const broker = new Broker();
  const listening = await listenBroker(broker, { port: 0 });
  const connection = await connectToPort(listening.url);
  console.log(`from outside: ${broker.connectionSnapshots().length} connection`);
  await connection.close();
  await listening.close();
}
