import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openLog } from "./log.ts";
import { until } from "./testing/until.ts";

function folder(): string {
  const name = mkdtempSync(path.join(tmpdir(), "leveret-relay-"));
  onTestFinished(() => rmSync(name, { recursive: true }));
  return name;
}

function parse(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the log", () => {
  it("has every line, in order, when it is closed", async () => {
    const file = path.join(folder(), "log");
    const { log, close } = openLog("info", openSync(file, "w"));
    for (let index = 0; index < 1_000; index += 1) log.info({ index }, "something");
    log.debug({}, "not this");
    await close();
    expect(parse(readFileSync(file, "utf8")).map(({ index }) => index)).toEqual([...Array(1_000).keys()]);
  });

  it("keeps no more than a megabyte for one who does not read, and says what it dropped", async () => {
    const pipe = path.join(folder(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const { log, close } = openLog("info", openSync(pipe, "w"));
    const text = "x".repeat(1_000);
    const lines = 3_000;
    for (let index = 0; index < lines; index += 1) log.info({ text }, "something");

    let read = "";
    const room = Buffer.alloc(65_536);
    await until(() => {
      for (let size = 1; size > 0; ) {
        try {
          size = readSync(reader, room);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          size = 0;
        }
        read += room.toString("latin1", 0, size);
      }
      return read.includes("dropped");
    }, "the number of lines that were dropped");
    await close();
    closeSync(reader);
    const kept = parse(read).filter(({ msg }) => msg === "something").length;
    expect(kept).toBeGreaterThan(900);
    expect(kept).toBeLessThan(1_200);
    expect(parse(read).find(({ lines: count }) => count !== undefined)?.lines).toBe(lines - kept);
  });

  it("says only once that it cannot be written", async () => {
    const said: string[] = [];
    const listener = ({ message }: Error): void => void said.push(message);
    process.on("warning", listener);
    onTestFinished(() => void process.off("warning", listener));
    const { log, close } = openLog("info", openSync("/dev/full", "w"));
    log.info({}, "something");
    await until(() => said.length > 0, "the warning");
    log.info({}, "something");
    await close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(said).toEqual(["the relay's log cannot be written: ENOSPC"]);
  });

  it("holds up nobody's end that does not take what is left", async () => {
    const pipe = path.join(folder(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const { log, close } = openLog("info", openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK), 20);
    for (let index = 0; index < 1_000; index += 1) log.info({ text: "x".repeat(1_000) }, "something");
    await close();
    expect(readSync(reader, Buffer.alloc(4_096)), "what was not taken until then").toBe(4_096);
    closeSync(reader);
  });
});
