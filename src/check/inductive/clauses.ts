/**
 * The invariant, as clauses. Each speaks of every choice of a few rows, and is judged on the kernel's tables and on what
 * the machine says.
 *
 * Two sorts. A *universal* clause says something of rows that are there; it also holds of fewer rows, so a state with
 * any number of objects may be cut down to those that an invocation and a clause name. A *witnessed* clause says
 * that a capability exists, so the cut keeps its witness; of these it is shown that each choice of rows for which it held
 * before has it after, whatever the other choices do.
 */
import { NONE, type Tables } from "../../base/state.ts";
import { CB, FRAME, KERNEL_ONLY, NULL, READ_WRITE, SID, VSPACE } from "../../kernel/capability.ts";
import type { KernelShape } from "../../kernel/state.ts";
import { type Core, frameIn, type Leaf, rightsIn, spaceOf, UNMAPPED } from "./coreState.ts";
import { type Entry, type Facts, OTHER } from "./facts.ts";
import type { SmallPlan } from "./smallPlan.ts";

export interface Judged {
  readonly small: SmallPlan;
  readonly tables: Tables<KernelShape>;
  readonly core: Core;
  readonly facts: Facts;
}

export const clauseNames = [
  "stream entry",
  "kept entries",
  "cached translations",
  "tables in memory",
  "commands done",
  "live spaces",
  "issued objects",
  "mapped frames",
  "bound streams",
  "assigned banks",
  "meanwhile",
] as const;
export type ClauseName = (typeof clauseNames)[number];

export interface Clause {
  readonly name: ClauseName;
  /** What it is judged on: the bindings and what the machine says, or the kernel's tables, too. */
  readonly about: "machine" | "tables";
  readonly sentence: string;
  /** What is wrong, or undefined. */
  readonly wrong: (judged: Judged) => string | undefined;
}
export interface WitnessedClause {
  readonly name: ClauseName;
  readonly sentence: string;
  /** How many choices of rows there are, in words the rows of each, and whether it holds of one. */
  readonly choices: (small: SmallPlan) => number;
  readonly text: (small: SmallPlan, choice: number) => string;
  readonly holds: (judged: Omit<Judged, "facts">, choice: number) => boolean;
}

