/** A script without await: connect, declare, publish with confirms, get, iterate. */

import { connect, decodeText, encodeText, NackError, UnroutableError } from "@leveret/node/blocking";

const connection = connect(process.env.AMQP_URL ?? "amqp://localhost");
const channel = connection.openChannel();
channel.confirmSelect();

const { queue } = channel.queueDeclare({ exclusive: true });
for (const word of ["one", "two", "three", "four", "five"]) {
  channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(word), mandatory: true });
}

try {
  channel.basicPublish({ exchange: "", routingKey: "nowhere", body: encodeText("lost"), mandatory: true });
} catch (error) {
  if (error instanceof UnroutableError) console.log(`unroutable: ${error.replyCode} ${error.replyText}`);
  else if (error instanceof NackError) console.log("refused");
  else throw error;
}

const first = channel.basicGet({ queue });
if (first !== undefined) console.log(`got ${decodeText(first.body)}, ${first.messageCount} left`);
first?.ack();

const words: string[] = [];
for (const delivery of channel.consume({ queue, inactivityTimeout: 5000 })) {
  if (delivery === undefined) break; // nothing came for five seconds
  words.push(decodeText(delivery.body));
  delivery.ack();
  if (words.length === 2) break;
}
console.log(`${words.join(" ")}, ${channel.cancel()} went back`);
connection.close();
