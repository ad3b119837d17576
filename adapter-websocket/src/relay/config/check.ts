/** From what was given to a configuration that makes sense, or to a list of all that is wrong with it. */

import * as v from "valibot";
import { type RelayConfig, type SettingName, settings } from "./schema.ts";

/** A relay cannot be started like this. Shows no value that may be a secret. */
export class RelayConfigError extends Error {
  override readonly name = "RelayConfigError";
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Values by name, as they were given. */
export type GivenSettings = Readonly<Record<string, unknown>>;

/** What to call a setting: `listen` in a program, `--listen` or `LEVERET_RELAY_LISTEN` elsewhere. */
export type NameSetting = (name: string) => string;

const schema = v.strictObject(
  Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.schema])) as {
    [Name in SettingName]: v.GenericSchema<unknown, RelayConfig[Name]>;
  },
);

/** @throws RelayConfigError which says everything that is wrong. */
export function checkSettings(given: GivenSettings, nameOf: NameSetting = (name) => name): RelayConfig {
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const result = v.safeParse(schema, present);
  if (!result.success) throw new RelayConfigError(result.issues.map((issue) => problemOf(issue, nameOf)));
  const problems = [...contradictions(result.output, nameOf)];
  if (problems.length > 0) throw new RelayConfigError(problems);
  return result.output;
}

function problemOf(issue: v.BaseIssue<unknown>, nameOf: NameSetting): string {
  const name = v.getDotPath(issue) ?? "";
  if (!Object.hasOwn(settings, name)) return `${nameOf(name)} is not a setting`;
  // Valibot's own message is about a key that is missing; all others are ours.
  return issue.input === undefined ? `${nameOf(name)} must be given` : `${nameOf(name)} ${issue.message}`;
}

function* contradictions(config: RelayConfig, nameOf: NameSetting): Generator<string> {
  for (const [one, other] of [
    ["tlsCert", "tlsKey"],
    ["upstreamCert", "upstreamKey"],
  ] as const) {
    if ((config[one] === undefined) !== (config[other] === undefined)) {
      yield `${nameOf(one)} and ${nameOf(other)} need each other`;
    }
  }
  const overTls = [...config.upstream.values()].some((upstream) => upstream.tls);
  for (const name of ["upstreamCa", "upstreamCert", "upstreamServerName"] as const) {
    if (config[name] !== undefined && !overTls) yield `${nameOf(name)} is for brokers with amqps:, and there is none`;
  }
  if (config.acceptProxyProtocol && config.trustedProxy.length === 0) {
    yield `${nameOf("acceptProxyProtocol")} is for load balancers that are named with ${nameOf("trustedProxy")}, and there is none`;
  }
  if (config.origin.length === 0 && !config.allowNoOrigin && !config.demo) {
    yield `nobody could connect: name the pages that may with ${nameOf("origin")}, or let in clients that are not pages with ${nameOf("allowNoOrigin")}`;
  }
}
