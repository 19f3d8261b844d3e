/** What a check of a broken kernel came to, against what it must come to. */
import type { Mutant } from "./mutants.ts";
import type { Safeguard } from "../kernel/profile.ts";
import type { Verdict } from "./verdict.ts";

export interface Catch {
  readonly property: string;
  /** Invocations on the shortest trace. */
  readonly length: number;
}
export interface MutantResult {
  readonly without: Safeguard;
  readonly system: string;
  readonly expected: readonly Catch[];
  readonly found: readonly Catch[];
  /** `caught otherwise`: by other properties, or by shorter or longer traces. */
  readonly result: "as expected" | "caught otherwise" | "missed";
  readonly end: string;
}

export const mutantResult = ({ without, system, caughtBy, length }: Mutant, { violations, end }: Pick<Verdict, "violations" | "end">): MutantResult => {
  const expected = caughtBy.map((property) => ({ property, length }));
  const found = violations.flatMap((violation) => (violation.length === undefined ? [] : [{ property: violation.property, length: violation.length }]));
  const same = JSON.stringify(found) === JSON.stringify(expected);
  return { without, system, expected, found, result: found.length === 0 ? "missed" : same ? "as expected" : "caught otherwise", end };
};
