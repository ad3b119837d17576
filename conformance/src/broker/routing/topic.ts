/** The topic exchange: `*` stands for one word, `#` for any number of words, also none. */

import type { Binding, Routable, RoutingTable } from "./binding.ts";

/** The words of a key. An empty key has none; an empty word is a word. */
export function wordsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}

/** A place in the tree of patterns: the words on the way to it are the beginning of a pattern. */
interface Node<Destination> {
  /** The last word on the way here is `#`: any more words lead back here. */
  readonly isHash: boolean;
  readonly children: Map<string, Node<Destination>>;
  /** The bindings whose pattern ends here. */
  readonly bindings: Set<Binding<Destination>>;
}

/** Patterns as a tree of words, so that a match costs by the length of the key and not by the number of bindings. */
export class TopicTable<Destination> implements RoutingTable<Destination> {
  readonly #root: Node<Destination> = emptyNode(false);

  add(binding: Binding<Destination>): void {
    let node = this.#root;
    for (const word of wordsOf(binding.routingKey)) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = emptyNode(word === "#");
        node.children.set(word, child);
      }
      node = child;
    }
    node.bindings.add(binding);
  }

  remove(binding: Binding<Destination>): void {
    const path: { readonly node: Node<Destination>; readonly word: string }[] = [];
    let node = this.#root;
    for (const word of wordsOf(binding.routingKey)) {
      path.push({ node, word });
      const child = node.children.get(word);
      if (child === undefined) return;
      node = child;
    }
    node.bindings.delete(binding);
    // Cut off what has become a dead end.
    for (let step = path.pop(); step !== undefined; step = path.pop()) {
      const child = step.node.children.get(step.word);
      if (child === undefined || child.children.size > 0 || child.bindings.size > 0) return;
      step.node.children.delete(step.word);
    }
  }

  match(routingKey: string, _message: Routable, found: (destination: Destination) => void): void {
    const words = wordsOf(routingKey);
    // All places that the words so far can lead to. A set: patterns such as `#.#` lead to one place in many ways.
    let places = new Set<Node<Destination>>();
    reach(this.#root, places);
    for (const word of words) {
      const next = new Set<Node<Destination>>();
      for (const node of places) {
        step(node, word, next);
        // A place behind `#` takes the word, and stays.
        if (node.isHash) reach(node, next);
      }
      places = next;
    }
    for (const node of places) for (const binding of node.bindings) found(binding.destination);
  }
}

function step<Destination>(node: Node<Destination>, word: string, next: Set<Node<Destination>>): void {
  const literal = node.children.get(word);
  // In a message `*` and `#` are words like any other.
  if (literal !== undefined && word !== "*" && word !== "#") reach(literal, next);
  const any = node.children.get("*");
  if (any !== undefined) reach(any, next);
}

/** Adds a node, and those that a `#` with no words leads to. */
function reach<Destination>(node: Node<Destination>, places: Set<Node<Destination>>): void {
  places.add(node);
  const hash = node.children.get("#");
  if (hash !== undefined && !places.has(hash)) reach(hash, places);
}

function emptyNode<Destination>(isHash: boolean): Node<Destination> {
  return { isHash, children: new Map(), bindings: new Set() };
}
