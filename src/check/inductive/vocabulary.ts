/**
 * The words in which the SMT obligations speak of a run: the rows that an invocation names, facts about them and about
 * any other row, and what a field of a row may be afterwards. Each is given twice, as SMT-LIB and as a function on a run
 * of the small plans. How fields change is not written here: it is derived from the runs (transitions.ts).
 */
import { NONE } from "../../base/state.ts";
import { CB, FRAME, NULL, READ_ONLY, READ_WRITE, SID, VSPACE } from "../../kernel/capability.ts";
import { type Core, empty, type Held, type Leaf, rightsIn, UNMAPPED } from "./coreState.ts";
import type { Facts } from "./facts.ts";
import type { Run } from "./induction.ts";
import { ARGUMENT, FREE_SLOTS, TARGET } from "./smallPlan.ts";

/** A run with what machine and tables say after it, and its slots before and after. */
export interface Seen {
  readonly run: Run;
  readonly before: Core;
  readonly after: Core;
  readonly facts: Facts;
  readonly slots: readonly Held[];
  readonly slotsAfter: readonly Held[];
  readonly issued: { readonly streams: readonly boolean[]; readonly banks: readonly boolean[] };
  readonly issuedAfter: { readonly streams: readonly boolean[]; readonly banks: readonly boolean[] };
}

/** The row that an output is asked of; what its kind has no use for is NONE. */
export interface RowOf {
  readonly s: number;
  readonly b: number;
  readonly v: number;
  readonly p: number;
  readonly c: number;
  /** A leaf, for the TLB: frame and rights. */
  readonly leaf: Leaf;
}
export const noRow: RowOf = { s: NONE, b: NONE, v: NONE, p: NONE, c: NONE, leaf: UNMAPPED };

export interface Fact {
  readonly smt: string;
  readonly is: (seen: Seen, row: RowOf) => boolean;
}
/** A value: an index, NONE where there is none. */
export interface Term {
  readonly smt: string;
  readonly of: (seen: Seen, row: RowOf) => number | boolean;
}

const WITNESSES = FREE_SLOTS.slice(1);
const slot = (seen: Seen, row: number): Held => seen.slots[row - TARGET] ?? empty;
const target = (seen: Seen): Held => slot(seen, TARGET);
const argument = (seen: Seen): Held => slot(seen, ARGUMENT);
const objectOf = (kind: number, held: Held): number => (held.kind === kind ? held.object : NONE);

/** Rows that an invocation names, with what must hold for the name to mean something. */
export interface Name {
  readonly smt: string;
  readonly guard: string;
  readonly of: (seen: Seen) => number;
}
export interface Names {
  readonly streams: readonly Name[];
  readonly banks: readonly Name[];
  readonly spaces: readonly Name[];
  readonly pages: readonly Name[];
  readonly frame: boolean;
  /** A space that a frame is mapped into anew, with `page` and `newRights`. */
  readonly maps: boolean;
  /** Descendants are told apart. */
  readonly revokes: boolean;
  readonly issues: number;
  readonly fills: Roles["fills"];
}

export interface Roles {
  readonly target: number;
  readonly argument?: number;
  readonly revokes?: boolean;
  /** The slot that has to be empty, and of a transfer the one that must not be. */
  readonly fills?: "first" | "second";
  /** It deletes, so it matters whether something else names the object. */
  readonly deletes?: boolean;
  /** GetSID, GetCB: the row is given by its number. */
  readonly issues?: number;
}

/** A name means something where its guard holds. */
export const both = (...parts: readonly string[]): string => {
  const said = parts.filter((part) => part !== "true");
  return said.length === 1 ? said[0]! : `(and ${said.join(" ")})`;
};
const boundOf = (core: Core, stream: number): number => (stream === NONE ? NONE : core.bound[stream]!);
export const spaceIn = (core: Core, bank: number): number => (bank === NONE ? NONE : core.space[bank]!);

