/** A verdict in words, for someone who sees one for the first time. */
import { propertyNames } from "../check/properties/properties.ts";
import type { TraceStep } from "../check/traces/trace.ts";
import { summaryOf } from "../check/traces/summary.ts";
import { searchText } from "./searchText.ts";
import { scopeInWords, type Verdict, type VerdictSlice, type VerdictViolation } from "../check/verdict.ts";

const count = (number: number): string => number.toLocaleString("en-US");
const wrap = (items: readonly string[]): string => (items.length === 0 ? "none" : items.join(", "));

const isOurs = (property: string): boolean => ["intended-dma", ...propertyNames].includes(property);

const headline = ({ result, end, system, adversaries, sampled, violations }: Verdict): string => {
  const who = adversaries.length === 0 ? "no untrusted component" : `whatever ${wrap(adversaries)} may do`;
  if (result === "holds") return `HOLDS  ${system}: every property holds in every reachable state, ${who}, at the scope below.`;
  if (result === "violated" && !violations.some(({ property }) => isOurs(property))) return `VIOLATED  ${system}: a property of your own does not hold.`;
  if (result === "violated") return `VIOLATED  ${system}: isolation can be broken.`;
  if (sampled !== undefined) return `INCONCLUSIVE  ${system}: ${count(sampled.walks)} random walk(s) met no violation${end === "sampled" ? "" : ` (${end})`}. A sample is no proof: none is excluded.`;
  if (end === "exhausted-by-hash") return `INCONCLUSIVE  ${system}: nothing was left to explore, but states were known by hash alone, so some may have been omitted. No violation was met, and none is excluded.`;
  return `INCONCLUSIVE  ${system}: exploration stopped at a bound (${end}). No violation was met, and none is excluded.`;
};

/** One invocation, with what it gave the SMMU. */
export const stepText = (step: TraceStep, index: number): string[] => {
  const named = Object.entries(step.args).map(([name, value]) => `${name}=${value}`);
  const stores = step.steps.map((given) => {
    const what = given.what === undefined ? "" : `  ; ${given.what}`;
    if (given.kind === "store") return `store [${given.addr}] ${given.old} -> ${given.new}${what}`;
    if (given.kind === "fill") return `clear [${given.addr}, ${given.size} bytes]${what}`;
    if (given.kind === "register") return `register [${given.addr}] = ${given.new}${what}`;
    return given.kind === "command" ? `command ${given.command!.join(" ")}${what}` : given.kind;
  });
  return [`  ${index + 1}. ${step.actor}: ${step.op}(${named.join(", ")}) -> ${step.result}`, ...stores.filter((line) => line !== "barrier").map((line) => `       ${line}`)];
};

const unscaledText = ({ unscaled }: VerdictViolation): string[] => {
  if (unscaled === undefined) return [];
  if (unscaled.result === "violated") return ["  Replayed on the whole layout, unscaled: it breaks there, too."];
  return [unscaled.result === "holds" ? "  Replayed on the whole layout, unscaled: it does not break there." : `  Replayed on the whole layout, unscaled: step ${unscaled.at + 1} answers ${unscaled.answered}.`];
};

const violationText = (violation: VerdictViolation, index: number, all: readonly VerdictViolation[]): string[] => {
  const { trace } = violation;
  const what = `  The property: ${violation.sentence}`;
  if (trace === undefined) return [`${violation.property}: ${violation.message}.`, what];
  const via = trace.witness.via.map(({ what: read, addr, value }) => `       ${read} at ${addr} = ${value}`);
  const transaction = trace.witness.iova === undefined ? [] : [`  Then a ${trace.witness.op} by stream ${trace.witness.sid} at IOVA ${trace.witness.iova} reaches ${trace.witness.pa}, by way of`];
  const first = all.findIndex(({ property }) => property === violation.property) === index;
  return [
    `${violation.property}: ${summaryOf(trace)}.`,
    ...(first ? [what] : []),
    `  ${!first ? "Another" : violation.shortest === false ? "Short" : trace.seed === undefined ? "Shortest" : "Shrunk"} trace, ${trace.steps.length} invocation(s)${violation.shortest === false ? ", not claimed to be the shortest" : ""}:`,
    ...trace.steps.flatMap(stepText),
    ...transaction,
    ...(transaction.length === 0 ? [] : via),
    ...unscaledText(violation),
  ];
};

/** What random walks looked at. */
const sampledText = ({ states, transitions, depth, sampled }: Verdict): string[] => {
  if (sampled === undefined) return [];
  const { seed, walks, runs, length, refused, refusalPairs, failed } = sampled;
  return [
    `Sampled: ${count(walks)} of ${count(runs)} random walks of at most ${length} invocations, seed ${seed}: ${count(transitions)} invocations performed, ${count(refused)} refused, ${count(states)} distinct states; the longest walk performed ${depth}.`,
    `Pairs of refusals that held of one invocation: ${refusalPairs}.`,
    ...(failed === undefined ? [] : [`The walk that failed performed ${failed.drawn} before it was shrunk. It is walked again by --replay ${failed.replay}`]),
  ];
};
const scopeText = ({ scope, sampled }: Verdict): string =>
  sampled?.whole === true ? `Scope: the whole layout, unscaled; IOVAs are those mapped at boot and ${scope.addresses} more, and a CNode that is made has ${scope.slots} slot(s).` : `Scope: ${scopeInWords(scope)}. Larger scopes are not covered.`;

