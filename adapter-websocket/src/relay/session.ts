/**
 * One connection of a client, from its WebSocket to the end: wait for the protocol header, reach the upstream, carry
 * bytes, and end both sides. Whatever ends it first is the reason that is counted and logged.
 */

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { AmqpHeaderGate } from "./amqp-header.ts";
import { Bridge, type Direction } from "./bridge.ts";
import { type Clock, type Millis, QuietTimer, startTimeout } from "./clock.ts";
import { type EndReason, ends, isOrderly } from "./end-reasons.ts";
import { Liveness, type LivenessTimeouts } from "./liveness.ts";
import { errorName, type LogFields, type RelayLog } from "./log.ts";
import type { RelayMetrics } from "./metrics.ts";
import { dial, type Upstream, type UpstreamTls } from "./upstream.ts";

/** Durations and rates of a session; 0 turns one off. */
export interface SessionLimits extends LivenessTimeouts {
  readonly headerTimeout: Millis;
  readonly upstreamTimeout: Millis;
  readonly idleTimeout: Millis;
  readonly closeTimeout: Millis;
  /** What a client may send. */
  readonly maxBytesPerSecond: number;
}

/** What all sessions share. */
export interface SessionServices {
  readonly clock: Clock;
  readonly log: RelayLog;
  readonly metrics: RelayMetrics;
  readonly limits: SessionLimits;
  /** May change while a session lives; counts for the next that connects. */
  readonly upstreamTls: () => UpstreamTls;
}

/** What was found out about a client before it got here. */
export interface SessionOptions {
  /** For logs. */
  readonly facts: LogFields;
  readonly upstream: Upstream;
  /** Goes to the upstream before everything else. */
  readonly preamble: Uint8Array | undefined;
  /** How long the session may last, 0 for ever. */
  readonly lifetime: Millis;
}

export class Session {
  readonly #client: WebSocket;
  readonly #options: SessionOptions;
  readonly #services: SessionServices;
  readonly #startedAt: Millis;
  readonly #gate = new AmqpHeaderGate();
  readonly #liveness: Liveness;
  readonly #idle: QuietTimer;
  readonly #cancelLifetime: () => void;
  readonly #over: () => void;
  #cancelHeaderTimeout: () => void;
  readonly #dialing = new AbortController();
  #upstream: Socket | undefined;
  #clientIsOver = false;
  /** Also before there is one. */
  #upstreamIsOver = true;
  #bridge: Bridge | undefined;
  #reason: EndReason | undefined;
  #cancelUpstreamTimeout: (() => void) | undefined;
  readonly #bytes: Record<Direction, number> = { up: 0, down: 0 };

