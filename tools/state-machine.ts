/**
 * Draws the phases of a connection and of a channel, from the tables that the engine runs on.
 *
 * `node tools/state-machine.ts` writes docs/state-machine.md; a test fails when it was forgotten.
 */

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import {
  type ChannelPhase,
  type CommandTable,
  type ConnectionPhase,
  channelCommands,
  channelPhases,
  connectionCommands,
  connectionPhases,
  type PhaseTable,
} from "../core/src/engine/phases.ts";

/** Where the page belongs, from the root of the repository. */
export const statePage = "docs/state-machine.md";

/** The page, as the tables have it now. */
export function renderStatePage(): string {
  return `# The phases of a connection and of a channel

This page is made from the tables in \`core/src/engine/phases.ts\` by \`node tools/state-machine.ts\`. An arrow is a method
that arrives, or a command of the client (written with parentheses). A method that a phase does not name is a mistake of
the server, except while closing: then it is discarded. Any phase ends in \`closed\` when the transport ends, when the
server breaks the protocol, or when a deadline passes; those arrows are left out.

## Connection

\`header\`, \`sasl\` and \`opening\` are the handshake.

${renderDiagram<ConnectionPhase>("header", connectionPhases, connectionCommands)}

## Channel

${renderDiagram<ChannelPhase>("opening", channelPhases, channelCommands)}

Methods that arrive in phase \`open\` and leave the channel there:
${stayingMethods(channelPhases.open)}.
`;
}

/** An arrow of the diagram, with everything that leads along it. */
function renderDiagram<Phase extends string>(
  initial: Phase,
  methods: PhaseTable<Phase>,
  commands: CommandTable<Phase>,
): string {
  const lines = ["```mermaid", "stateDiagram-v2", `  [*] --> ${initial}`];
  for (const phase of Object.keys(methods) as Phase[]) {
    for (const [target, causes] of arrows(phase, methods[phase], commands[phase])) {
      lines.push(`  ${phase} --> ${target}: ${causes.join(", ")}`);
    }
  }
  lines.push("  closed --> [*]", "```");
  return lines.join("\n");
}

/** More methods than this on one arrow make a diagram unreadable; the text below it names them. */
const longestLabel = 4;

function arrows<Phase extends string>(
  phase: Phase,
  methods: Readonly<Partial<Record<string, Phase>>>,
  commands: Readonly<Record<string, Phase>> = {},
): [Phase, string[]][] {
  const byTarget = new Map<Phase, string[]>();
  for (const [cause, target] of [...Object.entries(commands), ...Object.entries(methods)] as [string, Phase][]) {
    byTarget.set(target, [...(byTarget.get(target) ?? []), cause]);
  }
  return [...byTarget].filter(([target, causes]) => target !== phase || causes.length <= longestLabel);
}

function stayingMethods(methods: Readonly<Record<string, string | undefined>>): string {
  const names = Object.keys(methods).filter((name) => methods[name] === "open");
  return names.map((name) => `\`${name}\``).join(", ");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(new URL(`../${statePage}`, import.meta.url), renderStatePage());
  console.log(`Wrote ${statePage}`);
}
