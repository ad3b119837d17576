/** The brokers of one test run: each is started once, ahead of need, and shared by all suites that ask for it. */

import { type RabbitMQNode, startRabbitMQ } from "../rabbitmq/index.ts";

export class Brokers {
  readonly #nodes = new Map<string, Promise<RabbitMQNode>>();
  #last: Promise<unknown> = Promise.resolve();

  /** Begins to start a node of a release; one after the other, since the tests want the processor too. */
  prepare(release: string): void {
    if (this.#nodes.has(release)) return;
    const node = this.#last.then(() => startRabbitMQ({ release }));
    // Whoever asks for the node hears of a failure.
    this.#last = node.catch(() => undefined);
    this.#nodes.set(release, node);
  }

  /** @throws RabbitMQUnavailableError when there is none to be had. */
  get(release: string): Promise<RabbitMQNode> {
    this.prepare(release);
    return this.#nodes.get(release) as Promise<RabbitMQNode>;
  }

  /** Puts a node right that failed tests may have left paused, blocked or dead. */
  async renew(release: string): Promise<void> {
    const node = await this.get(release);
    if (node.folder === undefined) return;
    await node.kill();
    await node.restart();
  }

  /** The brokers that were started, with their releases. */
  async list(): Promise<{ release: string; version: string }[]> {
    const found: { release: string; version: string }[] = [];
    for (const [release, starting] of this.#nodes) {
      const node = await starting.catch(() => undefined);
      if (node !== undefined) found.push({ release, version: node.version });
    }
    return found;
  }

  async stop(): Promise<void> {
    for (const starting of this.#nodes.values()) {
      const node = await starting.catch(() => undefined);
      // Somebody else's broker is not ours to stop.
      if (node?.folder !== undefined) await node.stop();
    }
  }
}
