/**
 * The engine without the client: a loop of our own, a socket of our own, and no promise anywhere.
 *
 *     node --conditions=@leveret/source docs/examples/embedding.ts [host] [port]
 *
 * It publishes ten messages with confirms to a queue of its own, consumes and acknowledges them, and closes.
 */

import { connect } from "node:net";
import { type ChannelEngine, ConnectionEngine, type ConnectionEvent, plain } from "@leveret/core";

const messages = 10;
const [host = "127.0.0.1", port = "5672"] = process.argv.slice(2);

const engine = new ConnectionEngine({ mechanisms: [plain("guest", "guest")] }, performance.now());
const socket = connect(Number(port), host).setNoDelay(true);
let timer: NodeJS.Timeout | undefined;

// Inputs: bytes, the end of the transport, and time. After each, the engine is asked what follows.
socket.on("data", (chunk) => {
  engine.receive(chunk, performance.now());
  turn();
});
socket.on("error", (error) => {
  engine.transportClosed(performance.now(), error);
  turn();
});
socket.on("close", () => {
  engine.transportClosed(performance.now());
  turn();
});
turn();

/** Handles every event, sends what there is to send, and asks to be woken at the deadline. */
function turn(): void {
  for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) handle(event);
  for (const segment of engine.takeOutput()) socket.write(segment);
  if (engine.state === "closed") socket.end();
  clearTimeout(timer);
  const deadline = engine.nextDeadline();
  if (deadline !== undefined) timer = setTimeout(wake, Math.max(0, deadline - performance.now()));
}

function wake(): void {
  engine.advance(performance.now());
  turn();
}

// What the program does, as a table of events: each step is taken when the step before it was answered.
let channel: ChannelEngine;
let queue = "";
let confirmed = 0;
let consumed = 0;

function handle(event: ConnectionEvent): void {
  switch (event.type) {
    case "open":
      channel = engine.openChannel();
      break;
    case "channel-open":
      channel.request("confirm.select", {});
      channel.request("queue.declare", { queue: "", exclusive: true });
      break;
    case "reply":
      if (event.reply.name === "queue.declare-ok") {
        queue = event.reply.fields.queue;
        channel.request("basic.consume", { queue, consumerTag: "embedded" });
      } else if (event.reply.name === "basic.consume-ok") {
        publishAll();
      }
      break;
    case "settled":
      confirmed += event.last - event.first + 1;
      closeWhenDone();
      break;
    case "basic.deliver":
      consumed += 1;
      channel.ack(event.deliveryTag, false);
      closeWhenDone();
      break;
    case "channel-closed":
      // Without a connection that was asked to close, something went wrong with the channel.
      if (engine.state === "open") engine.close();
      if (event.error?.code !== "CONNECTION_CLOSED") fail(event.error);
      break;
    case "closed":
      fail(event.error);
      console.log(`${confirmed} confirmed, ${consumed} consumed and acknowledged`);
      break;
  }
}

function fail(error: Error | undefined): void {
  if (error === undefined) return;
  console.error(error.message);
  process.exitCode = 1;
}

function publishAll(): void {
  for (let number = 1; number <= messages; number += 1) {
    const body = new TextEncoder().encode(`message ${number}`);
    channel.publish({ exchange: "", routingKey: queue, body });
  }
}

function closeWhenDone(): void {
  if (confirmed === messages && consumed === messages) engine.close();
}
