/** The obligations for an SMT solver: the inductive check is run, and its runs are what the transitions are derived from. */
import type { Profile } from "../../kernel/profile.ts";
import { type Induction, induction, type InductionOptions, sampled } from "./induction.ts";
import { coreInvocations } from "./settings.ts";
import { type Exported, exportInvocation, missingIn, untouched } from "./smtlib.ts";
import { Derivation } from "./transitions.ts";
import { namesOf } from "./vocabulary.ts";

export interface Obligations {
  readonly induction: Induction;
  readonly files: readonly Exported[];
  /** What is left out, and why. */
  readonly leftOut: readonly string[];
}

/** The inductive check, with what its runs say of each invocation. */
const derived = (profile: Profile, only: readonly string[] | undefined): { readonly induction: Induction; readonly derivations: ReadonlyMap<string, Derivation> } => {
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
  return { induction: result, derivations };
};

/** Random runs of a larger plan under a profile, held against the tables that the small plans gave under one: what differs. */
export const contradictionsInLarger = (tablesOf: Profile, profile: Profile, settings: number, seed: number, only?: readonly string[]): string[] => {
  const { derivations } = derived(tablesOf, only);
  const found: string[] = [];
  const watch: InductionOptions["watch"] = ({ name, footprint }, run) => {
    const derivation = derivations.get(name);
    if (derivation === undefined) return;
    const { silent } = derivation;
    found.push(...derivation.contradictions(run, (output) => !untouched({ output }, footprint, silent)).map((what) => `${name}: ${what}`));
  };
  sampled({ profile, watch, ...(only === undefined ? {} : { only }) }, { settings, seed });
  return found;
};

export const exportedObligations = (profile: Profile, only?: readonly string[]): Obligations => {
  const { induction: result, derivations } = derived(profile, only);
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
