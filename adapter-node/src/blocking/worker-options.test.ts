import { expect, it } from "vitest";
import { workerArguments } from "./worker-options.ts";

it.each<[string[], string[] | undefined]>([
  [[], undefined],
  [["--import=./hooks.js"], undefined],
  [["--eval", "work()"], undefined],
  [["--input-type=module", "--eval", "work()", "--use-system-ca"], ["--use-system-ca"]],
  [
    ["-C", "source", "--input-type", "module", "-e", "work()"],
    ["-C", "source"],
  ],
  [["--eval=work()", "--input-type=module"], []],
])("%j leaves %j", (execArgv, expected) => {
  expect(workerArguments(execArgv)).toEqual(expected);
});
