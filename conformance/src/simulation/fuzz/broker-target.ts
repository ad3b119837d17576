/** The embedded broker, fed with whatever a client might say. */

import { decodeMethod, FrameReader, frameType } from "@leveret/core/wire";
import { Broker, type BrokerConnection } from "../../broker/index.ts";
import { concat } from "../../broker/codec/octets.ts";
import { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import { chunksOf, hashOf } from "./frames.ts";
import { clientFrames, clientStream } from "./grammar.ts";
import type { FuzzOutcome, FuzzTarget } from "./target.ts";

const mostWakeUps = 200;

export const brokerTarget: FuzzTarget = {
  name: "broker",
  stream: clientStream,
  frames: clientFrames,
  run(bytes) {
    const random = new Random(hashOf(bytes));
    const broker = new Broker({
      profile: random.pick(["3.10", "4.0", "4.3"] as const),
      confirms: { delay: random.pick([0, 10] as const) },
      limits: { maxMessageSize: 200_000 },
    });
    let now = 0;
    const connection = broker.connect(now);
    const ear = new Ear();
    for (const chunk of chunksOf(bytes, random)) {
      connection.receive(chunk, now);
      chunk.fill(0xa5);
      ear.hear(connection);
      const deadline = broker.nextDeadline();
      if (deadline !== undefined && random.chance(0.05)) {
        now = Math.max(now, deadline);
        broker.advance(now);
        ear.hear(connection);
      }
    }
    look(broker);
    invariant(broker.heldBytes <= 4 * bytes.length, "a broker holds what it was sent", () => `${broker.heldBytes}`);
    connection.transportClosed(now);
    ear.hear(connection);
    let wakeUps = 0;
    for (let next = broker.nextDeadline(); next !== undefined; next = broker.nextDeadline()) {
      wakeUps += 1;
      if (wakeUps > mostWakeUps) break;
      invariant(next > now || wakeUps === 1, "deadlines advance", () => `${next} at ${now}`);
      now = Math.max(now, next);
      broker.advance(now);
    }
    invariant(broker.connections.length === 0, "a broker forgets who left", () => `${broker.connections.length}`);
    look(broker);
    return { signature: [...ear.signature], survivor: broker } satisfies FuzzOutcome;
  },
};

/** Everything that tests may look at can be looked at. */
function look(broker: Broker): void {
  broker.queues();
  broker.exchanges();
  broker.bindings();
  broker.connectionSnapshots();
}

/** Reads what a broker answers. Its frames are well-formed, whatever it was told. */
class Ear {
  readonly signature = new Set<string>();
  readonly #reader = new FrameReader(0);
  #previous = "";
  #isGreeted = false;

  hear(connection: BrokerConnection): void {
    const output = connection.takeOutput();
    if (output.length === 0) return;
    const bytes = concat(output);
    // A client that speaks another protocol is told so with a protocol header.
    if (!this.#isGreeted && bytes[0] !== frameType.method) {
      this.signature.add("protocol header");
      return;
    }
    this.#isGreeted = true;
    this.#reader.append(bytes);
    while (this.#reader.next()) {
      const { type, bytes: frame, start, end } = this.#reader;
      if (type === frameType.method) this.#note(decodeMethod(frame, start, end));
    }
    this.#reader.detach();
  }

  #note({ name, fields }: ReturnType<typeof decodeMethod>): void {
    const text =
      "replyCode" in fields
        ? ` ${fields.replyCode} ${fields.replyText.replaceAll(/\d+|'.*?'/g, "#").slice(0, 50)}`
        : "";
    const word = `${name}${text}`;
    this.signature.add(`${this.#previous}>${word}`);
    this.#previous = word;
  }
}