export const namesOf = ({ target: kind, argument: other, revokes = false, issues = NONE, fills }: Roles): Names => {
  const streams: Name[] = kind === SID ? [{ smt: "(slotSid c0)", guard: "true", of: (seen) => objectOf(SID, target(seen)) }] : [];
  if (issues === SID) streams.push({ smt: "newSid", guard: "true", of: (seen) => seen.run.setting.around.unissued?.object ?? NONE });
  const banks: Name[] = [
    ...(kind === CB ? [{ smt: "(slotCb c0)", guard: "true", of: (seen: Seen) => objectOf(CB, target(seen)) }] : []),
    ...(other === CB ? [{ smt: "(slotCb c1)", guard: "true", of: (seen: Seen) => objectOf(CB, argument(seen)) }] : []),
    ...(issues === CB ? [{ smt: "newCb", guard: "true", of: (seen: Seen) => seen.run.setting.around.unissued?.object ?? NONE }] : []),
    ...(kind === SID ? streams.map(({ smt, of }): Name => ({ smt: `(bound ${smt})`, guard: `(isBound ${smt})`, of: (seen) => boundOf(seen.before, of(seen)) })) : []),
  ];
  const spaces: Name[] = [
    ...(kind === VSPACE ? [{ smt: "(slotVs c0)", guard: "true", of: (seen: Seen) => objectOf(VSPACE, target(seen)) }] : []),
    ...(other === VSPACE ? [{ smt: "(slotVs c1)", guard: "true", of: (seen: Seen) => objectOf(VSPACE, argument(seen)) }] : []),
    ...banks.map(({ smt, guard, of }): Name => ({ smt: `(space ${smt})`, guard: both(guard, `(hasSpace ${smt})`), of: (seen) => spaceIn(seen.before, of(seen)) })),
    ...(kind === FRAME ? [{ smt: "(slotSpace c0)", guard: "(slotMapped c0)", of: (seen: Seen) => target(seen).asid }] : []),
  ];
  const pages: Name[] = [
    ...(other === VSPACE && kind === FRAME ? [{ smt: "page", guard: "true", of: (seen: Seen) => seen.run.shop.small.plan.addresses.indexOf(seen.run.setting.request.words[0]!) }] : []),
    ...(kind === FRAME ? [{ smt: "(slotPage c0)", guard: "(slotMapped c0)", of: (seen: Seen) => (target(seen).asid === NONE ? NONE : target(seen).page) }] : []),
  ];
  return { streams, banks, spaces, pages, frame: kind === FRAME, maps: kind === FRAME && other === VSPACE, revokes, issues, fills };
};

export const fact = (smt: string, is: Fact["is"]): Fact => ({ smt, is });
export const same = (variable: "s" | "b" | "v" | "p", { smt, guard, of }: Name): Fact => fact(both(guard, `(= ${variable} ${smt})`), (seen, row) => of(seen) !== NONE && row[variable] === of(seen));

const leafAt = (core: Core, space: number, page: number): Leaf => (space === NONE || page === NONE ? UNMAPPED : core.leaves[space]![page]!);

export const kindNames: Readonly<Record<number, string>> = { 0: "Null", [SID]: "Sid", [CB]: "Cb", [VSPACE]: "Vs", [FRAME]: "FrameCap" };

/** Facts that do not depend on a row. */
export const facts = (names: Names): Fact[] => [
  ...(names.fills === "first" ? [fact("(= (kind c0) Null)", (seen) => target(seen).kind === NULL)] : []),
  ...(names.fills === "second" ? [fact("(= (kind c1) Null)", (seen) => argument(seen).kind === NULL), fact("(= (kind c0) Null)", (seen) => target(seen).kind === NULL)] : []),
  ...[...names.streams].map(({ smt, of }) => fact(`(isBound ${smt})`, (seen) => boundOf(seen.before, of(seen)) !== NONE)),
  ...names.banks.map(({ smt, guard, of }) => fact(both(guard, `(hasSpace ${smt})`), (seen) => spaceIn(seen.before, of(seen)) !== NONE)),
  ...names.spaces.map(({ smt, guard, of }) => fact(both(guard, `(live ${smt})`), (seen) => of(seen) !== NONE && seen.before.live[of(seen)] === 1)),
  ...(names.frame ? [fact("(slotMapped c0)", (seen) => target(seen).asid !== NONE)] : []),
  ...(names.maps
    ? [
        fact("(and (slotMapped c0) (= (slotSpace c0) (slotVs c1)))", (seen) => target(seen).asid !== NONE && target(seen).asid === argument(seen).object),
        fact("(and (slotMapped c0) (= (slotPage c0) page))", (seen) => target(seen).asid !== NONE && target(seen).page === names.pages[0]!.of(seen)),
      ]
    : []),
];