const firstOf = <T>(items: readonly T[], wrong: (item: T, index: number) => string | undefined): string | undefined => {
  for (const [index, item] of items.entries()) {
    const found = wrong(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** What a stream's entry has to be: one function of its binding and its bank's address space. */
export const entryDue = ({ size }: SmallPlan, core: Core, stream: number): Entry => {
  const space = spaceOf(core, stream);
  return space === NONE ? NONE : core.bound[stream]! * size.spaces + space;
};
const entryText = ({ size }: SmallPlan, entry: Entry): string => {
  if (entry === OTHER) return "none of the entries that the kernel makes";
  return entry === NONE ? "an abort" : `the VMID of bank ${Math.floor(entry / size.spaces)} over space ${entry % size.spaces}`;
};
export const leafText = (leaf: Leaf): string => {
  if (leaf === OTHER) return "nothing that the kernel writes";
  if (leaf === UNMAPPED) return "nothing";
  return `frame ${frameIn(leaf)} ${["without rights", "read-write", "read-only"][rightsIn(leaf)]}`;
};

export const universal: readonly Clause[] = [
  {
    name: "stream entry",
    about: "machine",
    sentence: "A stream's entry in memory is an abort where the stream is unbound or its bank has no address space, and otherwise the root of that space under the bank's VMID.",
    wrong: ({ small, core, facts }) =>
      firstOf(facts.entries, (entry, stream) => (entry === entryDue(small, core, stream) ? undefined : `the entry of stream ${stream} is ${entryText(small, entry)}, not ${entryText(small, entryDue(small, core, stream))}`)),
  },
  {
    name: "kept entries",
    about: "machine",
    sentence: "What the SMMU may have kept of a stream's entry aborts, whatever its other words are; of an entry that translates it has kept no other.",
    wrong: ({ small, core, facts }) =>
      firstOf(facts.kept, (kept, stream) => {
        if (facts.keptOpen[stream]!) return `the SMMU may have kept an entry of stream ${stream} that does not abort`;
        return kept && entryDue(small, core, stream) !== NONE ? `the SMMU may have kept an earlier entry of stream ${stream}, which translates` : undefined;
      }),
  },
  {
    name: "cached translations",
    about: "machine",
    sentence: "What may be cached under a bank's VMID is what the bank's address space says now: its own tables, and for each page the frame that is mapped there, with those rights.",
    wrong: ({ core, facts }) =>
      firstOf(facts.pages, ({ bank, page, leaf }) => {
        const space = core.space[bank] ?? NONE;
        if (space !== NONE && page !== OTHER && leaf !== OTHER && core.leaves[space]![page] === leaf) return undefined;
        return `the TLB may hold ${leafText(leaf)} for page ${page} under the VMID of bank ${bank}, where ${space === NONE ? "no space is assigned" : `space ${space} has ${leafText(core.leaves[space]![page] ?? UNMAPPED)}`}`;
      }) ?? firstOf(facts.paths, ({ bank, space }) => (space !== OTHER && core.space[bank] === space ? undefined : `a table descriptor of space ${space} may be cached under the VMID of bank ${bank}, which has ${core.space[bank]}`)),
  },
  {
    name: "tables in memory",
    about: "machine",
    sentence: "Of a live address space, the words in memory are what the kernel's own entries say.",
    wrong: ({ core, facts }) =>
      firstOf(core.live, (live, space) => {
        if (live === 0) return undefined;
        if (!facts.upper[space]!) return `the tables of space ${space} are not as they were built`;
        return firstOf(core.leaves[space]!, (leaf, page) => (facts.memory[space]![page] === leaf ? undefined : `memory has ${leafText(facts.memory[space]![page]!)} at page ${page} of space ${space}, and the kernel ${leafText(leaf)}`));
      }),
  },
  { name: "commands done", about: "machine", sentence: "No command waits for a SYNC or overtook the stores in front of it, and the command queue has not stopped.", wrong: ({ facts }) => (facts.quiet ? undefined : "a command was not completed, or given before a barrier") },
  {
    name: "live spaces",
    about: "tables",
    sentence: "A capability to an address space names one whose ASID names it; one that no ASID names maps nothing.",
    wrong: ({ small, tables, core }) => {
      const dead = firstOf(core.live, (live, space) => {
        if (live === 0 && core.leaves[space]!.some((leaf) => leaf !== UNMAPPED)) return `space ${space} maps a frame and no ASID names it`;
        return (tables.vspace.at(space).asid === space) === (tables.asid.at(space).vspace === space) ? undefined : `space ${space} and its ASID disagree`;
      });
      if (dead !== undefined) return dead;
      return tables.slot.some((slot) => slot.kind === VSPACE && core.live[slot.object] !== 1) || small.plan.cbs.some(({ node }) => ![NULL, VSPACE].includes(tables.slot.at(node).kind))
        ? "a capability names an address space that no ASID names"
        : undefined;
    },
  },
  {
    name: "issued objects",
    about: "tables",
    sentence: "A stream or bank that a capability names is marked as issued, so that no second original is made.",
    wrong: ({ small, tables }) => {
      if (tables.slot.some(({ kind, object }) => (kind === SID && tables.sid.at(object).issued !== 1) || (kind === CB && tables.cb.at(object).issued !== 1))) return "a capability names an object that could be issued again";
      return small.plan.sids.some(({ node }) => ![NULL, CB].includes(tables.slot.at(node).kind)) ? "a stream is bound to what is no bank" : undefined;
    },
  },
];

/** A frame capability of these rights may map with those. */
const covers = (cap: number, leaf: number): boolean => leaf === KERNEL_ONLY || cap === READ_WRITE || cap === leaf;
/** A capability in a component's slot, or with `copies` in the kernel's own, too. */
const somebodyHolds = ({ small, tables }: Omit<Judged, "facts">, kind: number, object: number, copies: boolean): boolean =>
  tables.slot.some((slot, row) => slot.kind === kind && slot.object === object && (copies || row < small.plan.sids[0]!.node));

export const witnessed: readonly WitnessedClause[] = [
  {
    name: "mapped frames",
    sentence: "For each mapped page some capability to its frame says that it is mapped there, and has the rights that are mapped.",
    choices: ({ size }) => size.spaces * size.pages,
    text: ({ size }, choice) => `page ${choice % size.pages} of space ${Math.floor(choice / size.pages)}`,
    holds: ({ small, tables, core }, choice) => {
      const space = Math.floor(choice / small.size.pages);
      const page = choice % small.size.pages;
      const leaf = core.leaves[space]![page]!;
      return leaf === UNMAPPED || tables.slot.some((slot) => slot.kind === FRAME && slot.object === frameIn(leaf) && slot.asid === space && slot.address === page && covers(slot.rights, rightsIn(leaf)));
    },
  },
  {
    name: "bound streams",
    sentence: "For each bound stream somebody holds a capability, with which it can be unbound.",
    choices: ({ size }) => size.streams,
    text: (_, choice) => `stream ${choice}`,
    holds: (judged, choice) => judged.core.bound[choice] === NONE || somebodyHolds(judged, SID, choice, false),
  },
  {
    name: "assigned banks",
    sentence: "For each bank with an address space a capability exists, the kernel's copies counted, so that it is not issued anew with the space in it.",
    choices: ({ size }) => size.banks,
    text: (_, choice) => `bank ${choice}`,
    holds: (judged, choice) => judged.core.space[choice] === NONE || somebodyHolds(judged, CB, choice, true),
  },
];

export const meanwhile = "After each step of the invocation, a device reaches only what its address space said before the invocation or says after it, by way of that space's tables; nothing bypasses.";
export const clauseSentence = (name: ClauseName): string => [...universal, ...witnessed].find((clause) => clause.name === name)?.sentence ?? meanwhile;

/** The clauses that need no more than the bindings and the machine, and those that look at the tables. */
export const ofMachine = universal.filter(({ about }) => about === "machine");
export const ofTables = universal.filter(({ about }) => about === "tables");
