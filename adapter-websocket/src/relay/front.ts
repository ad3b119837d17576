/** The public server: takes HTTP connections, and makes WebSockets of those that may become one. */

import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import { AddressRate } from "./address-rate.ts";
import type { Admission } from "./admission.ts";
import { type ArrivalRefusal, Arrivals, endOf } from "./arrivals.ts";
import { clientOf, isTrusted } from "./client-address.ts";
import type { Clock, Millis } from "./clock.ts";
import type { HostAndPort } from "./config/values.ts";
import type { ServePage } from "./demo.ts";
import { answer, guard, listen, makeServer, refuse, type Server, stopListening } from "./http.ts";
import { errorName, type RelayLog, shown } from "./log.ts";
import type { RelayMetrics } from "./metrics.ts";
import { takeProxyHeader } from "./read-proxy-header.ts";
import type { ProxyEnd } from "./write-proxy-header.ts";
import { type Admitted, checkUpgrade, type RefusalReason, refusalStatus, type UpgradeRules } from "./upgrade.ts";

/**
 * The subprotocol that is agreed to when it is offered. None is registered for AMQP 0-9-1 (`amqp` is 1.0), and a client
 * need not offer any.
 */
export const subprotocol = "amqp091";

/** Connections that are not WebSockets yet, on top of the limit for those that are. */
const maxPending = 1_000;

export interface FrontOptions {
  readonly tls: SecureContextOptions | undefined;
  readonly acceptProxyProtocol: boolean;
  readonly upgradeTimeout: Millis;
  readonly closeTimeout: Millis;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxUpgradesPerMinutePerAddress: number;
  readonly maxMessageSize: number;
}

export interface FrontServices {
  readonly clock: Clock;
  readonly log: RelayLog;
  readonly metrics: RelayMetrics;
  readonly admission: Admission;
  rules(): UpgradeRules;
  isDraining(): boolean;
  /** Pages, where there are any. */
  readonly serve: ServePage | undefined;
  /** A client has come in. */
  entered(client: WebSocket, admitted: Admitted, request: IncomingMessage, id: string): void;
}

/** Bytes of a message for each piece that it may come in. */
const leastPiece = 256;
/** Pieces that any message may come in. */
const fewestPieces = 1_024;

export class Front {
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #services: FrontServices;
  readonly #closeTimeout: Millis;
  readonly #acceptProxyProtocol: boolean;
  /** Who asks, from when it is known. */
  readonly #clients = new WeakMap<IncomingMessage, ProxyEnd>();
  readonly #rate: AddressRate;
  readonly #arrivals: Arrivals;
  readonly #idPrefix = randomBytes(3).toString("hex");
  #lastId = 0;

