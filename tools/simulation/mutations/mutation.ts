/** A deliberate bug. It changes one place of one file, which must be there exactly once. */

/** What a bug is looked for with. */
export type TierName = "engine" | "client" | "recovery";

export interface Mutation {
  /** What the bug is. */
  readonly name: string;
  /** The tier of the simulation that has to find it. */
  readonly tier: TierName;
  /** The file, from the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Makes the bugs of a folder, which one tier has to find. */
export function bugsIn(
  folder: string,
  tier: TierName,
): (name: string, file: string, find: string, replace: string) => Mutation {
  return (name, file, find, replace) => ({ name, tier, file: `${folder}/${file}`, find, replace });
}
