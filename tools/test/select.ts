/** `npm test -- WORD... [OPTION...]`: which steps to run, and what to hand on to vitest. */

import { runtimes, type Step, type Suite } from "./steps.ts";

export interface Selection {
  readonly steps: readonly Step[];
  readonly vitestArguments: readonly string[];
}

/**
 * Words choose steps by the words of their name, or projects of suites by theirs; without words all steps are chosen. From the first
 * option on, everything goes to vitest.
 */
export function select(all: readonly Step[], args: readonly string[]): Selection {
  const firstOption = args.findIndex((arg) => arg.startsWith("-"));
  const words = firstOption < 0 ? args : args.slice(0, firstOption);
  const vitestArguments = firstOption < 0 ? [] : args.slice(firstOption);
  const steps = words.length === 0 ? all : all.flatMap((step) => narrow(step, words));
  return { steps, vitestArguments };
}

function narrow(step: Step, words: readonly string[]): Step[] {
  const wanted = words.map((word) => word.toLowerCase());
  if (step.kind === "suite") {
    const projects = step.projects.filter((project) => wanted.includes(project));
    if (projects.length > 0) return [{ ...step, projects }];
  }
  const inName = step.name.toLowerCase().split(" ");
  return wanted.some((word) => inName.includes(word)) ? [step] : [];
}

/** The command line of a suite, up to the reporters. */
export function commandOf(suite: Suite, vitestArguments: readonly string[]): readonly [string, ...string[]] {
  const [program, ...args] = runtimes[suite.runtime].vitest;
  return [program as string, ...args, ...suite.projects.flatMap((name) => ["--project", name]), ...vitestArguments];
}
