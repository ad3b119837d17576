import { giveUp } from "../../../adapter-bun/src/testing/give-up.ts";
import { denoIo } from "../index.ts";

giveUp(denoIo(), Number(process.argv[2]), process.argv[3]);
