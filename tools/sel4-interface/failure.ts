/** What is wrong with the input and no bug of this tool: one sentence for people; exit code 2. */
export class Failure extends Error {
  override readonly name = "Failure";
}
export const fail = (sentence: string): never => {
  throw new Failure(sentence);
};
