/**
 * The fields that a transition relation speaks of: what each is after a run, and the words for what it may be. The words
 * are tried in order, so a field that is as it was is said to be that.
 */
import { NONE } from "../../base/state.ts";
import { CB, FRAME, NULL, SID, VSPACE } from "../../kernel/capability.ts";
import { LEVELS } from "../../kernel/plan.ts";
import { frameIn, type Leaf, rightsIn, spaceOf, steAddress, UNMAPPED } from "./coreState.ts";
import { OTHER } from "./facts.ts";
import { TARGET } from "./smallPlan.ts";
import { argumentOf, kindNames, leafIn, type Names, newRights, type RowKind, type RowOf, type Seen, slotOf, targetOf, type Term } from "./vocabulary.ts";

/** A field of a row after the invocation. */
export interface Output {
  readonly name: string;
  readonly row: RowKind;
  /** `exact`: it is that word. `bound`: it implies it (what may be cached). */
  readonly kind: "exact" | "bound";
  /** The value after a run; undefined where the field means nothing. */
  readonly after: (seen: Seen, row: RowOf) => number | boolean | undefined;
  readonly terms: readonly Term[];
  /** The run wrote nothing there, so the field is as it was, the first of the terms, whatever else it may equal. */
  readonly untouched?: (seen: Seen, row: RowOf) => boolean;
  /** What the field takes as arguments, where it is no constant. */
  readonly of: string;
}

const constant = (smt: string, value: number | boolean): Term => ({ smt, of: () => value });
const no = constant("false", false);
const yes = constant("true", true);
const rightsTerms = ["KO", "RW", "RO"].map((name, rights) => constant(name, rights));

const unwritten = ({ run }: Seen, table: string, row: number): boolean => !run.shop.footprint.written(table, row);
const unstored = ({ run: { steps } }: Seen, from: bigint, end: bigint): boolean => !steps.some((step) => step.kind === "store" && step.addr >= from && step.addr < end);
const STE_BYTES = 64n;
const untouchedStream = (seen: Seen, { s }: RowOf): boolean => unwritten(seen, "slot", seen.run.shop.small.plan.sids[s]!.node);
const untouchedBank = (seen: Seen, { b }: RowOf): boolean => unwritten(seen, "slot", seen.run.shop.small.plan.cbs[b]!.node);
const untouchedSpace = (seen: Seen, { v }: RowOf): boolean => unwritten(seen, "vspace", v) && unwritten(seen, "asid", v);
const untouchedLeaf = (seen: Seen, { v, p }: RowOf): boolean => unwritten(seen, "entry", seen.run.shop.small.leafRow(v, p));
const untouchedMemory = (seen: Seen, { v, p }: RowOf): boolean => {
  const { small } = seen.run.shop;
  const at = small.plan.pages[small.tableOf(v, LEVELS - 1)]!.pa + BigInt(small.plan.entries[small.leafRow(v, p)]!.index * 8);
  return unstored(seen, at, at + 8n);
};
const untouchedEntry = (seen: Seen, { s }: RowOf): boolean => unstored(seen, steAddress(seen.run.shop.small, s, 0), steAddress(seen.run.shop.small, s, 0) + STE_BYTES);
const untouchedSlot = (seen: Seen, { c }: RowOf): boolean => unwritten(seen, "slot", c);

const leafOutputs = (names: Names, prefix: string, leafAfter: (seen: Seen, row: RowOf) => Leaf): Output[] => {
  const untouched = prefix === "" ? untouchedLeaf : untouchedMemory;
  const field = (name: string, after: (leaf: Leaf, seen: Seen) => number | undefined, terms: readonly Term[]): Output => ({
    name: `${prefix}${name}`,
    row: "leaf",
    kind: "exact",
    of: "v p",
    untouched,
    after: (seen, row) => (leafAfter(seen, row) > UNMAPPED ? after(leafAfter(seen, row), seen) : undefined),
    terms,
  });
  const before = (seen: Seen, { v, p }: RowOf): Leaf => leafIn(seen.before, v, p);
  return [
    { name: `${prefix}mapped`, row: "leaf", kind: "exact", of: "v p", untouched, after: (seen, row) => leafAfter(seen, row) !== UNMAPPED, terms: [{ smt: "(mapped v p)", of: (seen, row) => before(seen, row) !== UNMAPPED }, no, yes] },
    field("frame", frameIn, [{ smt: "(frame v p)", of: (seen, row) => (before(seen, row) === UNMAPPED ? NONE : frameIn(before(seen, row))) }, ...(names.frame ? [{ smt: "(slotFrame c0)", of: (seen: Seen) => targetOf(seen).object }] : [])]),
    field("rights", rightsIn, [{ smt: "(rights v p)", of: (seen, row) => (before(seen, row) === UNMAPPED ? NONE : rightsIn(before(seen, row))) }, ...(names.maps ? [{ smt: "newRights", of: (seen: Seen) => newRights(names, seen) }] : [])]),
  ];
};

