import { connect, type Connection } from "@leveret/core/client";
import { decodeText, encodeText, nodeIo } from "@leveret/node";
import { PolledLoop } from "./custom-loops/polled-io.ts";

const uri = process.env.AMQP_URL ?? "amqp://localhost";
const frame = 1000 / 60;

const loop = new PolledLoop(nodeIo());
let frames = 0;
let moves = 0;

/** The players' moves come through RabbitMQ, and are handled within the frame that polls. */
async function play(connection: Connection): Promise<void> {
  const channel = await connection.openChannel();
  const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
  await channel.basicConsume({ queue, noAck: true }, ({ body }) => {
    if (decodeText(body) === "jump") moves += 1;
  });
  for (let count = 0; count < 100; count += 1) {
    await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("jump") });
  }
}

let over = false;
const game = setInterval(() => {
  frames += 1;
  loop.poll();
  if (over) clearInterval(game);
}, frame);

const connection = await connect(loop.io, uri);
await play(connection);
while (moves < 100) await new Promise<void>((resolve) => loop.io.post(resolve));
await connection.close();
over = true;
console.log(`${moves} moves, ${frames > 5 ? "frame by frame" : "all at once"}`);