  /** @param over Called once, when both sides are closed. */
  constructor(client: WebSocket, options: SessionOptions, services: SessionServices, over: () => void) {
    const { clock, limits } = services;
    this.#client = client;
    this.#options = options;
    this.#services = services;
    this.#over = over;
    this.#startedAt = clock.now();

    client.on("message", (data, isBinary) => this.#received(data as Buffer, isBinary));
    client.on("ping", () => this.#bridge?.charge(0));
    client.on("error", (error) => this.#end("client-error", errorName(error)));
    client.on("close", (code) => this.#clientClosed(code));

    this.#liveness = new Liveness(client, clock, limits, () => this.#end("client-silent"));
    this.#idle = new QuietTimer(clock, limits.idleTimeout, () => this.#end("idle-timeout"));
    this.#cancelHeaderTimeout = startTimeout(clock, limits.headerTimeout, () => this.#end("header-timeout"));
    this.#cancelLifetime = startTimeout(clock, options.lifetime, () => this.#end("lifetime-over"));
  }

  /** Ends the session because the relay ends. */
  drain(): void {
    this.#end("drained");
  }

  /** Ends the session without waiting for anyone. */
  destroy(): void {
    this.#end("drained");
    this.#dialing.abort();
    this.#client.terminate();
    this.#upstream?.destroy();
  }

  #received(message: Buffer, isBinary: boolean): void {
    // A client that was told to go may still be sending.
    if (this.#reason !== undefined) return;
    this.#liveness.heard();
    if (!isBinary) return this.#end("text-message");
    // Legal, but no byte that would count.
    if (message.length === 0) return this.#bridge?.charge(0);
    this.#idle.touch();
    if (this.#bridge !== undefined) return this.#bridge.up(message);

    const passedBefore = this.#gate.passed;
    if (!this.#gate.take(message)) return this.#end("not-amqp");
    if (this.#gate.passed && !passedBefore) void this.#reachUpstream();
  }

  async #reachUpstream(): Promise<void> {
    const { clock, limits, metrics, upstreamTls } = this.#services;
    const { upstream, preamble } = this.#options;
    this.#cancelHeaderTimeout();
    // What was on its way already goes through the gate, and waits in it: one message and one read at most.
    this.#client.pause();
    this.#upstreamIsOver = false;

    const startedAt = clock.now();
    const cancelTimeout = startTimeout(clock, limits.upstreamTimeout, () => {
      this.#dialing.abort(new DOMException("the upstream did not answer in time", "TimeoutError"));
    });
    try {
      const socket = await dial(upstream, { tls: upstreamTls(), preamble, signal: this.#dialing.signal });
      metrics.dialed(upstream.name, clock.now() - startedAt);
      this.#carry(socket);
    } catch (error) {
      if (this.#reason === undefined) metrics.dialFailed(upstream.name);
      this.#end("upstream-unreachable", errorName(error));
      this.#upstreamIsOver = true;
      this.#overOrNot();
    } finally {
      cancelTimeout();
    }
  }

  #carry(socket: Socket): void {
    const { clock, limits, metrics } = this.#services;
    this.#upstream = socket;
    socket.on("error", (error) => this.#end("upstream-failed", errorName(error)));
    socket.on("end", () => this.#end("upstream-closed"));
    socket.on("close", () => this.#upstreamClosed());

    this.#bridge = new Bridge(this.#client, socket, clock, limits.maxBytesPerSecond, {
      carried: (direction, bytes) => {
        this.#bytes[direction] += bytes;
        metrics.carried(direction, bytes);
      },
      moved: () => this.#idle.touch(),
      stalled: (direction, duration) => metrics.stalled(direction, duration),
    });
    for (const message of this.#gate.release()) this.#bridge.up(message);
    // The client may have said all that it had to say, and left.
    if (this.#reason === undefined) return;
    this.#bridge.stop();
    this.#endUpstream(true);
  }

  #clientClosed(code: number): void {
    this.#end(isOrderly(code) ? "client-closed" : "client-lost", `code ${code}`);
    this.#clientIsOver = true;
    this.#overOrNot();
  }

  #upstreamClosed(): void {
    this.#cancelUpstreamTimeout?.();
    this.#end("upstream-failed");
    this.#upstreamIsOver = true;
    this.#overOrNot();
  }

  #overOrNot(): void {
    if (this.#clientIsOver && this.#upstreamIsOver) this.#over();
  }

  /** The first reason counts. */
  #end(reason: EndReason, detail?: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#stopClocks();
    this.#bridge?.stop();
    this.#log(reason, detail);
    this.#services.metrics.ended(reason, this.#services.clock.now() - this.#startedAt);

    const { code, text, flush } = ends[reason];
    if (!flush) this.#dialing.abort();
    this.#endUpstream(flush);
    if (code !== 0) this.#client.close(code, text);
    else if (reason === "client-silent") this.#client.terminate();
    // Its answer has to be read.
    this.#client.resume();
  }

  #endUpstream(flush: boolean): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    // Nothing that it still says can be passed on.
    upstream.resume();
    if (!flush) {
      upstream.destroy();
      return;
    }
    upstream.end();
    const { clock, limits } = this.#services;
    this.#cancelUpstreamTimeout = startTimeout(clock, limits.closeTimeout, () => upstream.destroy());
  }

  #stopClocks(): void {
    this.#cancelHeaderTimeout();
    this.#cancelLifetime();
    this.#liveness.stop();
    this.#idle.stop();
  }

  #log(reason: EndReason, detail: string | undefined): void {
    const { log, clock } = this.#services;
    const facts = {
      ...this.#options.facts,
      reason,
      detail,
      bytesUp: this.#bytes.up,
      bytesDown: this.#bytes.down,
      milliseconds: Math.round(clock.now() - this.#startedAt),
    };
    if (reason === "upstream-unreachable" || reason === "upstream-failed") log.warn(facts, "connection closed");
    else log.info(facts, "connection closed");
  }
}
