/** A relay in a program of its own, and a client that reaches the broker through it, as a page would. */

import { connect, decodeText, encodeText } from "@leveret/websocket";
import { startRelay } from "@leveret/websocket/relay";

const broker = new URL(process.env.AMQP_URL ?? "amqp://localhost");
const { username = "guest", password = "guest" } = process.env;
const upstream = `amqp://${broker.hostname}:${broker.port || "5672"}`;

const relay = await startRelay({ upstream, listen: "127.0.0.1:0", allowNoOrigin: true, logLevel: "error" });
process.once("SIGTERM", () => void relay.drain());

const uri = `ws://${relay.address.host}:${relay.address.port}/`;
const connection = await connect({ uri, credentials: { username, password } });

const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
await channel.confirmSelect();
await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("through the relay") });
const message = await channel.basicGet({ queue, noAck: true });

await connection.close();
await relay.close();
console.log(message === undefined ? "nothing arrived" : decodeText(message.body));
