/** What stops the recipe and is not its own bug: one sentence for people; exit code 2. */
export class Failure extends Error {
  override readonly name = "Failure";
}
export const fail = (sentence: string): never => {
  throw new Failure(sentence);
};
