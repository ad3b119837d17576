/** Where settings come from: flags, before variables of the environment, before a file. */

import { readFile } from "node:fs/promises";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type GivenSettings, type NameSetting, RelayConfigError } from "./check.ts";
import { settings } from "./schema.ts";

/** What a command line asks for. */
export interface CommandLine {
  readonly help: boolean;
  readonly version: boolean;
  /** Settings from all sources. */
  readonly given: GivenSettings;
  /** Names a setting as the source did that it comes from. */
  readonly nameOf: NameSetting;
}

type ParsedArgs = Pick<ReturnType<typeof parseArgs>, "values" | "positionals">;

const names = Object.keys(settings);
const isList = (name: string): boolean => settings[name as keyof typeof settings].isList;
const isSwitch = (name: string): boolean => settings[name as keyof typeof settings].placeholder === "";

/** `maxMessageSize` is `--max-message-size`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxMessageSize` is `LEVERET_RELAY_MAX_MESSAGE_SIZE`. */
export function variableOf(name: string): string {
  return `LEVERET_RELAY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Reads all sources. The file is the one of `--config` or `LEVERET_RELAY_CONFIG`.
 *
 * @throws RelayConfigError for a flag that does not exist, and a file that cannot be read.
 */
export async function readSources(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CommandLine> {
  const flags = readFlags(args);
  const variables = readEnvironment(environment);
  const file = typeof flags.config === "string" ? flags.config : (environment[variableOf("config")] ?? "");
  const inFile = file === "" ? {} : await readSettingsFile(file);
  const { help = false, version = false, config: _, ...fromFlags } = flags;
  return {
    help: help === true,
    version: version === true,
    given: { ...inFile, ...variables, ...fromFlags },
    nameOf(name) {
      if (Object.hasOwn(fromFlags, name)) return flagOf(name);
      if (Object.hasOwn(variables, name)) return variableOf(name);
      return Object.hasOwn(inFile, name) ? `${name} (in ${file})` : flagOf(name);
    },
  };
}

function readFlags(args: readonly string[]): Record<string, unknown> {
  const flagNames = ["help", "version", "config", ...names];
  const options = Object.fromEntries(
    flagNames.map((name) => {
      const isBoolean = name === "help" || name === "version" || (name !== "config" && isSwitch(name));
      const multiple = names.includes(name) && isList(name);
      const short = name === "help" ? { short: "h" } : {};
      return [
        flagOf(name).slice(2),
        { type: isBoolean ? ("boolean" as const) : ("string" as const), multiple, ...short },
      ];
    }),
  );
  const { values, positionals } = parseOrThrow(args, options);
  if (positionals.length > 0) throw new RelayConfigError(["every setting is a flag that begins with --"]);
  return Object.fromEntries(
    flagNames.flatMap((name) => {
      const value = values[flagOf(name).slice(2)];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function parseOrThrow(args: readonly string[], options: NonNullable<ParseArgsConfig["options"]>): ParsedArgs {
  try {
    // Were positionals not allowed, the message would quote them.
    return parseArgs({ args: [...args], options, strict: true, allowNegative: true, allowPositionals: true });
  } catch (error) {
    // Says which flag is wrong, and how, but not its value; behind that comes advice for positionals, of which there are none.
    const [problem = ""] = String(error instanceof Error ? error.message : error).split(/\.?(?:\n| To specify )/, 1);
    throw new RelayConfigError([problem]);
  }
}

/**
 * Only variables that are settings are looked at: Kubernetes sets others of this prefix for a service that is named
 * leveret-relay, such as LEVERET_RELAY_SERVICE_HOST.
 */
function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[variableOf(name)];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
}

async function readSettingsFile(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it failed";
    throw new RelayConfigError([`${file} cannot be read: ${reason}`]);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's message quotes the file.
    throw new RelayConfigError([`${file} is not JSON`]);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new RelayConfigError([`${file} is not a JSON object of settings`]);
  }
  return { ...content };
}
