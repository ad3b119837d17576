/** The channels of one connection, by number. They keep their numbers while they are lost, and nobody else gets them. */

import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { ConnectionEngine } from "../engine/connection-engine.ts";
import { UsageError } from "../wire/errors.ts";
import type { ChannelCore } from "./channel-core.ts";

/** Of any connection. */
const highestChannel = 65_535;

export class ChannelRegistry {
  readonly #channels: (ChannelCore | undefined)[] = [];
  /** Channels of recovery's own, which may have the number of one that is lost. */
  readonly #private: (ChannelCore | undefined)[] = [];
  /** Whether a channel was lost, and may be lost still: looking at all of them for each new one would cost too much. */
  #mayBeLost = false;

  /** The application's channels that are not closed, by number. */
  get all(): ChannelCore[] {
    return this.#channels.filter((core) => core !== undefined);
  }

  /** Those of recovery's own. */
  get private(): ChannelCore[] {
    return this.#private.filter((core) => core !== undefined);
  }

  /** Whose events those of a number are: a channel that is lost gets none. */
  find(number: number): ChannelCore | undefined {
    return this.#private[number] ?? this.#channels[number];
  }

  add(core: ChannelCore): void {
    this.#channels[core.number] = core;
  }

  addPrivate(core: ChannelCore): void {
    this.#private[core.number] = core;
  }

  remove(core: ChannelCore): void {
    if (this.#channels[core.number] === core) this.#channels[core.number] = undefined;
    if (this.#private[core.number] === core) this.#private[core.number] = undefined;
  }

  /** A channel was lost, and comes back. */
  lost(): void {
    this.#mayBeLost = true;
  }

  /**
   * Opens the channel of a number. Also that of a channel which is about to be reopened is in use.
   *
   * @throws UsageError INVALID_ARGUMENT when it is in use, or none that a channel can have.
   */
  openNumber(engine: ConnectionEngine, number: number): ChannelEngine {
    if (this.find(number) !== undefined) {
      throw new UsageError("INVALID_ARGUMENT", `Channel ${number} is in use`);
    }
    return engine.openChannel(number);
  }

  /**
   * Opens a channel with the lowest number that is free, and not that of a channel which is about to be reopened.
   *
   * @throws UsageError LIMIT_REACHED when there is none.
   */
  openNext(engine: ConnectionEngine): ChannelEngine {
    this.#mayBeLost &&= this.#channels.some((core) => core?.live === false);
    if (!this.#mayBeLost) return engine.openChannel();
    const highest = engine.channelMax || highestChannel;
    for (let number = 1; number <= highest; number += 1) {
      if (this.find(number) !== undefined) continue;
      try {
        return engine.openChannel(number);
      } catch (error) {
        // The server has not agreed yet that it is closed.
        if (!(error instanceof UsageError) || error.code !== "INVALID_ARGUMENT") throw error;
      }
    }
    throw new UsageError("LIMIT_REACHED", `All ${highest} channels of the connection are in use (channelMax)`);
  }
}
