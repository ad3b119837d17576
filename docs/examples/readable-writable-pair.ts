import { once } from "node:events";
import net from "node:net";
import { connect } from "@leveret/core/client";
import { decodeText, encodeText, nodeIo } from "@leveret/node";
import { pairIo } from "./custom-loops/pair-io.ts";
import { socketPair } from "./custom-loops/socket-pair.ts";

const uri = process.env.AMQP_URL ?? "amqp://localhost";

const io = pairIo(nodeIo(), {
  transports: { tcp: true },
  async open(endpoint, signal) {
    if (endpoint.transport !== "tcp") throw new Error("only tcp was announced");
    // Here could be a proxy's CONNECT, or a stream of QUIC: anything that ends in two streams of bytes.
    const socket = net.connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true });
    signal.addEventListener("abort", () => socket.destroy());
    await once(socket, "connect", { signal });
    return socketPair(socket);
  },
});

const connection = await connect(io, uri);
const channel = await connection.openChannel();
const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
await channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("through a pair of streams") });
const message = await channel.basicGet({ queue, noAck: true });
console.log(decodeText(message?.body ?? new Uint8Array(0)));
await connection.close();