  constructor(options: FrontOptions, services: FrontServices) {
    this.#services = services;
    this.#closeTimeout = options.closeTimeout;
    this.#acceptProxyProtocol = options.acceptProxyProtocol;
    this.#rate = new AddressRate(services.clock, options.maxUpgradesPerMinutePerAddress, (client) =>
      services.log.warn({ client }, "connections from this address come too fast"),
    );
    this.#arrivals = new Arrivals(
      {
        maxPerAddress: options.maxConnectionsPerAddress,
        timeout: options.upgradeTimeout,
        isProxy: (address) => isTrusted(address, services.rules().trustedProxies),
      },
      this.#rate,
      services.clock,
    );
    this.#server = makeServer(options.tls);
    if (options.maxConnections > 0) this.#server.maxConnections = options.maxConnections + maxPending;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxMessageSize,
      ...piecesOf(options.maxMessageSize),
      perMessageDeflate: false,
      ...(options.closeTimeout > 0 ? { closeTimeout: options.closeTimeout } : {}),
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#webSockets.on("wsClientError", (_, socket, request) => this.#refuse(request, socket, "not-websocket"));

    this.#server.on("drop", () => services.metrics.dropped("too-many-connections"));
    guard(this.#server, (socket, letIn) => this.#connected(socket, letIn));
    this.#server.on("request", (request, response) => this.#requested(request, response));
    this.#server.on("upgrade", (request, socket, head) => {
      this.#upgrade(request, socket, head).catch((error: unknown) => {
        services.log.error({ error: errorName(error) }, "an upgrade failed");
        socket.destroy();
      });
    });
  }

  listen(address: HostAndPort): Promise<HostAndPort> {
    const { log } = this.#services;
    return listen(this.#server, address, (error) => log.error({ error: errorName(error) }, "the server failed"));
  }

  /** New certificates, for new connections. */
  setTls(tls: SecureContextOptions): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tls);
  }

  /** Those who are being asked about are refused, instead of waited for. */
  drain(): void {
    this.#arrivals.abort();
  }

  close(): Promise<void> {
    const stopped = stopListening(this.#server);
    this.#arrivals.drop();
    return stopped;
  }

  #connected(socket: Socket, letIn: () => void): void {
    const refusal = this.#arrivals.arrived(socket);
    if (refusal !== undefined) return this.#drop(socket, refusal);
    if (!this.#acceptProxyProtocol || !this.#arrivals.isOfProxy(socket)) return letIn();

    const ignore = (): void => {};
    // A check that the relay is there ends without a word.
    const leave = (): void => void socket.destroy();
    socket.on("error", ignore).on("end", leave);
    takeProxyHeader(socket, (header) => {
      if (header === "illegal") {
        const { address: peer } = endOf(socket);
        this.#services.log.warn({ peer }, "a trusted proxy does not speak the PROXY protocol");
        return this.#drop(socket, "no-proxy-header");
      }
      const refusalOfClient = this.#arrivals.named(socket, header.source);
      if (refusalOfClient !== undefined) return this.#drop(socket, refusalOfClient);
      socket.off("error", ignore).off("end", leave);
      letIn();
    });
  }

  /** Not logged: it takes no more than a packet to be here. */
  #drop(socket: Socket, reason: ArrivalRefusal | "no-proxy-header"): void {
    this.#services.metrics.dropped(reason);
    socket.destroy();
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    if (this.#services.serve?.(request, response)) return;
    response.setHeader("Upgrade", "websocket");
    answer(response, 426, "this is for WebSocket");
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // The server has taken its own listener away, and an error without one would end the process.
    socket.on("error", () => {});
    const arrival = this.#arrivals.asking(request.socket);
    if (arrival === undefined) return void socket.destroy();

    const { admission, log } = this.#services;
    const rules = this.#services.rules();
    // Others were counted when they arrived.
    const client = arrival.isOfProxy ? clientOf(request, arrival.peer, rules) : arrival.peer;
    this.#clients.set(request, client);
    const isTooFast = arrival.isOfProxy && !this.#rate.tryTake(client.address);
    const early = this.#services.isDraining() ? "draining" : isTooFast ? "too-fast-of-address" : undefined;
    const admitted = early ?? (await checkUpgrade(request, client, rules, admission, log, arrival.signal));
    // It may have begun while the hook was asked.
    const isDraining = this.#services.isDraining();
    if (typeof admitted === "string") return this.#refuse(request, socket, isDraining ? "draining" : admitted);
    if (isDraining || socket.destroyed) {
      admitted.place.leave();
      if (isDraining) this.#refuse(request, socket, "draining");
      return;
    }

    arrival.upgraded();
    const leave = (): void => admitted.place.leave();
    socket.once("close", leave);
    this.#webSockets.handleUpgrade(request, socket, head, (client) => {
      // The place is now the session's, which may live longer than this socket.
      socket.off("close", leave);
      this.#services.entered(client, admitted, request, this.#nextId());
    });
  }

  #refuse(request: IncomingMessage, socket: Duplex, reason: RefusalReason): void {
    const { log, metrics } = this.#services;
    metrics.refused(reason);
    log.info(
      {
        reason,
        client: this.#clients.get(request)?.address,
        origin: shown(request.headers.origin),
      },
      "upgrade refused",
    );
    if (socket.destroyed) return;
    refuse(socket, refusalStatus[reason], reason);
    // One who does not take the answer is not waited for.
    const cancel = this.#services.clock.setTimer(this.#closeTimeout, () => socket.destroy());
    socket.once("close", cancel);
  }

  /** Unique also among relays that run side by side. */
  #nextId(): string {
    this.#lastId += 1;
    return `${this.#idPrefix}-${this.#lastId.toString(36)}`;
  }
}

/**
 * In how many frames, and in how many reads, a message may come: one of a byte takes hundreds to keep, until the message
 * is complete. Where its size has no limit, the library's numbers are kept.
 */
function piecesOf(maxMessageSize: number): { readonly maxFragments?: number; readonly maxBufferedChunks?: number } {
  if (maxMessageSize === 0) return {};
  const pieces = Math.max(fewestPieces, Math.ceil(maxMessageSize / leastPiece));
  return { maxFragments: pieces, maxBufferedChunks: pieces };
}
