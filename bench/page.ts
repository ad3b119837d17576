export async function pageOf(results: unknown): Promise<string> {
  return JSON.stringify(results);
}
