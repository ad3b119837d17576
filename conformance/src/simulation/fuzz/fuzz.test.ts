import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Random } from "../random.ts";
import { brokerTarget, engineTarget, findingOf, Fuzzer } from "./index.ts";

const corpusFolder = new URL("../fuzz-corpus/", import.meta.url);
const freshInputs = 1500;

describe.each([engineTarget, brokerTarget])("the $name", (target) => {
  const files = readdirSync(corpusFolder).filter((file) => file.includes(target.name));
  const corpus = files.map((file) => new Uint8Array(readFileSync(new URL(file, corpusFolder))));

  it("survives the corpus, which makes it do many things", () => {
    const seen = new Set<string>();
    const findings = corpus.map((bytes, index) => ({ file: files[index], finding: findingOf(target, bytes) }));
    expect(findings.filter(({ finding }) => finding !== undefined)).toEqual([]);
    for (const bytes of corpus) for (const word of target.run(bytes).signature) seen.add(word);
    expect(seen.size).toBeGreaterThan(200);
  });

  it("survives new inputs", { timeout: 120_000 }, () => {
    const fuzzer = new Fuzzer(target, new Random(1), corpus);
    for (let count = 0; count < freshInputs; count += 1) {
      const bytes = fuzzer.next();
      const finding = findingOf(target, bytes);
      expect(finding, `input: ${bytes.toString()}`).toBeUndefined();
    }
  });
});
