/** The server for those who run the relay: is it alive, is it ready, what does it count. Not for the public. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostAndPort } from "./config/values.ts";
import { answer, listen, makeServer, type Server, stopListening } from "./http.ts";
import { errorName, type RelayLog } from "./log.ts";
import type { RelayMetrics } from "./metrics.ts";

export interface AdminSources {
  readonly log: RelayLog;
  readonly metrics: RelayMetrics;
  /** False while draining, and when no broker can be reached. */
  ready(): Promise<boolean>;
}

export class AdminServer {
  readonly #server: Server;
  readonly #sources: AdminSources;

  constructor(sources: AdminSources) {
    this.#sources = sources;
    this.#server = makeServer(undefined);
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  listen(address: HostAndPort): Promise<HostAndPort> {
    const { log } = this.#sources;
    return listen(this.#server, address, (error) => log.error({ error: errorName(error) }, "the admin server failed"));
  }

  close(): Promise<void> {
    return stopListening(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, "GET only");
    switch (request.url?.split("?", 1)[0]) {
      case "/livez":
        return answer(response, 200, "alive");
      case "/readyz":
        return (await this.#sources.ready()) ? answer(response, 200, "ready") : answer(response, 503, "not ready");
      case "/metrics": {
        const text = await this.#sources.metrics.text();
        response.writeHead(200, { "Content-Type": this.#sources.metrics.contentType });
        response.end(text);
        return;
      }
      default:
        answer(response, 404, "there are /livez, /readyz and /metrics");
    }
  }
}
