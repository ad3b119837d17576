/** A list of servers, tried in order. Nothing listens at the first one. */

import { ConnectError, connect } from "@leveret/node";

const nobody = "amqp://127.0.0.1:1";
const somebody = process.env.AMQP_URL ?? "amqp://localhost";

const connection = await connect({
  endpoints: [nobody, somebody],
  connectTimeout: 3_000, // for each of them
  connectionAttempts: 5, // how often to go through the list
  retryDelay: 1_000, // between two rounds
});
console.log(`connected to ${String(connection.serverProperties["product"])}, at the second of two places`);
await connection.close();

// When no server can be reached, the error has every attempt.
try {
  await connect({ endpoints: [nobody] });
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  for (const { endpoint, phase, code } of error.errors) console.log(`${endpoint}: ${code} (${phase})`);
}
