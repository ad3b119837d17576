import { connect, decodeText, encodeText } from "@leveret/node";

const connection = await connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = await connection.openChannel();
await channel.confirmSelect();

const { queue } = await channel.queueDeclare({ queue: "greetings", durable: true });
await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("Hello, world") });

for await (const delivery of await channel.basicConsume({ queue })) {
  console.log(decodeText(delivery.body));
  delivery.ack();
  break;
}
await connection.close();