/** What the fields of a machine and of the kernel's rows may be afterwards. */
export const rowOutputs = (names: Names): Output[] => {
  const banks: Term[] = names.banks.map(({ smt, of }) => ({ smt, of }));
  const spaces: Term[] = names.spaces.map(({ smt, of }) => ({ smt, of }));
  const ownBank: Term = { smt: "(bound s)", of: (seen, { s }) => seen.before.bound[s]! };
  const entry = ({ facts: { entries }, run }: Seen, { s }: RowOf): { bank: number; space: number } | undefined => {
    const word = entries[s]!;
    const count = run.shop.small.size.spaces;
    return word < 0 ? undefined : { bank: Math.floor(word / count), space: word % count };
  };
  return [
    { name: "isBound", row: "stream", kind: "exact", of: "s", untouched: untouchedStream, after: (seen, { s }) => seen.after.bound[s] !== NONE, terms: [{ smt: "(isBound s)", of: (seen, { s }) => seen.before.bound[s] !== NONE }, no, yes] },
    { name: "bound", row: "stream", kind: "exact", of: "s", untouched: untouchedStream, after: (seen, { s }) => (seen.after.bound[s] === NONE ? undefined : seen.after.bound[s]), terms: [ownBank, ...banks] },
    { name: "hasSpace", row: "bank", kind: "exact", of: "b", untouched: untouchedBank, after: (seen, { b }) => seen.after.space[b] !== NONE, terms: [{ smt: "(hasSpace b)", of: (seen, { b }) => seen.before.space[b] !== NONE }, no, yes] },
    { name: "space", row: "bank", kind: "exact", of: "b", untouched: untouchedBank, after: (seen, { b }) => (seen.after.space[b] === NONE ? undefined : seen.after.space[b]), terms: [{ smt: "(space b)", of: (seen, { b }) => seen.before.space[b]! }, ...spaces] },
    { name: "live", row: "space", kind: "exact", of: "v", untouched: untouchedSpace, after: (seen, { v }) => seen.after.live[v] === 1, terms: [{ smt: "(live v)", of: (seen, { v }) => seen.before.live[v] === 1 }, no, yes] },
    ...leafOutputs(names, "", (seen, { v, p }) => leafIn(seen.after, v, p)),
    { name: "aborts", row: "stream", kind: "exact", of: "s", untouched: untouchedEntry, after: (seen, { s }) => seen.facts.entries[s] === NONE, terms: [{ smt: "(aborts s)", of: (seen, { s }) => spaceOf(seen.before, s) === NONE }, yes, no] },
    { name: "odd", row: "stream", kind: "exact", of: "s", after: (seen, { s }) => seen.facts.entries[s] === OTHER, terms: [no, yes] },
    { name: "entryBank", row: "stream", kind: "exact", of: "s", untouched: untouchedEntry, after: (seen, row) => entry(seen, row)?.bank, terms: [ownBank, ...banks] },
    { name: "entrySpace", row: "stream", kind: "exact", of: "s", untouched: untouchedEntry, after: (seen, row) => entry(seen, row)?.space, terms: [{ smt: "(space (bound s))", of: (seen, { s }) => spaceOf(seen.before, s) }, ...spaces] },
    { name: "kept", row: "stream", kind: "bound", of: "s", after: (seen, { s }) => seen.facts.kept[s]!, terms: [no, yes] },
    { name: "keptOpen", row: "stream", kind: "bound", of: "s", after: (seen, { s }) => seen.facts.keptOpen[s]!, terms: [no, yes] },
    { name: "cached", row: "cached", kind: "bound", of: "b p f r", after: (seen, { b, p, leaf }) => seen.facts.pages.some((page) => page.bank === b && page.page === p && page.leaf === leaf), terms: [no, yes] },
    { name: "path", row: "path", kind: "bound", of: "b v", after: (seen, { b, v }) => seen.facts.paths.some((path) => path.bank === b && path.space === v), terms: [no, yes] },
    { name: "cachedOdd", row: "all", kind: "bound", of: "", after: (seen) => seen.facts.pages.some(({ bank, page, leaf }) => bank === OTHER || page === OTHER || leaf === OTHER) || seen.facts.paths.some(({ bank, space }) => bank === OTHER || space === OTHER), terms: [no, yes] },
    ...leafOutputs(names, "memory_", (seen, { v, p }) => (seen.facts.memory[v]![p] === OTHER ? UNMAPPED : seen.facts.memory[v]![p]!)),
    { name: "memoryOdd", row: "leaf", kind: "exact", of: "v p", after: (seen, { v, p }) => seen.facts.memory[v]![p] === OTHER || !seen.facts.upper[v]!, terms: [no, yes] },
    { name: "waiting", row: "all", kind: "exact", of: "", after: (seen) => !seen.facts.quiet, terms: [no, yes] },
    { name: "issuedStream", row: "stream", kind: "exact", of: "s", untouched: (seen, { s }) => unwritten(seen, "sid", s), after: (seen, { s }) => seen.issuedAfter.streams[s]!, terms: [{ smt: "(issuedStream s)", of: (seen, { s }) => seen.issued.streams[s]! }, no, yes] },
    { name: "issuedBank", row: "bank", kind: "exact", of: "b", untouched: (seen, { b }) => unwritten(seen, "cb", b), after: (seen, { b }) => seen.issuedAfter.banks[b]!, terms: [{ smt: "(issuedBank b)", of: (seen, { b }) => seen.issued.banks[b]! }, no, yes] },
    ...(names.maps ? [{ name: "newRights", row: "all", kind: "exact", of: "", after: (seen: Seen) => newRights(names, seen), terms: [{ smt: "(slotRights c0)", of: (seen: Seen) => targetOf(seen).rights }, ...rightsTerms] } as const] : []),
  ];
};

