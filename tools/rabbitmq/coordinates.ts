/** How a broker is reached: plain data, which tests get from the process that started it. */

import type {} from "vitest";

export interface RabbitMQCoordinates {
  /** As the broker says, such as `"3.10.8"`. */
  readonly version: string;
  /** The folder of a node that was started here. Absent for somebody else's broker: that one cannot be operated. */
  readonly folder?: string;
  /** `amqp:` URI with credentials. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly virtualHost: string;
  readonly username: string;
  readonly password: string;
  /** AMQP over TLS, with a certificate for `localhost`, `127.0.0.1` and `::1` that `caFile` signed. */
  readonly tlsPort?: number;
  /** The management API; the credentials are those above. */
  readonly managementUrl?: string;
  /** Certificates and keys are PEM files; keys are PKCS#8 without a passphrase. */
  readonly caFile?: string;
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
  /** The user that the client's certificate logs in as with EXTERNAL. */
  readonly clientUser?: string;
}

declare module "vitest" {
  /** What global-setup.ts provides to test files. */
  export interface ProvidedContext {
    rabbitmq: RabbitMQCoordinates;
  }
}
