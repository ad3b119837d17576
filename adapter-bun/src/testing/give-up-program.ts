import { bunIo } from "../index.ts";
import { giveUp } from "./give-up.ts";

giveUp(bunIo(), Number(process.argv[2]), process.argv[3]);
