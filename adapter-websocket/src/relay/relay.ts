/** A relay: the servers, the sessions of its clients, and how all of it comes up and goes down. */

import { pathToFileURL } from "node:url";
import type { IncomingMessage } from "node:http";
import { type SecureContextOptions, TLSSocket } from "node:tls";
import type { WebSocket } from "ws";
import { Admission } from "./admission.ts";
import { AdminServer } from "./admin.ts";
import type { Authenticate } from "./authentication.ts";
import { trustedProxies } from "./client-address.ts";
import { type Clock, systemClock } from "./clock.ts";
import { checkSettings, RelayConfigError } from "./config/check.ts";
import type { RelayOptions } from "./config/options.ts";
import type { RelayConfig } from "./config/schema.ts";
import type { HostAndPort } from "./config/values.ts";
import { demoOrigins, loadDemo, type ServePage } from "./demo.ts";
import { Front } from "./front.ts";
import { errorName, jsonLog, type RelayLog, shown } from "./log.ts";
import { RelayMetrics } from "./metrics.ts";
import { checkOrigins } from "./origins.ts";
import { encodeProxyHeader } from "./write-proxy-header.ts";
import { Readiness } from "./readiness.ts";
import { Session } from "./session.ts";
import { readFrontTls, readUpstreamTls } from "./tls-files.ts";
import type { Admitted, UpgradeRules } from "./upgrade.ts";
import type { UpstreamTls } from "./upstream.ts";

/** A relay that runs. */
export interface Relay extends AsyncDisposable {
  /** Where it listens; tells the port where 0 was asked for. */
  readonly address: HostAndPort;
  /** Where it serves /livez, /readyz and /metrics. */
  readonly adminAddress: HostAndPort | undefined;
  /** WebSockets that are open or being opened. */
  readonly connections: number;
  /** Reads certificates and keys again, for new connections. Rejects, and changes nothing, when they cannot be used. */
  reload(): Promise<void>;
  /**
   * Ends in order: is not ready any more, lets nobody in, waits `drainTimeout` for connections to end, closes those
   * that are left, and stops.
   */
  drain(): Promise<void>;
  /** Ends like `drain`, without waiting for clients that do not go by themselves. */
  close(): Promise<void>;
}