const explored = (verdict: Verdict): string => {
  if (verdict.search !== undefined) return searchText(verdict, verdict.search);
  const { slices } = verdict;
  const counted = `${count(verdict.states)} states, ${count(verdict.transitions)} transitions${slices === undefined ? "" : ` in ${slices.length} slices`}`;
  if (verdict.end === "exhausted") return `Exhausted: ${counted}, no state${slices === undefined ? "" : " of a slice"} further than ${verdict.depth} invocations away.`;
  return `Explored: ${counted}, to depth ${verdict.depth} (${verdict.end}).`;
};

/** What was explored apart, or why it was not. */
const slicesText = ({ slices, end, uncertified, unsliced = [] }: Verdict): string[] => {
  const why = unsliced.map((reason) => `Not explored apart: ${reason}.`);
  if (slices === undefined) return why;
  const apart = `Explored apart: ${slices.map(({ components, states }) => `${components.join(" with ")} (${count(states)} states)`).join(", ")}.`;
  return [apart, certificateText(slices, end, uncertified), ...why];
};
const certificateText = (slices: readonly VerdictSlice[], end: string, uncertified = false): string => {
  if (uncertified) return "A bound came before it was certified that none influences another: what takes several of them was not looked for.";
  const shown = "What each run read and wrote shows that none influences another";
  if (end !== "exhausted") return `${shown}, as far as they went.`;
  const together = slices.reduce((product, { states }) => product * BigInt(states), 1n);
  return `${shown}, so together they have ${slices.map(({ states }) => count(states)).join(" x ")} = ${together.toLocaleString("en-US")} states.`;
};

/** How many states those that were met stand for, and what turned out not to be alike. */
const symmetryText = ({ symmetry }: Verdict): string[] => {
  if (symmetry === undefined) return [];
  const { renamings, states, notAlike = [] } = symmetry;
  const stands = renamings === 1 ? [] : [`They stand for ${count(states)} states: there are ${count(renamings)} ways to arrange what no invocation and no property tells apart, and each that was met has been held to that.`];
  return [...stands, ...notAlike.map((reason) => `Taken for alike and then not: ${reason}. It was explored again without.`)];
};

const pathsText = ({ intendedPaths: { judged, ofTrusted, unreached } }: Verdict): string => {
  const never = unreached.length === 0 ? "" : ` (never: ${wrap(unreached)})`;
  const trusted = ofTrusted === 0 ? "" : ` ${ofTrusted} more belong to trusted components, which make no invocation here.`;
  return `Intended DMA paths reached: ${judged - unreached.length} of ${judged}${never}.${trusted}`;
};

const notTriedText = ({ notTried }: Verdict, all: boolean): string[] => {
  const number = notTried.reduce((sum, { labels }) => sum + labels.length, 0);
  if (!all) return [`Invocations not tried at all: ${number} (with the reasons: --verbose and verdict.json).`];
  return ["Invocations not tried at all:", ...notTried.map(({ why, labels }) => `  ${labels.join(", ")}: ${why}`)];
};

/** Properties that held of nothing say less than they seem to. */
const vacuousText = ({ vacuous = [], result }: Verdict): string[] =>
  vacuous.map(({ property, needs }) => `VACUOUS  ${property}: there was no state in which ${needs}, so ${result === "holds" ? "it held of nothing" : "nothing was judged by it"}.`);

const profileFieldsText = ({ profileFields }: Verdict, all: boolean): string[] =>
  profileFields === undefined || !all
    ? []
    : [`Fields of the profile that decided something: ${wrap(profileFields.asked)}.`, `Fields that no decision asked for, so that with other values the same would have happened: ${wrap(profileFields.never)}.`];

/** `all`: list every refusal that was never reached, instead of their number. */
export const verdictText = (verdict: Verdict, all = false): string => {
  const refusals = verdict.unreachedRefusals;
  return [
    headline(verdict),
    "",
    ...verdict.violations.flatMap((violation, index, every) => [...violationText(violation, index, every), ""]),
    ...(verdict.sampled === undefined ? [explored(verdict), ...symmetryText(verdict), ...slicesText(verdict)] : sampledText(verdict)),
    scopeText(verdict),
    `Adversaries: ${wrap(verdict.adversaries)}; their devices may do any DMA at any time. Trusted: ${wrap(verdict.trusted)}.`,
    ...verdict.properties.map(({ name, sentence, result }) => `  ${result.padEnd(9)} ${name}: ${sentence}`),
    ...vacuousText(verdict),
    pathsText(verdict),
    ...notTriedText(verdict, all),
    `Invocations never performed: ${wrap(verdict.unreachedOperations)}.`,
    all ? `Refusals never reached:\n${refusals.map((line) => `  ${line}`).join("\n")}` : `Refusals never reached: ${refusals.length}${refusals.length === 0 ? "" : " (listed with --verbose and in verdict.json)"}.`,
    `Kernel: profile ${verdict.model.profile}${verdict.model.mutant === undefined ? "" : `, MUTANT without ${verdict.model.mutant}`}; machine ${verdict.model.machine}, caches ${verdict.model.caches}.`,
    ...profileFieldsText(verdict, all),
    `Taken for alike: ${wrap(verdict.reductions.map(({ name, says }) => `${says} (${name})`))}.`,
    "Assumed:",
    ...verdict.assumptions.map((line) => `  - ${line}`),
    "",
  ].join("\n");
};
