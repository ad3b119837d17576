/** Time, and a place on the loop, from what browsers and other runtimes have in common. */

import type { IoServices } from "@leveret/core/client";

/** The longest delay of `setTimeout`; a longer one would fire at once. */
const longestDelay = 0x7fff_ffff;

/** See `IoServices.setTimer`. `setTimeout` may be early by the fraction of a millisecond, and is set again then. */
export const setTimer: IoServices["setTimer"] = (delay, fire) => {
  const deadline = performance.now() + delay;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (): void => {
    const left = deadline - performance.now();
    if (timer !== undefined && left <= 0) return fire();
    timer = setTimeout(arm, Math.min(Math.max(0, Math.ceil(left)), longestDelay));
  };
  arm();
  return () => clearTimeout(timer);
};

/** Where there is no `setImmediate`: one channel for all, since a page keeps each for as long as it lives. */
let postByMessage: IoServices["post"] | undefined;

/**
 * See `IoServices.post`. `setTimeout(0)` would not do: it takes 4 ms in a page, and up to a minute in a page that is in
 * the background. A message to oneself is not slowed down.
 */
export function makePost(): IoServices["post"] {
  const { setImmediate } = globalThis as { readonly setImmediate?: (task: () => void) => unknown };
  if (setImmediate !== undefined) return (task) => void setImmediate(task);
  return (postByMessage ??= makePostByMessage());
}

function makePostByMessage(): IoServices["post"] {
  const tasks = new Map<number, () => void>();
  let first = 0;
  let next = 0;
  const { port1, port2 } = new MessageChannel();
  // One message for each task: one that throws does not take the others with it.
  port1.addEventListener("message", () => {
    const task = tasks.get(first);
    tasks.delete(first++);
    task?.();
  });
  port1.start();
  return (task) => {
    tasks.set(next++, task);
    port2.postMessage(null);
  };
}

/** What a user agent calls itself. Those that also call themselves by another's name come before it. */
const products = {
  node: "Node.js",
  deno: "Deno",
  bun: "Bun",
  firefox: "Firefox",
  edge: "Edg",
  chrome: "Chrome",
  safari: "Version",
};

/** See `IoServices.runtime`. */
export function runtimeName(): string {
  const agent = (globalThis as { readonly navigator?: { readonly userAgent?: string } }).navigator?.userAgent ?? "";
  for (const [name, product] of Object.entries(products)) {
    const [, version] = agent.split(`${product}/`);
    if (version !== undefined) return `${name} ${version.split(" ")[0]}`;
  }
  return "javascript unknown";
}
