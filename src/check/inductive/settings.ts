/**
 * The core's invocations, each with every setting in which it is tried: the capabilities that it names, those that it
 * could find beside them, its words. Where an invocation looks at every slot for a second capability, a child or a parent,
 * there is a witness of each sort; where it names slots alone, no slot has a witness, because none is read or written. What
 * only says where a capability stands in the derivation tree varies for Revoke alone: no clause mentions it, and no other
 * invocation of the core does anything else for it.
 */
import { NONE } from "../../base/state.ts";
import { CB, FRAME, KERNEL_ONLY, READ_ONLY, READ_WRITE, SID, VSPACE } from "../../kernel/capability.ts";
import { Copy, Delete, Move, Revoke } from "../../kernel/cnode.ts";
import { AssignVspace, GetCB, TLBInvalidate, TLBInvalidateAll, UnassignVspace } from "../../kernel/contextBank.ts";
import { PageMap, PageUnmap } from "../../kernel/frame.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { Declared } from "./footprint.ts";
import type { Roles } from "./vocabulary.ts";
import type { Safeguard } from "../../kernel/profile.ts";
import { resourceWord } from "../../kernel/issue.ts";
import { BindCB, GetSID, UnbindCB } from "../../kernel/sid.ts";
import { type Around, empty, type Held, held, product } from "./coreState.ts";
import { ARGUMENT, CB_CONTROL_ROW, CNODE_ROW, SID_CONTROL_ROW, type Size, type SmallPlan, TARGET, WITNESS } from "./smallPlan.ts";

export interface Setting {
  readonly around: Around;
  readonly request: Request;
}
/** Which core states a setting is tried in: every one, or those with no stream bound and no bank assigned. */
export type States = "every" | "idle";

export interface Family {
  readonly size: Size;
  readonly states: States;
  readonly settings: (small: SmallPlan) => Setting[];
}
export interface CoreInvocation {
  readonly name: string;
  readonly definition: Invocation;
  readonly footprint: Declared;
  /** What it names, for the obligations in SMT-LIB; absent where there are none. */
  readonly roles?: Roles;
  readonly families: readonly Family[];
}

/** Streams, banks and spaces two by two: every loop has a row that it takes and one that it leaves. */
const routing: Size = { streams: 2, banks: 2, spaces: 2, frames: 1, pages: 1 };
/** Two frames in two spaces. */
const mapping: Size = { streams: 1, banks: 2, spaces: 2, frames: 2, pages: 1 };
/** Two pages in each of two spaces. */
const neighbours: Size = { streams: 1, banks: 1, spaces: 2, frames: 1, pages: 2 };

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const ALL_RIGHTS = [KERNEL_ONLY, READ_WRITE, READ_ONLY];
/** Capability rights words: nothing, write, read, both. */
const RIGHTS_WORDS = [0n, 1n, 2n, 3n];
const FREE = { revocable: 1 } as const;

const sids = ({ size }: SmallPlan): Held[] => upTo(size.streams).map((object) => held(SID, object, FREE));
const cbs = ({ size }: SmallPlan): Held[] => upTo(size.banks).map((object) => held(CB, object, FREE));
const spaces = ({ size }: SmallPlan): Held[] => upTo(size.spaces).map((object) => held(VSPACE, object, FREE));
/** Every frame capability: with every mapping that it may remember, and the rights given. */
const frames = ({ size }: SmallPlan, rights: readonly number[]): Held[] =>
  upTo(size.frames).flatMap((object) =>
    rights.flatMap((right) => [
      held(FRAME, object, { ...FREE, rights: right }),
      ...upTo(size.spaces).flatMap((asid) => upTo(size.pages).map((page) => held(FRAME, object, { ...FREE, rights: right, asid, page }))),
    ]),
  );
const everyFrame = (small: SmallPlan): Held[] => frames(small, ALL_RIGHTS);
const anything = (small: SmallPlan): Held[] => [...sids(small), ...cbs(small), ...spaces(small), ...everyFrame(small)];

/** A slot of the CNode as index and depth. */
const indexWord = (row: number): readonly [bigint, bigint] => [BigInt(row), 64n];
const of = (slots: readonly Held[], request: Partial<Request>, more: Omit<Around, "slots"> = {}): Setting => ({ around: { slots, ...more }, request: { target: TARGET, caps: [], words: [], ...request } });

