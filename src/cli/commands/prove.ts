/** `cofferdam prove`: the inductive check of the core, obligation by obligation. */
import { hex } from "../../base/words.ts";
import { kinds } from "../../kernel/capability.ts";
import { cofferdam, mutantOf, type Safeguard } from "../../kernel/profile.ts";
import { type ClauseName, clauseNames, clauseSentence } from "../../check/inductive/clauses.ts";
import { consequence, type Counterexample, type FootprintJudged, type Induction, induction, largerText, type Obligation, sampled } from "../../check/inductive/induction.ts";
import { exportedObligations } from "../../check/inductive/obligations.ts";
import { outsideTheCore } from "../../check/inductive/settings.ts";
import type { Exported } from "../../check/inductive/smtlib.ts";
import { type Answered, askZ3 } from "../../check/inductive/z3.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE, OK, VIOLATED } from "../exit.ts";
import { write } from "./generate.ts";

export interface ProveFlags {
  readonly mutant: string | undefined;
  /** Random settings of each invocation in a larger plan; 0: none. */
  readonly larger: number;
  /** Folder for the obligations in SMT-LIB. */
  readonly smt: string | undefined;
  readonly z3: boolean;
  readonly json: boolean;
}

const SEED = 1;
/** Invocations and parts of the kernel that the obligations say nothing about. */
const OUTSIDE =
  "that a system's first state has the invariant; Retype; page tables as objects (mapped, unmapped, deleted); frames above 4 KiB and page attributes; CNodes as objects; Mint, Mutate and Rotate; ASID pools; CD tables; several SMMUs; resets and errors of the SMMU; threads and IPC";

const stepText = (step: Counterexample["steps"][number]): string => {
  if (step.kind === "store") return `store ${step.what} := ${hex(step.value)}`;
  if (step.kind === "command") return step.what;
  return step.kind;
};
const capText = ({ kind, object, rights, asid, page, parent }: Counterexample["setting"]["around"]["slots"][number]): string => {
  if (kind === 0) return "empty";
  const frame = kinds[kind] === "frame" ? ` ${["without rights", "read-write", "read-only"][rights]}, ${asid < 0 ? "not mapped" : `mapped at page ${page} of space ${asid}`}` : "";
  return `${kinds[kind]} ${object}${frame}${parent < 0 ? "" : `, derived from slot ${parent}`}`;
};
const none = (row: number): string => (row < 0 ? "none" : String(row));
const counterexampleText = ({ size, core, setting, wrong, steps }: Counterexample): string[] => [
  `      ${wrong}`,
  `      in ${size}:`,
  `        streams bound to banks: ${core.bound.map(none).join(", ")}; banks' spaces: ${core.space.map(none).join(", ")}; live spaces: ${core.live.join(", ")}; mapped: ${core.leaves.map((row) => row.join(" ")).join(" | ")} (0 nothing, else 1 + 3 * frame + rights)`,
  `        slots from 3 on: ${setting.around.slots.map(capText).join("; ")}`,
  `        words: ${setting.request.words.map(hex).join(", ")}`,
  `        gives: ${steps.length === 0 ? "nothing" : steps.map(stepText).join("; ")}`,
  `      A counterexample to induction: the clause holds before and not after. That state may be one that no run reaches.`,
];

const obligationText = ({ clause, judged, failed, counterexample }: Obligation): string[] => [
  `    ${failed === 0 ? "holds" : "FAILS"}  ${clause.padEnd(20)} ${judged} judged${failed === 0 ? "" : `, ${failed} failed`}`,
  ...(counterexample === undefined ? [] : counterexampleText(counterexample)),
];
const byInvocation = <T extends { readonly invocation: string }>(items: readonly T[]): [string, T[]][] => [...Map.groupBy(items, ({ invocation }) => invocation)];

const footprintText = (footprints: readonly FootprintJudged[]): string[] => [...new Set(footprints.flatMap(({ beyond }) => beyond.map((what) => `    FAILS  footprint            it ${what}, which is not declared`)))];

const resultText = ({ obligations, footprints }: Pick<Induction, "obligations" | "footprints">): string[] =>
  byInvocation(obligations).flatMap(([invocation, own]) => [`  ${invocation}`, ...own.flatMap(obligationText), ...footprintText(footprints.filter((each) => each.invocation === invocation))]);

const failedIn = ({ obligations, footprints }: Pick<Induction, "obligations" | "footprints">): boolean => obligations.some(({ failed }) => failed > 0) || footprints.some(({ beyond }) => beyond.length > 0);

const clausesText = (): string[] => ["The invariant:", ...clauseNames.map((name: ClauseName) => `  ${name.padEnd(20)} ${clauseSentence(name)}`), ""];

