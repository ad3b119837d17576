/** `node watchdog.ts FOLDER`: when standard input ends, so has whoever started the node in FOLDER; then it is removed. */

import { removeNode } from "./folder.ts";

const folder = process.argv[2];
if (folder === undefined) throw new Error("which folder?");

process.stdin.resume();
process.stdin.once("end", () => void removeNode(folder));
