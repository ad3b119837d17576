/** From what `connect()` was given to a plan: options are checked, joined with what URIs say, and completed by defaults. */

import type { ConnectionConfig } from "../engine/config.ts";
import { defaultLimits, withLimits } from "../engine/limits.ts";
import { UsageError } from "../wire/errors.ts";
import type { Addresses, TcpOptionName } from "./addresses/addresses.ts";
import { checkCredentials, CredentialsSource, guest } from "./credentials.ts";
import {
  abortSignal,
  aFunction,
  anyNumber,
  type Check,
  type Checks,
  checkNames,
  checkOptions,
  defined,
  duration,
  illegal,
  isRecord,
  legal,
  positive,
  record,
  shortString,
  someTexts,
  text,
} from "./option-checks.ts";
import type { ConnectOptions, ConnectPlan, ConnectTarget } from "./parameters.ts";
import type { ConnectParts } from "./connect-parts.ts";
import { listedPlaces, type Place, placeOf } from "./addresses/places.ts";
import type { ParsedUri } from "./addresses/uri-parts.ts";

/** The checks of all options but those that a part of `connect` brings. */
const commonChecks: Omit<Checks<ConnectOptions>, TcpOptionName | "recovery"> = {
  uri: (value, name) => {
    if (typeof value !== "string") throw illegal(name, "a string", typeof value);
  },
  endpoints: legal("an array or a function", (value) => Array.isArray(value) || typeof value === "function"),
  protocols: someTexts,
  credentials: checkCredentials,
  virtualHost: shortString,
  connectionName: text,
  clientProperties: record,
  locale: shortString,
  channelMax: anyNumber,
  frameMax: anyNumber,
  heartbeat: legal("a number or a function", (value) => typeof value === "number" || typeof value === "function"),
  connectionAttempts: positive,
  retryDelay: duration,
  connectTimeout: duration,
  openTimeout: duration,
  blockedTimeout: duration,
  requestTimeout: duration,
  closeTimeout: duration,
  limits: record,
  signal: abortSignal,
  tap: aFunction,
  instrumentation: legal(
    "what instrument() makes of hooks",
    (value) => isRecord(value) && typeof value["observe"] === "function",
  ),
  readFile: aFunction,
};

const noRecovery: Check = (value, name) => {
  if (value !== false)
    throw new UsageError("NOT_SUPPORTED", `${name} is not a part of this connect: a loss is the end`);
};

/**
 * Checks options and makes the plan of them. Nothing is connected, read or asked yet.
 *
 * @throws UsageError INVALID_ARGUMENT for what is not legal, NOT_SUPPORTED for files without `readFile`.
 */
export function planConnection(
  given: ConnectOptions | string,
  { addresses, recovery, readFile }: ConnectParts,
): ConnectPlan {
  const said = typeof given === "string" ? { uri: given } : given;
  const optionChecks: Checks<ConnectOptions> = {
    ...addresses.checks,
    ...commonChecks,
    recovery: recovery?.check ?? noRecovery,
  };
  checkOptions<ConnectOptions>(said, optionChecks, "what connect() takes");
  checkOneAddress(said);
  const uri = said.uri === undefined ? undefined : addresses.parse(said.uri);
  const options: ConnectOptions = { readFile, ...uri?.parameters, ...defined(said) };
  checkOptions<ConnectOptions>(options, optionChecks, "what connect() takes");
  checkLimits(options);

  const { connectionAttempts = 1, retryDelay = 2_000, connectTimeout = 10_000, openTimeout = 15_000 } = options;
  const { endpoints, signal, connectionName, instrumentation } = options;
  const places = typeof endpoints === "function" ? undefined : fixedPlaces(options, uri, addresses);
  const findPlaces = async (): Promise<readonly Place[]> => {
    if (places !== undefined) return places;
    const found: unknown = typeof endpoints === "function" ? await endpoints() : endpoints;
    return listedPlaces(found, options, addresses, "what the endpoints function gave");
  };
  return {
    targets: async () => Promise.all((await findPlaces()).map((place) => targetOf(place, options, addresses))),
    connectionAttempts,
    retryDelay,
    connectTimeout,
    openTimeout,
    signal,
    recovery: recovery?.plan(options.recovery),
    connectionName,
    instrumentation,
  };
}

function checkOneAddress({ uri, host, port, endpoints }: ConnectOptions): void {
  const ways = [uri !== undefined, host !== undefined || port !== undefined, endpoints !== undefined];
  if (ways.filter(Boolean).length > 1) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      "Give one of uri, host (with port) and endpoints: each says where to connect",
    );
  }
}

function checkLimits({ limits = {} }: ConnectOptions): void {
  checkNames(limits, defaultLimits, "limits", "limits.");
  withLimits(limits);
}

function fixedPlaces(options: ConnectOptions, uri: ParsedUri | undefined, addresses: Addresses): readonly Place[] {
  const { endpoints } = options;
  return endpoints === undefined
    ? [placeOf(uri, options, addresses)]
    : listedPlaces(endpoints, options, addresses, "endpoints");
}

async function targetOf(
  { address, parameters }: Place,
  options: ConnectOptions,
  addresses: Addresses,
): Promise<ConnectTarget> {
  const { virtualHost = "/", credentials = guest } = parameters;
  const source = new CredentialsSource(credentials);
  return {
    endpoint: await addresses.complete(address, options.readFile),
    virtualHost,
    credentials: source,
    engineConfig: async (): Promise<ConnectionConfig> => {
      const { connectionName, clientProperties, locale, channelMax, frameMax, heartbeat } = parameters;
      const { requestTimeout, closeTimeout, blockedTimeout, limits, tap } = options;
      const handshake = { connectionName, clientProperties, locale, channelMax, frameMax, heartbeat };
      const timeouts = { requestTimeout, closeTimeout, blockedTimeout };
      return { mechanisms: await source.mechanisms(), virtualHost, ...handshake, ...timeouts, limits, tap };
    },
  };
}