/** Whether something else still names an object: only deletion asks. Each as SMT and on a run. */
export const others = (names: Names, kind: number): Fact[] => {
  const cap = (object: number, field: string, { smt, of }: Name): Fact =>
    fact(`(exists ((x Slot)) (and (not (= x c0)) (= (kind x) ${kindNames[object]}) (= (${field} x) ${smt})))`, (seen) => of(seen) !== NONE && WITNESSES.some((row) => objectOf(object, slot(seen, row)) === of(seen)));
  // A stream's own binding, or a bank's own assignment, is what goes when the chain is followed.
  const ownStream = kind === SID && names.streams.length > 0 ? names.streams[0]! : undefined;
  const boundTo = ({ smt, of }: Name): Fact =>
    fact(`(exists ((x Stream)) (and (isBound x) (= (bound x) ${smt})${ownStream === undefined ? "" : ` (not (= x ${ownStream.smt}))`}))`, (seen) =>
      of(seen) !== NONE && seen.before.bound.some((bank, stream) => bank === of(seen) && stream !== (ownStream?.of(seen) ?? NONE)),
    );
  const ownBank = names.banks[0];
  const assignedTo = ({ smt, of }: Name): Fact =>
    fact(`(exists ((x Bank)) (and (hasSpace x) (= (space x) ${smt})${ownBank === undefined ? "" : ` (not (= x ${ownBank.smt}))`}))`, (seen) =>
      of(seen) !== NONE && seen.before.space.some((space, bank) => space === of(seen) && bank !== (ownBank?.of(seen) ?? NONE)),
    );
  return [
    ...names.streams.map((name) => cap(SID, "slotSid", name)),
    ...names.banks.flatMap((name) => [cap(CB, "slotCb", name), boundTo(name)]),
    ...names.spaces.flatMap((name) => [cap(VSPACE, "slotVs", name), assignedTo(name)]),
  ];
};

/** Of Page_Map: what decides about the rights of the mapping. */
export const rightsFacts: readonly Fact[] = [
  fact("(= (slotRights c0) RW)", (seen) => target(seen).rights === READ_WRITE),
  fact("(= (slotRights c0) RO)", (seen) => target(seen).rights === READ_ONLY),
  fact("wordRead", (seen) => (rightsWord(seen) & 2n) !== 0n),
  fact("wordWrite", (seen) => (rightsWord(seen) & 1n) !== 0n),
];
/** Page_Map's word for rights stands second, Copy's fifth; others have none. */
const rightsWord = ({ run: { setting } }: Seen): bigint => (setting.request.caps[0] === ARGUMENT ? setting.request.words[1] : setting.request.words[4]) ?? 0n;

export const descendant = (seen: Seen, row: number): boolean => {
  const { small } = seen.run.shop;
  const parents = new Map<number, number>();
  for (const [index, held] of seen.slots.entries()) parents.set(TARGET + index, held.kind === 0 ? NONE : held.parent);
  const { copyParent } = seen.run.setting.around;
  for (const [sid, { node }] of small.plan.sids.entries()) if (seen.before.bound[sid] !== NONE) parents.set(node, copyParent?.(CB, seen.before.bound[sid]!, node) ?? NONE);
  for (const [cb, { node }] of small.plan.cbs.entries()) if (seen.before.space[cb] !== NONE) parents.set(node, copyParent?.(VSPACE, seen.before.space[cb]!, node) ?? NONE);
  for (let at = parents.get(row) ?? NONE, left = 10; at !== NONE && left > 0; at = parents.get(at) ?? NONE, left--) if (at === TARGET) return true;
  return false;
};

/** The kinds of row that outputs are asked of. */
export type RowKind = "stream" | "bank" | "space" | "leaf" | "cached" | "path" | "slot" | "all";
export const variables: Readonly<Record<RowKind, string>> = {
  stream: "((s Stream))",
  bank: "((b Bank))",
  space: "((v Space))",
  leaf: "((v Space) (p Page))",
  cached: "((b Bank) (p Page) (f Frame) (r Rights))",
  path: "((b Bank) (v Space))",
  slot: "((c Slot))",
  all: "",
};
export const rowsOf = (kind: RowKind, { run: { shop } }: Seen): RowOf[] => {
  const { streams, banks, spaces, pages, frames } = shop.small.size;
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  switch (kind) {
    case "stream":
      return upTo(streams).map((s) => ({ ...noRow, s }));
    case "bank":
      return upTo(banks).map((b) => ({ ...noRow, b }));
    case "space":
      return upTo(spaces).map((v) => ({ ...noRow, v }));
    case "leaf":
      return upTo(spaces).flatMap((v) => upTo(pages).map((p) => ({ ...noRow, v, p })));
    case "cached":
      return upTo(banks).flatMap((b) => upTo(pages).flatMap((p) => upTo(frames * 3).map((leaf) => ({ ...noRow, b, p, leaf: leaf + 1 }))));
    case "path":
      return upTo(banks).flatMap((b) => upTo(spaces).map((v) => ({ ...noRow, b, v })));
    case "slot":
      return FREE_SLOTS.map((c) => ({ ...noRow, c }));
    case "all":
      return [noRow];
  }
};


/** The rights that Page_Map leaves in the entry. */
export const newRights = (names: Names, seen: Seen): number => {
  const leaf = leafAt(seen.after, argument(seen).object, names.pages[0]!.of(seen));
  return leaf === UNMAPPED ? NONE : rightsIn(leaf);
};
export const targetOf = target;
export const argumentOf = argument;
export const slotOf = slot;
export const leafIn = leafAt;
