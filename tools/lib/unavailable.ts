/** Something that tests need is not on this machine and cannot be fetched. The message ends in how to get it. */
export class UnavailableError extends Error {
  override readonly name: string = "UnavailableError";
}
