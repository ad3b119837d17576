/** Reading source files: what they import, and which names and features of the language they use. */

import { parseSync } from "oxc-parser";

/** A node of the syntax tree, as far as the checks look at it: fields differ by `type`. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

export interface Source {
  readonly program: SyntaxNode;
  /** The line, from 1, of an offset. */
  lineOf(offset: number): number;
}

/** @throws SyntaxError when the file is not what its name says. */
export function parseSource(file: string, text: string): Source {
  const { program, errors } = parseSync(file, text, { sourceType: "module" });
  const [first] = errors;
  if (first !== undefined) throw new SyntaxError(`${file}: ${first.message}`);
  return {
    program: program as unknown as SyntaxNode,
    lineOf: (offset) => text.slice(0, offset).split("\n").length,
  };
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string";
}

/** Visits a node and everything below it, each with the node above and the field that it stands in. */
function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined, field: string) => void,
  parent?: SyntaxNode,
  field = "",
): void {
  visit(node, parent, field);
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit, node, name);
    }
  }
}

export interface Import {
  readonly specifier: string;
  /** True when the import is gone once types are erased. */
  readonly typeOnly: boolean;
  readonly start: number;
}

/** All imports and re-exports of a file, dynamic imports and `import("...")` types included. */
export function importsOf({ program }: Source): Import[] {
  const found: Import[] = [];
  walk(program, (node) => {
    const source = node.source as SyntaxNode | null | undefined;
    if (!isNode(source)) return;
    const specifier = typeof source.value === "string" ? source.value : "(computed)";
    found.push({ specifier, typeOnly: isTypeOnly(node), start: node.start });
  });
  return found;
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = node.specifiers as readonly SyntaxNode[] | undefined;
  if (specifiers === undefined || specifiers.length === 0) return false;
  return specifiers.every((specifier) => specifier.importKind === "type" || specifier.exportKind === "type");
}

/** Whether an identifier is a name of something, as opposed to the key of a property or a label. */
function isName(parent: SyntaxNode | undefined, field: string): boolean {
  switch (parent?.type) {
    case "MemberExpression":
      return field !== "property" || parent.computed === true;
    case "Property":
      return field === "value" || parent.computed === true;
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return field !== "key" || parent.computed === true;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
      return field !== "label";
    case "MetaProperty":
      return false;
    case "ImportSpecifier":
      return field === "local";
    case "ExportSpecifier":
      return field === "local";
    default:
      return true;
  }
}

/** Every name in a file, types included; each time that it stands there. */
function namesOf({ program }: Source): { name: string; start: number }[] {
  const found: { name: string; start: number }[] = [];
  walk(program, (node, parent, field) => {
    if (node.type === "Identifier" && isName(parent, field))
      found.push({ name: node.name as string, start: node.start });
  });
  return found;
}

/**
 * The names that a JavaScript file uses and declares nowhere: what it takes from its surroundings. A name that is declared
 * in one scope counts as declared in all.
 */
export function freeNamesOf(source: Source): Set<string> {
  const declared = new Set<string>();
  walk(source.program, (node, _parent, field) => {
    if (field === "id" || field === "params" || field === "param" || field === "local") collect(node, declared);
  });
  return new Set(
    namesOf(source)
      .map(({ name }) => name)
      .filter((name) => !declared.has(name)),
  );
}

/** Adds the names that a pattern binds. */
function collect(pattern: unknown, names: Set<string>): void {
  if (!isNode(pattern)) return;
  switch (pattern.type) {
    case "Identifier":
      names.add(pattern.name as string);
      break;
    case "ObjectPattern":
      for (const property of pattern.properties as SyntaxNode[]) collect(property.value ?? property.argument, names);
      break;
    case "ArrayPattern":
      for (const element of pattern.elements as (SyntaxNode | null)[]) collect(element, names);
      break;
    case "AssignmentPattern":
      collect(pattern.left, names);
      break;
    case "RestElement":
      collect(pattern.argument, names);
      break;
  }
}

/** Something a layer of pure code may not do. */
export interface Impurity {
  readonly what: "clock" | "randomness" | "promise" | "global object" | "evaluation";
  readonly text: string;
  readonly start: number;
}

/**
 * Finds what TypeScript's libraries cannot be cut down by: the clock and the random numbers of the language itself,
 * promises, and the ways around a missing declaration. `new Date(value)` and `instanceof Date` are values, not clocks.
 */
export function impuritiesOf(source: Source): Impurity[] {
  const found: Impurity[] = [];
  const add = (what: Impurity["what"], text: string, node: SyntaxNode) => found.push({ what, text, start: node.start });
  walk(source.program, (node) => {
    if (node.async === true) add("promise", "async", node);
    if (node.type === "AwaitExpression" || node.await === true) add("promise", "await", node);
    if (node.type === "ImportExpression") add("promise", "import()", node);
    if (node.type === "MemberExpression" && isNamed(node.object, "Math") && isNamed(node.property, "random")) {
      add("randomness", "Math.random", node);
    }
    if (node.type === "MemberExpression" && isNamed(node.object, "Date") && isNamed(node.property, "now")) {
      add("clock", "Date.now", node);
    }
    if (node.type === "CallExpression" && isNamed(node.callee, "Date")) add("clock", "Date()", node);
    if (node.type === "NewExpression" && isNamed(node.callee, "Date") && (node.arguments as unknown[]).length === 0) {
      add("clock", "new Date()", node);
    }
  });
  const byName: Record<string, Impurity["what"]> = {
    Promise: "promise",
    globalThis: "global object",
    eval: "evaluation",
    Function: "evaluation",
  };
  for (const { name, start } of namesOf(source)) {
    const what = Object.hasOwn(byName, name) ? byName[name] : undefined;
    if (what !== undefined) found.push({ what, text: name, start });
  }
  return found;
}

function isNamed(node: unknown, name: string): boolean {
  return isNode(node) && node.type === "Identifier" && node.name === name;
}