const alone = (targets: readonly Held[], request: Partial<Request> = {}): Setting[] => targets.map((target) => of([target], request));
const pairs = (targets: readonly Held[], others: readonly Held[], request: Partial<Request>): Setting[] => targets.flatMap((target) => others.map((other) => of([target, other], request)));

const onCnode = (words: readonly bigint[], caps: readonly number[] = []): Partial<Request> => ({ target: CNODE_ROW, words, caps });
const deleting = onCnode(indexWord(TARGET));
const copying = (rights: bigint): Partial<Request> => onCnode([...indexWord(ARGUMENT), ...indexWord(TARGET), rights], [CNODE_ROW]);
const moving = onCnode([...indexWord(ARGUMENT), ...indexWord(TARGET)], [CNODE_ROW]);

/** From the first slot to the second, which may be full. */
const transfers = (small: SmallPlan, request: Partial<Request>): Setting[] => [empty, ...anything(small)].flatMap((target) => [empty, ...sids(small)].map((there) => of([target, there], request)));

/** The capability with and without a second one to the same object, or to another. */
const withWitness = (targets: readonly Held[], witnesses: readonly Held[], request: Partial<Request>): Setting[] =>
  targets.flatMap((target) => [empty, ...witnesses].map((witness) => of([target, empty, witness], request)));

/**
 * What goes may take more with it, each unless something else names it: a stream its binding, that its bank, that its
 * space. So there is a second capability, or none, to each.
 */
const chained = (targets: readonly Held[], chain: readonly (readonly Held[])[], request: Partial<Request>): Setting[] =>
  product([targets, ...chain.map((caps) => [empty, ...caps])]).map((slots) => of(slots, request));

/**
 * Revoke finds descendants by their parents: the witness and the kernel's copies may each come from the capability, the
 * copies from the witness, too, or from elsewhere.
 */
const revocations = (make: (small: SmallPlan) => Held[], copies: number): Family => ({
  size: routing,
  states: "every",
  settings: (small) =>
    make(small).flatMap((target) => {
      const witnesses = [empty, { ...target, parent: TARGET }, { ...target, parent: NONE }];
      const nodes = copies === CB ? small.plan.sids.map(({ node }) => node) : small.plan.cbs.map(({ node }) => node);
      return witnesses.flatMap((witness) => {
        const parents = [NONE, TARGET, ...(witness.kind === target.kind ? [WITNESS] : [])];
        const choices = copies === NONE ? [[]] : nodes.reduce<number[][]>((lists) => lists.flatMap((list) => parents.map((parent) => [...list, parent])), [[]]);
        return choices.map((choice) =>
          of([target, empty, witness], deleting, { copyParent: (kind, object, node) => (kind === copies && object === target.object ? (choice[nodes.indexOf(node)] ?? NONE) : NONE) }),
        );
      });
    }),
});
/** Of a control capability, everything issued comes from it, in one step or two. */
const controlRevocations = (control: number, make: (small: SmallPlan) => Held[]): Family => ({
  size: routing,
  states: "every",
  settings: (small) =>
    make(small).flatMap((issued) =>
      [NONE, TARGET].map((parent) =>
        of([{ ...issued, parent: control }], onCnode(indexWord(control)), { copyParent: (kind, object) => (kind === CB && issued.kind === CB && object === issued.object ? parent : NONE) }),
      ),
    ),
});
const frameRevocations = (small: SmallPlan): Setting[] =>
  everyFrame(small).flatMap((target) =>
    frames(small, [READ_WRITE]).flatMap((witness) => (witness.object === target.object ? [TARGET, NONE].map((parent) => of([target, empty, { ...witness, parent }], onCnode(indexWord(TARGET)))) : [])),
  );

const every = (size: Size, settings: (small: SmallPlan) => Setting[]): Family => ({ size, states: "every", settings });
const idle = (size: Size, settings: (small: SmallPlan) => Setting[]): Family => ({ size, states: "idle", settings });

const maps = (small: SmallPlan, rights: readonly number[], words: readonly bigint[]): Setting[] =>
  frames(small, rights).flatMap((frame) =>
    spaces(small).flatMap((space) => small.plan.addresses.flatMap((address) => words.map((word) => of([frame, space], { caps: [ARGUMENT], words: [address, word, 3n] })))),
  );
