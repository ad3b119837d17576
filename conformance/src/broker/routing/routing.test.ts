import { encodeTable, type FieldTable, TypedValue } from "@leveret/core/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fields, parseFields } from "../codec/fields.ts";
import { type Binding, bindingIdentity, type RoutingTable } from "./binding.ts";
import { DirectTable } from "./direct.ts";
import { FanoutTable } from "./fanout.ts";
import { checkMatchKind, headersMatch, HeadersTable } from "./headers.ts";
import { TopicTable, wordsOf } from "./topic.ts";

function fields(table: FieldTable): Fields {
  return parseFields(encodeTable(table).subarray(4));
}

function binding(destination: string, routingKey = "", table: FieldTable = {}): Binding<string> {
  return { destination, routingKey, arguments: fields(table) };
}

function matches(table: RoutingTable<string>, routingKey: string, headers?: FieldTable): string[] {
  const found = new Set<string>();
  table.match(routingKey, { headers: headers === undefined ? undefined : fields(headers) }, (name) => found.add(name));
  return [...found].sort();
}

describe("direct", () => {
  it("finds the bindings of a key, and forgets those that are removed", () => {
    const table = new DirectTable<string>();
    const one = binding("one", "k");
    table.add(one);
    table.add(binding("two", "k"));
    table.add(binding("three", "other"));
    expect(matches(table, "k")).toEqual(["one", "two"]);
    table.remove(one);
    expect(matches(table, "k")).toEqual(["two"]);
    expect(matches(table, "")).toEqual([]);
  });
});

describe("fanout", () => {
  it("finds every binding, whatever the key", () => {
    const table = new FanoutTable<string>();
    const one = binding("one", "k");
    table.add(one);
    table.add(binding("two"));
    expect(matches(table, "anything")).toEqual(["one", "two"]);
    table.remove(one);
    expect(matches(table, "")).toEqual(["two"]);
  });
});

/** The rule of the specification, as slow as it is plain. */
function topicMatches(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === "#") return topicMatches(rest, words) || (words.length > 0 && topicMatches(pattern, words.slice(1)));
  const [word, ...others] = words;
  return word !== undefined && (first === "*" || first === word) && topicMatches(rest, others);
}

describe("topic", () => {
  it.each([
    ["#", "", true],
    ["*", "", false],
    ["", "", true],
    ["a.*", "a.", true],
    ["a.*.b", "a..b", true],
    ["a*", "ab", false],
    ["a*", "a*", true],
    ["#.b", "b", true],
    ["a.#.b", "a.b", true],
    ["a.#", "a", true],
  ])("%j and %j: %s", (pattern, key, expected) => {
    const table = new TopicTable<string>();
    table.add(binding("q", pattern));
    expect(matches(table, key)).toEqual(expected ? ["q"] : []);
  });

  const word = fc.constantFrom("a", "b", "", "#", "*");
  const pattern = fc.array(word, { maxLength: 5 }).map((words) => words.join("."));

  it("agrees with the rule, for any patterns at once, also when some are removed again", () => {
    const key = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 5 }).map((words) => words.join("."));
    fc.assert(
      fc.property(fc.array(fc.tuple(pattern, fc.boolean()), { maxLength: 12 }), key, (patterns, routingKey) => {
        const table = new TopicTable<string>();
        const bindings = patterns.map(([text], index) => binding(String(index), text));
        for (const each of bindings) table.add(each);
        bindings.forEach((each, index) => {
          if (patterns[index]?.[1] === false) table.remove(each);
        });
        const expected = bindings
          .filter((each, index) => patterns[index]?.[1] && topicMatches(wordsOf(each.routingKey), wordsOf(routingKey)))
          .map(({ destination }) => destination);
        expect(matches(table, routingKey)).toEqual(expected.sort());
      }),
    );
  });

  it("copes with a key of many words and patterns of many wildcards", () => {
    const table = new TopicTable<string>();
    table.add(binding("q", "#.#.#.#.#.x"));
    expect(matches(table, "a.".repeat(60).concat("x"))).toEqual(["q"]);
    expect(matches(table, "a.".repeat(60).concat("y"))).toEqual([]);
  });
});

describe("headers", () => {
  const strict = { looseNumbers: false, timesInMilliseconds: false };
  const rows: readonly [string, FieldTable, FieldTable, boolean][] = [
    ["all", { a: 1, b: "x" }, { a: 1, b: "x", c: 2 }, true],
    ["all, one missing", { a: 1, b: "x" }, { a: 1 }, false],
    ["any", { "x-match": "any", a: 1, b: "x" }, { b: "x" }, true],
    ["any, none of them", { "x-match": "any", a: 1 }, { b: "x" }, false],
    ["nothing asked", {}, { a: 1 }, true],
    ["any of nothing", { "x-match": "any" }, { a: 1 }, false],
    ["presence", { a: null }, { a: "whatever" }, true],
    ["presence of nothing", { a: null }, {}, false],
    ["x- is skipped", { "x-foo": 1 }, {}, true],
    ["x- counts", { "x-match": "all-with-x", "x-foo": 1 }, {}, false],
    ["any with x-", { "x-match": "any-with-x", "x-foo": 1 }, { "x-foo": 1 }, true],
    ["integers of any size", { a: new TypedValue("int16", 1) }, { a: new TypedValue("int64", 1) }, true],
    ["text and bytes", { a: "x" }, { a: new TypedValue("bytes", "x") }, true],
    ["integer and float", { a: 1 }, { a: new TypedValue("double", 1) }, false],
    ["bool", { a: true }, { a: true }, true],
    ["bool is no integer", { a: true }, { a: 1 }, false],
    ["nested", { a: { b: [1] } }, { a: { b: [1] } }, true],
  ];

  it.each(rows)("%s", (_name, bindingArguments, headers, expected) => {
    expect(headersMatch(fields(bindingArguments), fields(headers), strict)).toBe(expected);
  });

  it("takes 1 for 1.0 where the version does", () => {
    const float = fields({ a: new TypedValue("double", 1) });
    expect(headersMatch(fields({ a: 1 }), float, { ...strict, looseNumbers: true })).toBe(true);
    expect(headersMatch(fields({ a: 2 }), float, { ...strict, looseNumbers: true })).toBe(false);
  });

  it("asks every binding", () => {
    const table = new HeadersTable<string>(strict);
    const one = binding("one", "", { a: 1 });
    table.add(one);
    table.add(binding("two", "", { b: 1 }));
    expect(matches(table, "", { a: 1, b: 1 })).toEqual(["one", "two"]);
    table.remove(one);
    expect(matches(table, "", { a: 1, b: 1 })).toEqual(["two"]);
    expect(matches(table, "")).toEqual([]);
  });

  it("refuses an x-match that it does not know", () => {
    expect(() => checkMatchKind(fields({ "x-match": "some" }))).toThrow(/Invalid x-match field value <<"some">>/);
    expect(() => checkMatchKind(fields({ "x-match": 1 }))).toThrow(/Invalid x-match field type signedint \(value 1\)/);
    expect(() => checkMatchKind(fields({ "x-match": "any-with-x" }))).not.toThrow();
  });
});

describe("the identity of a binding", () => {
  it("is the key and the arguments in any order", () => {
    const same = bindingIdentity("k", fields({ a: 1, b: "x" }));
    expect(bindingIdentity("k", fields({ b: "x", a: 1 }))).toBe(same);
    expect(bindingIdentity("k2", fields({ a: 1, b: "x" }))).not.toBe(same);
    expect(bindingIdentity("k", fields({ a: new TypedValue("int64", 1), b: "x" }))).not.toBe(same);
  });
});
