import { expect, it } from "vitest";
import { DenoSocket } from "./socket.ts";

/** A socket that reads as many bytes as it is told to, of as many as there is room for, and the room that it had. */
function reading(): { readonly socket: DenoSocket; readonly rooms: number[]; read(size: number): Promise<Uint8Array> } {
  const rooms: number[] = [];
  let next = 0;
  const conn = {
    read: async (into: Uint8Array) => {
      rooms.push(into.length);
      return into.fill(rooms.length, 0, next).subarray(0, next).length;
    },
  };
  const socket = new DenoSocket(conn as unknown as Deno.Conn);
  const read = async (size: number): Promise<Uint8Array> => {
    next = size;
    return (await socket.read()) as Uint8Array;
  };
  return { socket, rooms, read };
}

const KiB = 1024;

it("reads more at once after each read that fills its memory, up to a limit", async () => {
  const { rooms, read } = reading();
  for (let round = 0; round < 7; round += 1) await read(Infinity);
  expect(rooms).toEqual([16, 32, 64, 64, 64, 64, 64].map((size) => size * KiB));
});

it("reads no more at once while there is room left", async () => {
  const { rooms, read } = reading();
  for (const size of [1, 16 * KiB - 1, Infinity, 32 * KiB - 1, 1]) await read(size);
  expect(rooms).toEqual([16, 16, 16, 32, 32].map((size) => size * KiB));
});

it("leaves what was read as it is when it gets more memory", async () => {
  const { read } = reading();
  const bytes = await read(Infinity);
  expect(bytes).toEqual(new Uint8Array(16 * KiB).fill(1));
});

it("reads into the memory of others, however full that gets, and keeps its own", async () => {
  const { socket, rooms, read } = reading();
  await read(5);
  const target = new Uint8Array(5);
  expect(await socket.read(target)).toEqual(Uint8Array.of(2, 2, 2, 2, 2));
  expect((await read(1)).buffer).not.toBe(target.buffer);
  expect(rooms).toEqual([16 * KiB, 5, 16 * KiB]);
});