/**
 * Starts a relay. It lets in only whom the options name.
 *
 * @throws RelayConfigError when the options, or the files that they name, cannot be used; says everything that is wrong.
 * Rejects with the runtime's error when it cannot listen where it was told to.
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { authenticate, log, clock = systemClock, ...settings } = options;
  const config = checkSettings(settings);
  const relay = new RunningRelay(config, {
    clock,
    log: log ?? jsonLog(config.logLevel),
    authenticate: authenticate ?? (await loadHook(config.authModule)),
    frontTls: await readFrontTls(config),
    upstreamTls: await readUpstreamTls(config),
    serve: config.demo ? await loadDemo() : undefined,
  });
  await relay.listen();
  return relay;
}

interface Parts {
  readonly clock: Clock;
  readonly log: RelayLog;
  readonly authenticate: Authenticate | undefined;
  readonly frontTls: SecureContextOptions | undefined;
  readonly upstreamTls: UpstreamTls;
  readonly serve: ServePage | undefined;
}

class RunningRelay implements Relay {
  readonly #config: RelayConfig;
  readonly #clock: Clock;
  readonly #log: RelayLog;
  readonly #metrics: RelayMetrics;
  readonly #admission: Admission;
  readonly #front: Front;
  readonly #admin: AdminServer | undefined;
  #rules: UpgradeRules;
  #upstreamTls: UpstreamTls;
  #address: HostAndPort;
  #adminAddress: HostAndPort | undefined;

  readonly #sessions = new Set<Session>();
  #sessionsGone: (() => void) | undefined;
  readonly #hurry = new AbortController();
  #end: Promise<void> | undefined;

  constructor(config: RelayConfig, parts: Parts) {
    this.#config = config;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#upstreamTls = parts.upstreamTls;
    this.#address = config.listen;
    this.#admission = new Admission(config, parts.clock);
    this.#metrics = new RelayMetrics(() => this.#admission.total);
    this.#rules = {
      upstreams: config.upstream,
      allowedHosts: new Set(config.allowedHost.map((name) => name.toLowerCase())),
      allowsOrigin: checkOrigins(config.origin, config.allowNoOrigin),
      trustedProxies: trustedProxies(config.trustedProxy),
      forwardedHeader: config.forwardedHeader,
      authenticate: parts.authenticate,
      maxLifetime: config.maxLifetime,
    };
    this.#front = new Front(
      { ...config, tls: parts.frontTls },
      {
        clock: parts.clock,
        log: parts.log,
        metrics: this.#metrics,
        admission: this.#admission,
        rules: () => this.#rules,
        serve: parts.serve,
        isDraining: () => this.#end !== undefined,
        entered: (client, admitted, request, id) => this.#entered(client, admitted, request, id),
      },
    );
    const readiness = new Readiness({
      upstreams: config.upstream.values(),
      upstreamTls: () => this.#upstreamTls,
      proxyProtocol: config.proxyProtocol,
      timeout: config.upstreamTimeout,
      clock: parts.clock,
    });
    const ready = async (): Promise<boolean> => this.#end === undefined && (await readiness.check());
    if (config.admin !== undefined) this.#admin = new AdminServer({ log: parts.log, metrics: this.#metrics, ready });
  }

  get address(): HostAndPort {
    return this.#address;
  }

  get adminAddress(): HostAndPort | undefined {
    return this.#adminAddress;
  }

  get connections(): number {
    return this.#admission.total;
  }

  async listen(): Promise<void> {
    // The public door opens last.
    if (this.#config.admin !== undefined) this.#adminAddress = await this.#admin?.listen(this.#config.admin);
    try {
      this.#address = await this.#front.listen(this.#config.listen);
    } catch (error) {
      await this.#admin?.close();
      throw error;
    }
    if (this.#config.demo) this.#letInDemo();
    this.#log.info({ ...this.#address, tls: this.#config.tlsCert !== undefined }, "relay listening");
  }

  /** Only now is the port known, which is part of the page's origin. */
  #letInDemo(): void {
    const { origin, allowNoOrigin, tlsCert } = this.#config;
    const origins = [...origin, ...demoOrigins(this.#address, tlsCert !== undefined)];
    this.#rules = { ...this.#rules, allowsOrigin: checkOrigins(origins, allowNoOrigin) };
  }

  async reload(): Promise<void> {
    const [front, upstream] = await Promise.all([readFrontTls(this.#config), readUpstreamTls(this.#config)]);
    if (front !== undefined) this.#front.setTls(front);
    this.#upstreamTls = upstream;
    this.#log.info({}, "certificates read again");
  }

  drain(): Promise<void> {
    this.#end ??= this.#wind(this.#config.drainTimeout);
    return this.#end;
  }

  close(): Promise<void> {
    this.#hurry.abort();
    return this.drain();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #entered(client: WebSocket, admitted: Admitted, request: IncomingMessage, id: string): void {
    const { upstream, place, lifetime } = admitted;
    const facts = {
      id,
      client: admitted.client.address,
      route: admitted.route,
      upstream: upstream.name,
      origin: shown(admitted.origin),
      identity: admitted.identity,
    };
    const preamble = this.#config.proxyProtocol ? proxyHeader(request, admitted, id) : undefined;
    const services = {
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      limits: this.#config,
      upstreamTls: () => this.#upstreamTls,
    };
    const session = new Session(client, { facts, upstream, preamble, lifetime }, services, () => {
      place.leave();
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#sessionsGone?.();
    });
    this.#sessions.add(session);
    this.#log.info(facts, "connection opened");
  }

  async #wind(patience: number): Promise<void> {
    this.#log.info({ connections: this.#sessions.size }, "relay draining");
    this.#front.drain();
    if (patience > 0) await this.#untilGone(patience, this.#hurry.signal);
    const cut = this.#sessions.size;
    for (const session of this.#sessions) session.drain();
    await this.#untilGone(this.#config.closeTimeout, undefined);
    for (const session of this.#sessions) session.destroy();
    await Promise.all([this.#front.close(), this.#admin?.close()]);
    this.#log.info({ cut }, "relay stopped");
  }

  /** Until no session is left, or the time is over, or there is a reason to hurry. */
  #untilGone(patience: number, hurry: AbortSignal | undefined): Promise<void> {
    if (this.#sessions.size === 0 || hurry?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#sessionsGone = undefined;
        hurry?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#clock.setTimer(patience, done);
      this.#sessionsGone = done;
      hurry?.addEventListener("abort", done);
    });
  }
}

function proxyHeader(request: IncomingMessage, { client }: Admitted, uniqueId: string): Uint8Array {
  const { socket } = request;
  return encodeProxyHeader({
    source: client,
    destination: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    uniqueId,
    ...(socket instanceof TLSSocket
      ? { tls: { version: socket.getProtocol() ?? "", cipher: socket.getCipher().name } }
      : {}),
  });
}

async function loadHook(file: string | undefined): Promise<Authenticate | undefined> {
  if (file === undefined) return undefined;
  let hook: unknown;
  try {
    const module: unknown = await import(pathToFileURL(file).href);
    hook = (module as Readonly<Record<string, unknown>>).authenticate;
  } catch (error) {
    throw new RelayConfigError([`authModule: ${file} cannot be loaded: ${errorName(error)}`]);
  }
  if (typeof hook !== "function") throw new RelayConfigError([`authModule: ${file} has no export authenticate`]);
  return hook as Authenticate;
}
