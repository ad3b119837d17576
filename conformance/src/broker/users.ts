/** Users, their passwords, and what each may do in a virtual host. */

import { describe, Refusal } from "./failures.ts";

/** Regular expressions over the names of queues and exchanges; an empty one permits nothing. */
export interface Permissions {
  /** To declare and delete. Default: everything. */
  readonly configure?: RegExp | undefined;
  /** To publish, and to bind to something. Default: everything. */
  readonly write?: RegExp | undefined;
  /** To consume, get and purge, and to bind from something. Default: everything. */
  readonly read?: RegExp | undefined;
}

/** A user to add to a broker. */
export interface UserOptions {
  readonly password: string;
  /** Permissions by virtual host. A virtual host that is missing is refused. Default: everything everywhere. */
  readonly permissions?: Readonly<Record<string, Permissions>> | undefined;
  /** May publish in the name of others (RabbitMQ's tag `impersonator`). Default false. */
  readonly impersonator?: boolean | undefined;
  /** May connect from this machine only, as RabbitMQ's `guest`. Default false. */
  readonly loopbackOnly?: boolean | undefined;
}

/** What somebody wants to do with a queue or an exchange. */
export type Right = "configure" | "write" | "read";

/** A user of a broker. */
export class User {
  readonly name: string;
  readonly impersonator: boolean;
  readonly loopbackOnly: boolean;
  readonly #password: string;
  readonly #permissions: Readonly<Record<string, Permissions>> | undefined;

  constructor(name: string, options: UserOptions) {
    this.name = name;
    this.impersonator = options.impersonator ?? false;
    this.loopbackOnly = options.loopbackOnly ?? false;
    this.#password = options.password;
    this.#permissions = options.permissions;
  }

  hasPassword(password: string): boolean {
    return password === this.#password;
  }

  mayEnter(virtualHost: string): boolean {
    return this.#permissions === undefined || Object.hasOwn(this.#permissions, virtualHost);
  }

  may(right: Right, name: string, virtualHost: string): boolean {
    if (this.#permissions === undefined) return true;
    const permissions = this.#permissions[virtualHost];
    if (permissions === undefined) return false;
    const pattern = permissions[right];
    // An empty pattern would match everything: RabbitMQ takes it for ^$.
    return pattern === undefined || (pattern.source !== "(?:)" && name.search(pattern) >= 0);
  }

  /** @throws Refusal ACCESS_REFUSED */
  check(right: Right, kind: "queue" | "exchange", name: string, virtualHost: string): void {
    // The default exchange goes by this name in permissions.
    const resource = kind === "exchange" && name === "" ? "amq.default" : name;
    if (this.may(right, resource, virtualHost)) return;
    const what = describe(kind, resource, virtualHost);
    throw new Refusal("ACCESS_REFUSED", `access to ${what} refused for user '${this.name}'`);
  }
}
