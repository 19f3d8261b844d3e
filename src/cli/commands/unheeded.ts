/** Flags of `check` that what was asked for does not heed: told, so that nobody takes its answer for an answer to them. */
import type { Diagnostic } from "../../base/diagnostic.ts";
import { usage } from "./check.ts";

/** Flags by name, but for those that have their standard value. */
export type GivenFlags = ReadonlySet<string>;

interface Way {
  readonly way: string;
  readonly heeds?: readonly string[];
  readonly ignores?: readonly string[];
}

const LIST: Way = { way: "--list", heeds: ["list", "json"] };
/** What it says of a spec is told where its systems are known. */
const MUTANTS: Way = { way: "--mutants", heeds: ["mutants", "system", "json"] };
const RANDOM: Way = { way: "--strategy random", ignores: ["workers", "unreduced", "max-states", "max-depth", "max-memory", "system", "checkpoint-seconds"] };
const OTHER: Way = { way: "check without --mutants", ignores: ["system"] };

const wayOf = (given: GivenFlags): Way => {
  if (given.has("list")) return LIST;
  if (given.has("mutants")) return MUTANTS;
  return given.has("strategy=random") ? RANDOM : OTHER;
};

const named = (names: readonly string[]): string => names.map((name) => `--${name}`).join(", ");

/** `given` has `strategy=random` besides `strategy`, where walks are asked for. */
export const unheeded = (given: GivenFlags): Diagnostic | undefined => {
  const { way, heeds, ignores = [] } = wayOf(given);
  const odd = [...given].filter((name) => !name.includes("=") && (heeds === undefined ? ignores.includes(name) : !heeds.includes(name)));
  if (odd.length > 0) return usage(`${way} does not heed ${named(odd)}`, `leave ${named(odd)} out`);
  if (given.has("checkpoint-seconds") && !given.has("checkpoint")) return usage("--checkpoint-seconds says how often a run is kept, and not where", "give --checkpoint, too");
  if (given.has("json") && given.has("events")) return usage("--json and --events are two forms of one answer", "leave one of them out");
  return undefined;
};
