/** `node watchdog.ts FOLDER...`: when standard input ends, so has whoever started the nodes; then they are removed. */

import { removeNode } from "./folder.ts";

const folders = process.argv.slice(2);
if (folders.length === 0) throw new Error("which folders?");

process.stdin.resume();
process.stdin.once("end", () => void Promise.all(folders.map((folder) => removeNode(folder))));
