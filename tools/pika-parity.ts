/**
 * Writes docs/pika-parity.md: what Pika does, row by row, and the case that shows it here.
 *
 * `node --conditions=@leveret/source tools/pika-parity.ts` writes the page; a test fails when it was forgotten, and when a
 * row names a case that does not exist.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { blockingCases } from "../conformance/src/blocking/blocking-cases.ts";
import { cases } from "../conformance/src/cases/index.ts";
import { ioContract } from "../conformance/src/io-contract/index.ts";
import { type ParityRow, type ParitySection, pikaParity } from "../conformance/src/parity/index.ts";

/** Where the page belongs, from the root of the repository. */
export const parityPage = "docs/pika-parity.md";

/** The page, as the rows have it now. */
export function renderParityPage(): string {
  return `# Pika, row by row

Everything that Pika's README claims, its interface offers and its tests hold, and the case that shows it here. This page
is made from \`conformance/src/parity\` by \`tools/pika-parity.ts\`; a test holds it to the cases that there are.

A case of the conformance suite is written *group: case*, one of the I/O contract *io: subject: case*, one of blocking
connections *blocking: case*; they run in every runtime that can, on RabbitMQ 3.10 and 4.x and on the embedded broker. Everything else is a unit test, or a program that a test
runs. How each call is named here is in [Coming from Pika](coming-from-pika.md).

${pikaParity.map(renderSection).join("\n")}`;
}

function renderSection({ title, rows }: ParitySection): string {
  return [`## ${title}`, "", "| Pika | here | shown by |", "|---|---|---|", ...rows.map(renderRow), ""].join("\n");
}

function renderRow({ pika, means, shownBy }: ParityRow): string {
  const proofs = shownBy.length === 0 ? "no counterpart" : shownBy.map(renderProof).join("<br>");
  return `| ${escapeCell(pika)} | ${escapeCell(means)} | ${proofs} |`;
}

function renderProof(proof: string): string {
  const [file = "", title] = proof.split(" > ");
  if (title !== undefined) return `[${escapeCell(title)}](../${file})`;
  return proof.startsWith("docs/") ? `[${proof.slice("docs/".length)}](../${proof})` : escapeCell(proof);
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("${", "$\\{");
}

/** What the rows name and nobody has: cases, tests and programs. */
export function missingProofs(): string[] {
  const known = new Set([
    ...cases.map(({ group, name }) => `${group}: ${name}`),
    ...blockingCases.map(({ name }) => `blocking: ${name}`),
    ...ioContract.map(({ name }) => `io: ${name}`),
  ]);
  const sources = new Map<string, string>();
  const read = (file: string): string => {
    let source = sources.get(file);
    if (source === undefined) sources.set(file, (source = readSource(file)));
    return source;
  };
  const isThere = (proof: string): boolean => {
    const [file = "", title] = proof.split(" > ");
    if (title !== undefined) return read(file).includes(title);
    return known.has(proof) || (proof.startsWith("docs/") && read(proof) !== "");
  };
  return pikaParity
    .flatMap(({ rows }) => rows)
    .flatMap(({ pika, shownBy }) => shownBy.filter((proof) => !isThere(proof)).map((proof) => `${pika}: ${proof}`));
}

function readSource(file: string): string {
  try {
    return readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(new URL(`../${parityPage}`, import.meta.url), renderParityPage());
  const missing = missingProofs();
  console.log(missing.length === 0 ? `Wrote ${parityPage}` : `Nobody has:\n${missing.join("\n")}`);
  if (missing.length > 0) process.exitCode = 1;
}
