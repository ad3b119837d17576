/** The broker's side of a simulated world: what a driver would do for it, on virtual time. */

import type { Broker, BrokerConnection } from "../../broker/index.ts";
import type { Pipe } from "../pipe.ts";
import type { Millis, World } from "../world.ts";

/** Moves what the broker wants moved. */
export class BrokerSide {
  readonly broker: Broker;
  readonly #world: World;
  readonly #down = new Map<BrokerConnection, Pipe>();
  #wakeAt: Millis = Infinity;
  #cancelWake: (() => void) | undefined;

  constructor(broker: Broker, world: World) {
    this.broker = broker;
    this.#world = world;
  }

  /** A connection's output goes into this pipe from now on. */
  attach(connection: BrokerConnection, down: Pipe): void {
    this.#down.set(connection, down);
  }

  /** To be called after anything that happened to the broker. */
  pump(): void {
    for (const connection of this.broker.takeWoken()) {
      const down = this.#down.get(connection);
      if (down === undefined) continue;
      down.write(connection.takeOutput());
      if (connection.transport === "drop") this.#over(connection, () => down.cut());
      else if (connection.transport === "end" && !connection.hasOutput) this.#over(connection, () => down.end());
    }
    const deadline = this.broker.nextDeadline();
    if (deadline === undefined || deadline >= this.#wakeAt) return;
    this.#cancelWake?.();
    this.#wakeAt = deadline;
    this.#cancelWake = this.#world.at(deadline, () => {
      this.#wakeAt = Infinity;
      this.broker.advance(this.#world.now);
      this.pump();
    });
  }

  #over(connection: BrokerConnection, close: () => void): void {
    this.#down.delete(connection);
    close();
  }
}
