/** Tells failures apart: what to try again, and what to give up. */

import { connect, encodeText, errorFacts, failureKind } from "@leveret/node";

const uri = process.env.AMQP_URL ?? "amqp://localhost";

/** Works until it is done, or cannot be done. */
async function persist(work: (attempt: number) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      switch (failureKind(error)) {
        case "connection": // lost, or not there yet: try again, a little later each time
          if (attempt === 5) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100 * attempt));
          break;
        case "closed-by-server": // it asked us to leave: somebody should look at why
        case "channel": // it refused what we asked for: trying again does not mend it
        default:
          throw error;
      }
    }
  }
}

await persist(async (attempt) => {
  // Nobody listens on port 1.
  const connection = await connect(attempt === 1 ? "amqp://127.0.0.1:1" : uri);
  console.log(`connected at attempt ${attempt}`);
  const publisher = await connection.openPublisher({ routingKey: "nobody.made.this", mandatory: true });
  await publisher.publish(encodeText("lost")).catch((error: unknown) => {
    const { kind, code, outcome } = errorFacts(error);
    console.log(`${kind}: ${code}, ${outcome}`);
  });
  await connection.close();
});