/** Rights are of no consequence to what the kernel does when a mapping goes. */
const goingFrames = (small: SmallPlan): Held[] => frames(small, [READ_WRITE]);

/** With the last capability to a bank goes its address space, and with the last to that what it maps. */
const bankEnds = ["its bank", "its bank's space", "its space's ASID", "its space's entries"] as const;

export const coreInvocations: readonly CoreInvocation[] = [
  {
    name: "BindCB",
    definition: BindCB,
    roles: { target: SID, argument: CB },
    footprint: { reads: ["its bank", "its bank's space", "the first slot", "the second slot"], writes: ["its stream's binding"] },
    families: [every(routing, (small) => pairs(sids(small), cbs(small), { caps: [ARGUMENT] }))],
  },
  {
    name: "UnbindCB",
    definition: UnbindCB,
    roles: { target: SID, deletes: true },
    footprint: { reads: ["the first slot"], writes: ["its stream's binding", ...bankEnds] },
    families: [every(routing, (small) => chained(sids(small), [cbs(small), spaces(small)], {}))],
  },
  {
    name: "AssignVspace",
    definition: AssignVspace,
    roles: { target: CB, argument: VSPACE },
    footprint: { reads: ["its space's ASID", "the first slot", "the second slot"], writes: ["its bank's space"] },
    families: [every(routing, (small) => pairs(cbs(small), spaces(small), { caps: [ARGUMENT] }))],
  },
  {
    name: "UnassignVspace",
    definition: UnassignVspace,
    roles: { target: CB, deletes: true },
    footprint: { reads: ["the first slot"], writes: [...bankEnds] },
    families: [every(routing, (small) => chained(cbs(small), [spaces(small)], {}))],
  },
  {
    name: "TLBInvalidate",
    definition: TLBInvalidate,
    roles: { target: CB },
    footprint: { reads: ["its bank", "its bank's space", "its space's ASID", "the first slot"], writes: [] },
    families: [every(routing, (small) => alone(cbs(small)))],
  },
  {
    name: "TLBInvalidateAll",
    definition: TLBInvalidateAll,
    roles: { target: NONE },
    footprint: { reads: [], writes: [] },
    families: [every(routing, () => alone([empty], { target: CB_CONTROL_ROW }))],
  },
  {
    name: "Page_Map",
    definition: PageMap,
    roles: { target: FRAME, argument: VSPACE },
    footprint: { reads: ["another bank", "its space's ASID", "the second slot"], writes: ["its space's entries", "the first slot"] },
    families: [every(mapping, (small) => maps(small, ALL_RIGHTS, RIGHTS_WORDS)), every(neighbours, (small) => maps(small, [READ_WRITE], [3n]))],
  },
  {
    name: "Page_Unmap",
    definition: PageUnmap,
    roles: { target: FRAME },
    footprint: { reads: ["another bank", "its space's ASID"], writes: ["its space's entries", "the first slot"] },
    families: [mapping, neighbours].map((size) => every(size, (small) => alone(goingFrames(small)))),
  },
  {
    name: "GetSID",
    definition: GetSID,
    roles: { target: NONE, issues: SID, fills: "first" },
    footprint: { reads: ["the CNode's capability"], writes: ["its stream", "the first slot"] },
    families: [
      every(routing, (small) =>
        small.plan.sids.flatMap(({ sid }, object) => [empty, ...sids(small)].map((there) => of([there], { target: SID_CONTROL_ROW, caps: [CNODE_ROW], words: [resourceWord(0, sid), ...indexWord(TARGET)] }, { unissued: { kind: SID, object } }))),
      ),
    ],
  },
  {
    name: "GetCB",
    definition: GetCB,
    roles: { target: NONE, issues: CB, fills: "first" },
    footprint: { reads: ["the CNode's capability"], writes: ["its bank", "the first slot"] },
    families: [
      every(routing, (small) =>
        small.plan.cbs.flatMap(({ number }, object) => [empty, ...cbs(small)].map((there) => of([there], { target: CB_CONTROL_ROW, caps: [CNODE_ROW], words: [resourceWord(0, number), ...indexWord(TARGET)] }, { unissued: { kind: CB, object } }))),
      ),
    ],
  },
  {
    name: "Copy",
    definition: Copy,
    roles: { target: NONE, fills: "second" },
    footprint: { reads: ["the CNode's capability", "the first slot"], writes: ["the second slot"] },
    families: [mapping, neighbours].map((size) => idle(size, (small) => RIGHTS_WORDS.flatMap((rights) => transfers(small, copying(rights))))),
  },
  {
    name: "Move",
    definition: Move,
    roles: { target: NONE, fills: "second" },
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", "the second slot"] },
    families: [mapping, neighbours].map((size) => idle(size, (small) => transfers(small, moving))),
  },
  {
    name: "Delete, of a stream",
    definition: Delete,
    roles: { target: SID, deletes: true },
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", "its stream", "its stream's binding", ...bankEnds] },
    families: [every(routing, (small) => chained(sids(small), [sids(small), cbs(small), spaces(small)], deleting))],
  },
  {
    name: "Delete, of a bank",
    definition: Delete,
    roles: { target: CB, deletes: true },
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", ...bankEnds] },
    families: [every(routing, (small) => chained(cbs(small), [cbs(small), spaces(small)], deleting))],
  },
  {
    name: "Delete, of a space",
    definition: Delete,
    roles: { target: VSPACE, deletes: true },
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", "its space's ASID", "its space's entries"] },
    families: [every(routing, (small) => chained(spaces(small), [spaces(small)], deleting))],
  },
  {
    name: "Delete, of a frame",
    definition: Delete,
    roles: { target: FRAME },
    footprint: { reads: ["the CNode's capability", "another bank", "its space's ASID"], writes: ["the first slot", "its space's entries"] },
    families: [
      ...[mapping, neighbours].map((size) => every(size, (small) => alone(goingFrames(small), deleting))),
      idle(mapping, (small) => withWitness(everyFrame(small), everyFrame(small), deleting)),
    ],
  },
  {
    name: "Revoke, of a stream",
    definition: Revoke,
    roles: { target: SID, revokes: true },
    footprint: { reads: ["the CNode's capability"], writes: ["another slot"] },
    families: [revocations(sids, NONE)],
  },
  {
    name: "Revoke, of a bank",
    definition: Revoke,
    roles: { target: CB, revokes: true },
    footprint: { reads: ["the CNode's capability"], writes: ["another slot", "another stream's binding"] },
    families: [revocations(cbs, CB)],
  },
  {
    name: "Revoke, of a space",
    definition: Revoke,
    roles: { target: VSPACE, revokes: true },
    footprint: { reads: ["the CNode's capability", "its space's ASID"], writes: ["another slot", "another bank", "another bank's space"] },
    families: [revocations(spaces, VSPACE)],
  },
  {
    name: "Revoke, of a frame",
    definition: Revoke,
    roles: { target: FRAME, revokes: true },
    footprint: { reads: ["the CNode's capability", "another bank", "its space's ASID", "another space's ASID"], writes: ["another slot", "its space's entries", "another space's entries"] },
    families: [
      every(mapping, (small) => goingFrames(small).map((witness) => of([held(FRAME, witness.object, FREE), empty, { ...witness, parent: TARGET }], onCnode(indexWord(TARGET))))),
      idle(mapping, frameRevocations),
    ],
  },
  {
    name: "Revoke, of SIDControl",
    definition: Revoke,
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", "its stream", "its stream's binding", ...bankEnds] },
    families: [controlRevocations(SID_CONTROL_ROW, sids)],
  },
  {
    name: "Revoke, of CBControl",
    definition: Revoke,
    footprint: { reads: ["the CNode's capability"], writes: ["the first slot", "another stream's binding", ...bankEnds] },
    families: [controlRevocations(CB_CONTROL_ROW, cbs)],
  },
];

/** Safeguards of what is no part of the core: boot, page tables as objects, and Retype. Nothing here can tell that one is gone. */
export const outsideTheCore: readonly Safeguard[] = [
  "table-delete-invalidates",
  "table-invalidates-everything-below",
  "retype-clears-memory",
  "copy-masks-rights",
  "copy-remembers-parent",
  "copy-fills-untyped",
  "delete-hands-children-on",
  "delete-clears-issued",
  "issue-refuses-twice",
  "retype-respects-children",
  "revoke-takes-all",
  "gbpa-aborts",
  "cnode-delete-empties",
  "tables-copied-mapped",
];
