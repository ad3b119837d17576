/** Transcripts as text: a heading for each conversation, and a line for each thing that was heard. */

const heading = "## ";

export function formatTranscripts(transcripts: ReadonlyMap<string, readonly string[]>): string {
  return [...transcripts]
    .map(([name, lines]) => `${heading}${name}\n${lines.map((line) => `${line}\n`).join("")}`)
    .join("\n");
}

export function parseTranscripts(text: string): ReadonlyMap<string, readonly string[]> {
  const transcripts = new Map<string, readonly string[]>();
  for (const section of text.split(/^## /m).slice(1)) {
    const [name = "", ...lines] = section.trimEnd().split("\n");
    transcripts.set(name, lines);
  }
  return transcripts;
}

/**
 * The lines in an order that does not depend on how fast a broker is: replies of each connection as they came, then
 * what came to each consumer.
 */
export function comparable(lines: readonly string[]): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const line of lines) {
    const [connection = ""] = line.split(" ", 1);
    const consumer = /^\w+ \d+ basic\.(?:deliver|cancel) consumerTag=("[^"]*")/.exec(line)?.[1] ?? "";
    const group = `${connection} ${consumer}`;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [line]);
    else known.push(line);
  }
  return [...groups].sort(([left], [right]) => (left < right ? -1 : 1)).flatMap(([, group]) => group);
}
