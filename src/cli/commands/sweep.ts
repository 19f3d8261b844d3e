/** `cofferdam check SPEC --sweep RANGES`: the same check at several scopes, smallest first, one row each. */
import type { Diagnostic } from "../../base/diagnostic.ts";
import { Refusal } from "../../check/refusal.ts";
import { contains, type Range, scopeNames, type ScopeName, scopesIn } from "../../check/sweep.ts";
import { loadProperties } from "../../check/properties/userProperty.ts";
import type { Verdict } from "../../check/verdict.ts";
import type { Scope } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE, INTERRUPTED, OK, VIOLATED } from "../exit.ts";
import { openSystem } from "../system.ts";
import { type CheckFlags, explore, objectionTo, parseScope, usage, verdictCode } from "./check.ts";

const MOST_SCOPES = 200;

/** `pages=1..3,slots=0..2`; a single number is a range of one. */
export const parseSweep = (text: string, base: Scope): readonly Scope[] | Diagnostic => {
  const ranges: Partial<Record<ScopeName, Range>> = {};
  for (const part of text.split(",").filter((piece) => piece !== "")) {
    const [, name, first, last] = /^([a-z]+)=(\d{1,3})(?:\.\.(\d{1,3}))?$/.exec(part) ?? [];
    if (name === undefined) return usage(`\`${part}\` is no range`, "write name=first..last with numbers from 0 to 999, such as pages=1..3,slots=0..2");
    if (!scopeNames.includes(name as ScopeName)) return usage(`the scope has no \`${name}\``, `use ${scopeNames.join(", ")}`);
    if (ranges[name as ScopeName] !== undefined) return usage(`the sweep gives \`${name}\` twice`, "give each once");
    const range = { first: Number(first), last: Number(last ?? first) };
    if (range.last < range.first) return usage(`\`${part}\` is an empty range`, "write the smaller number first");
    ranges[name as ScopeName] = range;
  }
  if ((ranges.pages ?? { first: base.pages }).first === 0) return usage("pages=0 leaves no memory to protect", "begin with pages=1");
  const count = Object.values(ranges).reduce((product, { first, last }) => product * (last - first + 1), 1);
  if (count > MOST_SCOPES) return usage(`${count} scopes are too many`, `give ranges with at most ${MOST_SCOPES} scopes`);
  return scopesIn(ranges, base);
};

export interface SweepRow {
  readonly scope: Scope;
  /** `not tried`: a smaller scope met a bound, or the time was over. */
  readonly result: Verdict["result"] | "not tried";
  readonly end?: string;
  readonly states?: number;
  readonly transitions?: number;
  readonly depth?: number;
  readonly seconds?: number;
  readonly violated?: readonly string[];
}

const scopeText = (scope: Scope): string => scopeNames.map((name) => `${name}=${scope[name]}`).join(",");
const count = (number: number | undefined): string => (number === undefined ? "-" : number.toLocaleString("en-US"));
const HEAD = ["scope", "states", "transitions", "depth", "seconds", "result"];
const cells = ({ scope, states, transitions, depth, seconds, result, end, violated = [] }: SweepRow): string[] => [
  scopeText(scope),
  count(states),
  count(transitions),
  count(depth),
  seconds === undefined ? "-" : seconds.toFixed(1),
  result === "inconclusive" ? `inconclusive (${end})` : result === "violated" ? `VIOLATED ${violated.join(", ")}` : result,
];
const widths = (scopes: readonly Scope[]): number[] => [Math.max(...scopes.map((scope) => scopeText(scope).length)), 12, 14, 5, 8];
const line = (of: readonly string[], width: readonly number[]): string => `${of.map((cell, at) => (at === 0 ? cell.padEnd(width[at]!) : at < width.length ? cell.padStart(width[at]!) : cell)).join("  ")}\n`;

const closing = (rows: readonly SweepRow[]): string => {
  const held = rows.filter(({ result }) => result === "holds").length;
  const open = rows.filter(({ result }) => result === "inconclusive" || result === "not tried");
  return [
    "",
    `${held} of ${rows.length} scopes were exhausted and hold${open.length === 0 ? "" : `; ${open.length} were not, and nothing is shown for them: ${open.map(({ scope }) => scopeText(scope)).join(" ")}`}.`,
    "Not covered: every scope that is not in the table, larger ones above all. That a few scopes hold is no proof that larger ones do.",
    "",
  ].join("\n");
};

/** Violated before inconclusive before fine. */
const worst = (codes: readonly number[]): number => [INTERRUPTED, VIOLATED, INCONCLUSIVE].find((code) => codes.includes(code)) ?? OK;

const explored = (scope: Scope, verdict: Verdict, seconds: number): SweepRow => ({
  scope,
  result: verdict.result,
  end: verdict.end,
  states: verdict.states,
  transitions: verdict.transitions,
  depth: verdict.depth,
  seconds,
  ...(verdict.violations.length === 0 ? {} : { violated: [...new Set(verdict.violations.map(({ property }) => property))] }),
});

const runAll = async (spec: string, scopes: readonly Scope[], flags: CheckFlags): Promise<void> => {
  const system = openSystem(spec);
  if (system === undefined) return;
  const width = widths(scopes);
  if (!flags.json) process.stdout.write(line(HEAD, width));
  const started = performance.now();
  const rows: SweepRow[] = [];
  const codes: number[] = [];
  for (const scope of scopes) {
    const left = flags.seconds - (performance.now() - started) / 1000;
    const bounded = rows.some((row) => row.result !== "holds" && row.result !== "violated" && contains(scope, row.scope));
    const tried = left > 0 && !bounded && !codes.includes(INTERRUPTED);
    const begun = performance.now();
    const verdict = tried ? await explore(system.plan.layout, scope, { ...flags, seconds: left }) : undefined;
    const row: SweepRow = verdict === undefined ? { scope, result: "not tried" } : explored(scope, verdict, (performance.now() - begun) / 1000);
    codes.push(verdict === undefined ? INCONCLUSIVE : verdictCode(verdict));
    rows.push(row);
    if (!flags.json) process.stdout.write(line(cells(row), width));
  }
  process.stdout.write(flags.json ? `${JSON.stringify(rows)}\n` : closing(rows));
  exitWith(worst(codes));
};

/** `--scope` gives what no range does. */
export const sweep = async (spec: string, text: string, flags: CheckFlags): Promise<void> => {
  const base = parseScope(flags.scope);
  const scopes = "id" in base ? base : parseSweep(text, base);
  const alone = flags.strategy === "random" || flags.out !== undefined || flags.checkpoint !== undefined || flags.resume !== undefined || flags.events;
  const wrong = "id" in scopes ? scopes : alone ? usage("a sweep gives one row for each scope and no verdict", "leave --out, --events, --checkpoint, --resume and --strategy out, and check the scope of a row by itself") : objectionTo(flags);
  try {
    if (wrong !== undefined) throw new Refusal(wrong);
    await loadProperties(flags.property);
    await runAll(spec, scopes as readonly Scope[], flags);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    showDiagnostics(error.diagnostics);
    exitWith(BAD_INPUT);
  }
};
