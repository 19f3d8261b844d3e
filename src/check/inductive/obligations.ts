/** The obligations for an SMT solver: the inductive check is run, and its runs are what the transitions are derived from. */
import type { Profile } from "../../kernel/profile.ts";
import { type Induction, induction } from "./induction.ts";
import { coreInvocations } from "./settings.ts";
import { type Exported, exportInvocation, missingIn } from "./smtlib.ts";
import { Derivation } from "./transitions.ts";
import { namesOf } from "./vocabulary.ts";

export interface Obligations {
  readonly induction: Induction;
  readonly files: readonly Exported[];
  /** What is left out, and why. */
  readonly leftOut: readonly string[];
}

export const exportedObligations = (profile: Profile, only?: readonly string[]): Obligations => {
  const derivations = new Map<string, Derivation>();
  const result = induction({
    profile,
    ...(only === undefined ? {} : { only }),
    watch: ({ name, roles }, run) => {
      if (roles === undefined) return;
      let derivation = derivations.get(name);
      if (derivation === undefined) derivations.set(name, (derivation = new Derivation(namesOf(roles), roles.target, roles.deletes ?? false)));
      derivation.add(run);
    },
  });
  const files: Exported[] = [];
  const leftOut: string[] = [];
  for (const { name, roles, footprint } of coreInvocations) {
    const derivation = derivations.get(name);
    if (roles === undefined || derivation === undefined) continue;
    const transition = derivation.finish();
    const missing = missingIn(transition, footprint);
    if (missing.length > 0) leftOut.push(`${name}: no table of facts says ${missing.join(", ")}`);
    files.push(...exportInvocation(name, roles, footprint, transition));
  }
  return { induction: result, files, leftOut };
};