const shown =
  "SHOWN: each invocation of the core keeps the invariant, from every state of these plans that it allows. An invocation touches no rows but those declared and each clause speaks of few, so this is so for any number of objects; that step is an argument (src/check/inductive/induction.ts), and was not computed.";
const notShown = "NOT SHOWN: an obligation fails, so the invariant says nothing about what follows.";

const verdictText = (result: Induction, failed: boolean): string[] => {
  const { consequence: follows, plans, runs, refused } = result;
  return [
    "",
    `  ${follows.wrong === undefined ? "holds" : "FAILS"}  ${consequence} ${follows.states} states judged${follows.wrong === undefined ? "" : `: ${follows.wrong}`}`,
    "",
    ...plans.map(({ size, states }) => `Every state of ${size}: ${states}.`),
    `${runs} runs of an invocation, ${refused} refused, ${result.obligations.length} obligations.`,
    failed ? notShown : shown,
    `Not in the core, and not spoken of: ${OUTSIDE}.`,
  ];
};

const answersText = (answers: readonly Answered[]): string[] => [
  `Z3: ${answers.filter(({ answer, expected }) => answer === expected).length} of ${answers.length} obligations answered as they should be.`,
  ...answers.filter(({ answer, expected }) => answer !== expected).map(({ invocation, clause, answer, expected }) => `    FAILS  ${invocation}, ${clause}: ${answer}, not ${expected}`),
  "  They speak of any number of rows. How invocations change a row is derived from the runs above, by the facts that made a difference there: that larger systems show no further fact is not computed.",
  "  Not among them: the clause `meanwhile`, and revocation from a control capability.",
];

/** Writes the obligations, and asks Z3; undefined where that could not be done. */
const second = async (files: readonly Exported[], { smt, z3 }: ProveFlags): Promise<readonly Answered[] | undefined> => {
  if (smt !== undefined && !write(smt, files.map(({ file, text }) => ({ name: file, text })))) return undefined;
  if (!z3) return [];
  const answers = await askZ3(files, () => {});
  if (answers !== undefined) return answers;
  showDiagnostics([{ id: "no-z3", severity: "error", message: "the package z3-solver is not installed", hint: "npm install --no-save --ignore-scripts z3-solver@5.2.0, or --smt DIR and a solver of your own" }]);
  exitWith(BAD_INPUT);
  return undefined;
};

const code = (failed: boolean, open: boolean): number => {
  if (failed) return VIOLATED;
  return open ? INCONCLUSIVE : OK;
};
const jsonText = (value: unknown): string => `${JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? hex(member) : member), 2)}\n`;

export const prove = async (flags: ProveFlags): Promise<void> => {
  if (flags.larger < 0) {
    showDiagnostics([{ id: "usage", severity: "error", message: `${flags.larger} settings cannot be tried`, hint: "give --larger at least 1, or leave it out" }]);
    return exitWith(BAD_INPUT);
  }
  const profile = flags.mutant === undefined ? cofferdam : mutantOf(cofferdam, flags.mutant as Safeguard);
  const exports = flags.smt !== undefined || flags.z3;
  const { induction: result, files, leftOut } = exports ? exportedObligations(profile) : { induction: induction({ profile }), files: [], leftOut: [] };
  const answers = await second(files, flags);
  if (answers === undefined) return;
  const more = flags.larger > 0 ? sampled({ profile }, { settings: flags.larger, seed: SEED }) : undefined;
  const disagrees = answers.some(({ answer, expected }) => answer !== expected && answer !== "unknown");
  const failed = failedIn(result) || result.consequence.wrong !== undefined || (more !== undefined && failedIn(more));
  const blind = outsideTheCore.some((safeguard) => safeguard === flags.mutant);
  const open = blind || more !== undefined || leftOut.length > 0 || answers.some(({ answer }) => answer === "unknown");
  if (flags.json) process.stdout.write(jsonText({ ...result, ...(exports ? { leftOut, answers } : {}), ...(more === undefined ? {} : { sampled: more }) }));
  else
    process.stdout.write(
      [
        ...clausesText(),
        "By invocation:",
        ...resultText(result),
        ...verdictText(result, failed),
        ...(blind ? [`What ${flags.mutant} guards is not in the core, so nothing was shown of a kernel without it.`] : []),
        ...leftOut.map((what) => `Left out of the obligations for a solver: ${what}.`),
        ...(flags.z3 ? answersText(answers) : []),
        ...(more === undefined ? [] : ["", `Sampled, seed ${SEED}: ${more.runs} runs in ${largerText}. This shows nothing, so the exit code is 3 where nothing fails.`, ...resultText(more)]),
        "",
      ].join("\n"),
    );
  exitWith(code(failed || disagrees, open));
};
