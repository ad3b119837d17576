/** Something that tests need is not on this machine and cannot be fetched. The message ends in how to get it. */
export class UnavailableError extends Error {
  override readonly name: string = "UnavailableError";
}

const isCI = (process.env.CI ?? "") !== "" && process.env.CI !== "false";

/**
 * Runs a check, and says where it could not be made for lack of something; with `CI` set that is a problem too.
 *
 * @param otherwise What was not done, as a sentence without its end.
 */
export async function whereAvailable(otherwise: string, check: () => Promise<string[]>): Promise<string[]> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    const problem = `${otherwise}: ${error.message}`;
    if (isCI) return [problem];
    console.error(problem);
    return [];
  }
}
