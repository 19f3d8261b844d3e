/** `cofferdam check --mutants`: every broken kernel on the system that shows it, and which property catches it. */
import { fileURLToPath } from "node:url";
import { defaultBounds } from "../../check/checkOptions.ts";
import { type Mutant, mutants } from "../../check/mutants.ts";
import { mutantResult, type MutantResult } from "../../check/mutantResult.ts";
import { safeguards } from "../../kernel/profile.ts";
import { defaultScope } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INTERRUPTED, VIOLATED } from "../exit.ts";
import { openSystem } from "../system.ts";
import { explore, usage } from "./check.ts";

export interface MutantsFlags {
  /** No spec is taken: the systems are the shipped ones. */
  readonly spec: string | undefined;
  readonly system: string | undefined;
  readonly json: boolean;
}

const fileOf = (system: string): string => fileURLToPath(new URL(`../../../specs/systems/${system}/system.yaml`, import.meta.url));

const listed = (found: readonly { readonly property: string; readonly length: number }[]): string =>
  found.length === 0 ? "nothing" : found.map(({ property, length }) => `${property} in ${length}`).join(", ");

const rowText = ({ without, system, expected, found, result }: MutantResult): string =>
  [
    `${result === "as expected" ? "caught  " : result === "caught otherwise" ? "OTHER   " : "MISSED  "}${without} on ${system}: ${listed(found)}${result === "as expected" ? "" : `; expected ${listed(expected)}`}`,
    `          ${safeguards[without]}`,
  ].join("\n");

const runOne = async (mutant: Mutant): Promise<MutantResult | undefined> => {
  const opened = openSystem(fileOf(mutant.system));
  if (opened === undefined) return undefined;
  const scope = { ...defaultScope, ...mutant.scope };
  return mutantResult(mutant, await explore(opened.plan.layout, scope, { ...defaultBounds, profile: "cofferdam", mutant: mutant.without, caches: "may", events: false }));
};

export const checkMutants = async ({ spec, system, json }: MutantsFlags): Promise<void> => {
  const chosen = mutants.filter((mutant) => system === undefined || mutant.system === system);
  const systems = [...new Set(mutants.map((mutant) => mutant.system))];
  const wrong = spec !== undefined ? usage("--mutants takes no spec: each broken kernel has its own system", `leave \`${spec}\` out; --system is one of ${systems.join(", ")}`) : chosen.length === 0 ? usage(`no broken kernel is checked on \`${system}\``, `give --system one of ${systems.join(", ")}`) : undefined;
  if (wrong !== undefined) {
    showDiagnostics([wrong]);
    return exitWith(BAD_INPUT);
  }
  const results: MutantResult[] = [];
  for (const mutant of chosen) {
    const result = await runOne(mutant);
    if (result === undefined) return;
    if (result.end === "interrupted") return exitWith(INTERRUPTED);
    results.push(result);
    if (!json) process.stdout.write(`${rowText(result)}\n`);
  }
  const missed = results.filter(({ result }) => result === "missed").length;
  const other = results.filter(({ result }) => result === "caught otherwise").length;
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else process.stdout.write(`\n${results.length - missed} of ${results.length} broken kernels were caught${other === 0 ? "" : `, ${other} of them by other properties or in other lengths than expected`}.\n`);
  if (missed + other > 0) exitWith(VIOLATED);
};
