/**
 * Objects in another process, or outside of the page: one side calls their methods, the other has them. Calls and answers
 * are lines of JSON; what carries the lines is up to both sides.
 */

/** A call of a method. */
interface Call {
  readonly id: number;
  /** The number of the object whose method it is. */
  readonly object: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The answer to the call of the same `id`. */
interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly result?: unknown;
  /** Where the result has methods: its number, and their names. */
  readonly object?: number;
  readonly methods?: readonly string[];
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Callable = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/** The side that has the objects. */
export class ObjectServer {
  /** What can be called, by number; the first is what the other side begins with. */
  readonly #objects: unknown[];

  constructor(first: object) {
    this.#objects = [first];
  }

  /** Makes a call, and gives the answer. Calls do not wait for each other: the second may be what the first waits for. */
  async answer(line: string): Promise<string> {
    const { id, object, method, args } = fromJson(line) as Call;
    try {
      const result = await (this.#objects[object] as Callable)[method]?.(...args);
      return toJson({ id, result, ...this.#numbered(result) } satisfies Answer);
    } catch (error) {
      return toJson({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer);
    }
  }

  /** Closes everything that can be closed. */
  async close(): Promise<void> {
    for (const object of this.#objects) await (object as Partial<Callable>)["close"]?.();
  }

  #numbered(result: unknown): Pick<Answer, "object" | "methods"> {
    const methods = methodsOf(result);
    return methods.length === 0 ? {} : { object: this.#objects.push(result) - 1, methods };
  }
}

/** The names of an object's methods, its own and those of its class. */
function methodsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const prototype = Object.getPrototypeOf(value) as object;
  const names = [
    ...Object.keys(value),
    ...(prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype)),
  ];
  return names.filter((name) => name !== "constructor" && typeof Reflect.get(value, name) === "function");
}

/** The side that calls. */
export class ObjectCaller {
  readonly #send: (line: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  /** Calls a method of the other side's first object. Objects in the result have methods that call their originals. */
  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#call(0, method, args);
  }

  /** Takes an answer. */
  received(line: string): void {
    const { id, error, result, object, methods = [] } = fromJson(line) as Answer;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) return waiting?.reject(new Error(error));
    if (object === undefined) return waiting?.resolve(result);
    const called = methods.map(
      (name) => [name, (...args: readonly unknown[]) => this.#call(object, name, args)] as const,
    );
    waiting?.resolve({ ...(result as object), ...Object.fromEntries(called) });
  }

  /** There will be no answers any more. */
  ended(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #call(object: number, method: string, args: readonly unknown[]): Promise<unknown> {
    this.#calls += 1;
    const call: Call = { id: this.#calls, object, method, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve, reject });
      this.#send(toJson(call));
    });
  }
}

/** JSON, with bytes. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item instanceof Uint8Array
      ? { base64: btoa(Array.from(item, (octet) => String.fromCharCode(octet)).join("")) }
      : item,
  );
}

function fromJson(text: string): unknown {
  return JSON.parse(text, (_, item: { readonly base64?: unknown } | null) =>
    typeof item?.base64 === "string" ? Uint8Array.from(atob(item.base64), (letter) => letter.charCodeAt(0)) : item,
  );
}
