/** `cofferdam hazards [NAME]`: scenarios that show what a kernel design lets happen, run now under each profile. */
import { hex } from "../../base/words.ts";
import { type Profile, profileNamed, profiles } from "../../kernel/profile.ts";
import { hazards as all } from "../../scenarios/hazards/all.ts";
import type { Hazard } from "../../scenarios/hazards/hazard.ts";
import { FIRST_STATE, searchHazard, type Searched, type Taken } from "../../scenarios/hazards/search.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";

export interface HazardsFlags {
  readonly profile: string | undefined;
  readonly json: boolean;
}

const lineJson = ({ line: { actor, cptr, label, words, caps }, answer }: Taken): object => ({ actor, cptr: hex(cptr), label, words: words.map(hex), caps: caps.map(hex), answer: answer.error });
const searchedJson = ({ found, states, length, exhausted }: Searched): object => ({
  ...(found === undefined ? {} : { found: { wrong: found.wrong, trace: found.moves.map(lineJson) } }),
  states,
  longest: length,
  exhausted,
});
const hazardJson = ({ name, says, read, source, assumed, board, setup }: Hazard, results: readonly (readonly [Profile, Searched])[]): object => ({
  name,
  says,
  read,
  source,
  assumed,
  board,
  firstState: FIRST_STATE,
  setup: setup.map(({ actor, cptr, label, words, caps }) => ({ actor, cptr: hex(cptr), label, words: words.map(hex), caps: caps.map(hex) })),
  profiles: Object.fromEntries(results.map(([{ name: profile }, searched]) => [profile, searchedJson(searched)])),
});

const resultText = ({ found, states, exhausted }: Searched): string => {
  if (found !== undefined) return found.moves.length === 0 ? "from boot on" : `in ${found.moves.length} invocation(s)`;
  return exhausted ? `absent: every sequence of the scenario's invocations leads to one of ${states} states, and it is in none` : `not met in ${states} states; not exhausted`;
};
const takenText = ({ line: { actor, cptr, label, words, caps }, answer }: Taken, index: number): string =>
  `       ${index + 1}. ${actor}: ${label} on ${hex(cptr)} words [${words.map(hex).join(", ")}] caps [${caps.map(hex).join(", ")}] -> ${answer.error}`;
const hazardText = ({ name, says, read, source, assumed, board }: Hazard, results: readonly (readonly [Profile, Searched])[], traces: boolean): string[] => [
  `${name}: ${says}`,
  `  Read:     ${read}`,
  `  Source:   ${source}`,
  `  Assumed:  ${assumed}`,
  `  To try:   ${board}`,
  ...results.flatMap(([{ name: profile }, searched]) => [
    `  ${profile.padEnd(20)} ${resultText(searched)}`,
    ...(traces && searched.found !== undefined ? [...searched.found.moves.map(takenText), `       ${searched.found.wrong}.`] : []),
  ]),
  "",
];

/** With a name, the shortest trace is printed, too. */
export const hazards = (name: string | undefined, { profile, json }: HazardsFlags): void => {
  const chosen = name === undefined ? all : all.filter((hazard) => hazard.name === name);
  if (chosen.length === 0) {
    showDiagnostics([{ id: "no-such-hazard", severity: "error", message: `there is no hazard \`${name!.slice(0, 60)}\``, hint: `there are ${all.map((hazard) => hazard.name).join(", ")}` }]);
    return exitWith(BAD_INPUT);
  }
  const under = profile === undefined ? profiles : [profileNamed(profile)!];
  const told: object[] = [];
  for (const hazard of chosen) {
    const results = under.map((candidate) => [candidate, searchHazard(hazard, candidate)] as const);
    if (json) told.push(hazardJson(hazard, results));
    else process.stdout.write(`${hazardText(hazard, results, name !== undefined).join("\n")}\n`);
  }
  if (json) return void process.stdout.write(`${JSON.stringify(told, undefined, 2)}\n`);
  process.stdout.write(`Scenarios begin in ${FIRST_STATE}, after a set-up that --json prints. What is said of hardware is an assumption until it was tried on a board.\n`);
};