/** What a slot holds afterwards. */
export const slotOutputs = (names: Names): Output[] => {
  const after = (seen: Seen, c: number) => seen.slotsAfter[c - TARGET]!;
  const before = slotOf;
  const object = (field: string, kind: number): Output => ({
    name: field,
    row: "slot",
    kind: "exact",
    of: "c",
    untouched: untouchedSlot,
    after: (seen, { c }) => (after(seen, c).kind === kind ? after(seen, c).object : undefined),
    terms: [
      { smt: `(${field} c)`, of: (seen, { c }) => (before(seen, c).kind === kind ? before(seen, c).object : NONE) },
      { smt: `(${field} c0)`, of: (seen) => (targetOf(seen).kind === kind ? targetOf(seen).object : NONE) },
      ...(names.issues === kind ? [{ smt: kind === SID ? "newSid" : "newCb", of: (seen: Seen) => seen.run.setting.around.unissued?.object ?? NONE }] : []),
    ],
  });
  const frame = (field: string, pick: (seen: Seen, c: number, when: "before" | "after") => number | boolean, terms: readonly Term[] = [], mapped = false): Output => ({
    name: field,
    row: "slot",
    kind: "exact",
    of: "c",
    untouched: untouchedSlot,
    after: (seen, { c }) => (after(seen, c).kind === FRAME && (!mapped || after(seen, c).asid !== NONE) ? pick(seen, c, "after") : undefined),
    terms: [
      { smt: `(${field} c)`, of: (seen, { c }) => pick(seen, c, "before") },
      { smt: `(${field} c0)`, of: (seen) => pick(seen, TARGET, "before") },
      ...terms,
    ],
  });
  const at = (seen: Seen, c: number, when: "before" | "after") => (when === "before" ? before(seen, c) : after(seen, c));
  return [
    {
      name: "kind",
      row: "slot",
      kind: "exact",
      of: "c",
      untouched: untouchedSlot,
      after: (seen, { c }) => after(seen, c).kind,
      terms: [{ smt: "(kind c)", of: (seen, { c }) => before(seen, c).kind }, constant("Null", NULL), { smt: "(kind c0)", of: (seen) => targetOf(seen).kind }, ...[SID, CB].map((kind) => constant(kindNames[kind]!, kind))],
    },
    object("slotSid", SID),
    object("slotCb", CB),
    object("slotVs", VSPACE),
    object("slotFrame", FRAME),
    frame("slotRights", (seen, c, when) => at(seen, c, when).rights, rightsTerms),
    frame("slotMapped", (seen, c, when) => at(seen, c, when).asid !== NONE, [no, yes]),
    frame("slotSpace", (seen, c, when) => at(seen, c, when).asid, names.maps ? [{ smt: "(slotVs c1)", of: (seen) => argumentOf(seen).object }] : [], true),
    frame("slotPage", (seen, c, when) => at(seen, c, when).page, names.maps ? [{ smt: "page", of: (seen) => names.pages[0]!.of(seen) }] : [], true),
  ];
};
