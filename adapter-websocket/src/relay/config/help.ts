/** The help of the command, from the settings. */

import { settings } from "./schema.ts";
import { flagOf, variableOf } from "./sources.ts";

const introduction = `Usage: leveret-relay --upstream URI --origin ORIGIN [...]

Carries AMQP 0-9-1 from WebSocket to RabbitMQ.

Every setting is a flag, a variable of the environment, or a key of a JSON file; flags win over variables, and these
over the file. --max-message-size is ${variableOf("maxMessageSize")} and maxMessageSize. Flags of lists can be repeated.
Times are written 500ms, 30s, 5m, 12h; sizes 64KiB, 1MiB; 0 turns a limit off.
`;

const others = [
  ["--config FILE", "JSON file with settings"],
  ["-h, --help", "show this"],
  ["--version", "show the version"],
] as const;

/** What `--help` shows. */
export function help(): string {
  const lines = Object.entries(settings).map(
    ([name, { placeholder, help: text }]) => [`${flagOf(name)} ${placeholder}`.trimEnd(), text] as const,
  );
  const all = [...lines, ...others];
  const width = Math.max(...all.map(([flag]) => flag.length));
  return `${introduction}\n${all.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`).join("\n")}\n`;
}
