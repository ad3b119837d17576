/** A page that is connected, and does nothing: what becomes of it in the background is asked by whoever drives it. */

import { type Connection, connect, encodeText } from "@leveret/websocket";

/** What the page offers to whoever drives it. */
export interface BackgroundPage {
  /** Connects, with heartbeats of one second. */
  connect(url: string): Promise<void>;
  /** Starts a timer of 50 ms, which counts. */
  startTicking(): void;
  readonly ticks: number;
  /** How often the connection was lost. */
  readonly lost: number;
  /** How often it came back. */
  readonly recovered: number;
  /** Publishes a message without a queue to go to, and waits for its confirm. */
  publish(): Promise<void>;
}

class Page implements BackgroundPage {
  ticks = 0;
  lost = 0;
  recovered = 0;
  #connection: Connection | undefined;

  async connect(uri: string): Promise<void> {
    this.#connection = await connect({ uri, heartbeat: 1 });
    this.#connection.on("disconnected", () => {
      this.lost += 1;
    });
    this.#connection.on("recovered", () => {
      this.recovered += 1;
    });
  }

  startTicking(): void {
    setInterval(() => {
      this.ticks += 1;
    }, 50);
  }

  async publish(): Promise<void> {
    const publisher = await this.#connection?.openPublisher({ exchange: "amq.fanout" });
    await publisher?.publish(encodeText("still here"));
    await publisher?.close();
  }
}

Object.assign(globalThis, { background: new Page() });
