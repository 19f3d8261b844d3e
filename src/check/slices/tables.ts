/**
 * Do the kernel's tables keep two slices apart? An invocation is deterministic in what it reads (design D4). So if whatever
 * one slice asked of any of its states has the same answer in every state of the other as in the first state, and neither
 * writes what the other changes, then in a state of the whole system, which is made of one state of each, every invocation
 * comes to what it comes to in its own slice. The machine's number is judged apart (footprint.ts).
 */
import { type PackedMatch, packedMatch, shiftOf, type TablePlace, wordOf } from "../../base/state.ts";
import { UNTYPED } from "../../kernel/capability.ts";
import type { Fact, QueryFact } from "../outcomes/facts.ts";
import type { Evidence } from "./evidence.ts";

/** Whether a row meets a question is the same in every state of a run. */
const isSteady = ({ changed, initial, values }: Evidence, place: TablePlace, row: number, { mask, value }: PackedMatch): boolean => {
  const word = wordOf(place, row);
  if (changed[word] === 0) return true;
  const shift = shiftOf(place, row);
  const meets = (of: number): boolean => (((of >>> shift) & mask) ^ value) === 0;
  const first = meets(initial[word]!);
  for (const one of values(word)) if (meets(one) !== first) return false;
  return true;
};
const changesAnswer = (other: Evidence, fact: QueryFact): boolean => {
  const { place, match } = fact;
  const except = fact.is === "any" ? fact.except : -1;
  for (let row = 0; row < place.table.rows; row++) if (row !== except && !isSteady(other, place, row, match)) return true;
  return false;
};

const tableAt = (tables: readonly TablePlace[], word: number): string => tables.findLast(({ base }) => base <= word)!.name;

/** May a fact be another in some state of a run than in its first? */
const changes = (run: Evidence, fact: Fact, machine: number): boolean =>
  fact.is === "field" ? fact.word !== machine && (run.changed[fact.word]! & (fact.mask << fact.shift)) !== 0 : changesAnswer(run, fact);

/**
 * A part of a property that was judged in every run is judged of the whole if in some run it asked for nothing that another
 * changes: then it says of a state of the whole what it says of that run's. Undefined if there is such a run; otherwise
 * the one that the fewest others disturb, and those.
 */
export const judgedByNone = (runs: readonly { readonly evidence: Evidence; readonly asked: ReadonlySet<Fact> }[], machine: number): readonly number[] | undefined => {
  const disturbed = runs.map(({ asked }, at) => [at, ...runs.flatMap(({ evidence }, other) => (other !== at && [...asked].some((fact) => changes(evidence, fact, machine)) ? [other] : []))]);
  const least = disturbed.toSorted((one, other) => one.length - other.length)[0]!;
  return least.length === 1 ? undefined : least;
};

/** Why the tables do not keep a slice from what another did; undefined where they do. */
export const disturbance = (slice: Evidence, other: Evidence, tables: readonly TablePlace[], machine: number): string | undefined => {
  for (const [word, bits] of slice.written.entries()) if (word !== machine && (bits & other.changed[word]!) !== 0) return `both write the table \`${tableAt(tables, word)}\``;
  for (const fact of slice.asked) if (changes(other, fact, machine)) return `one changes what the other reads of the table \`${fact.is === "field" ? tableAt(tables, fact.word) : fact.place.name}\``;
  return undefined;
};

/**
 * Canonical form looks at a slice's own untypeds only (canonical.ts), which is enough if none changes a capability to
 * another's: what is in canonical form stays so.
 */
export const touchesUntyped = ({ changed, values }: Evidence, slots: TablePlace, own: readonly number[], untypeds: number): boolean => {
  for (let untyped = 0; untyped < untypeds; untyped++) {
    if (own.includes(untyped)) continue;
    const match = packedMatch(slots, { kind: UNTYPED, object: untyped });
    // Rows of more than a word are not told apart.
    if (match === undefined) return true;
    for (let row = 0; row < slots.table.rows; row++) {
      const word = wordOf(slots, row);
      if (changed[word] === 0) continue;
      for (const one of values(word)) if ((((one >>> shiftOf(slots, row)) & match.mask) ^ match.value) === 0) return true;
    }
  }
  return false;
};
