/**
 * States of the core: what is bound, assigned, live, mapped and held; and how each becomes a kernel state and a state of
 * the machine.
 *
 * The machine's part is determined but for what may be cached, where the invariant sets only an upper bound. The greatest
 * set that it allows stands for all: every step of the machine is monotone in the set (a command filters it, a store adds
 * to it word by word, closing it adds what is reachable), and every clause says something of each entry of the set by
 * itself (a test tries this on the least set and the greatest). That set is reached by steps, with the driver that keeps all safeguards; it is not written down.
 */
import { leastState, NONE, type Plain, type Tables } from "../../base/state.ts";
import type { Step } from "../../base/step.ts";
import { type Pa, pa } from "../../base/words.ts";
import { CB, CB_CONTROL, CNODE, NULL, SID, SID_CONTROL, VSPACE } from "../../kernel/capability.ts";
import { CACHEABLE, stage2Ste } from "../../kernel/driver.ts";
import { LEVELS } from "../../kernel/plan.ts";
import { abortSte } from "../../kernel/smmuReset.ts";
import { ENTRY_INVALID, ENTRY_PAGE, ENTRY_TABLE, type KernelShape, kernelShape } from "../../kernel/state.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import { CB_CONTROL_ROW, CNODE_ROW, SID_CONTROL_ROW, type SmallPlan, TARGET } from "./smallPlan.ts";

/** What a leaf entry says: 0 is nothing, otherwise 1 + 3 * frame + rights. */
export type Leaf = number;
export const UNMAPPED: Leaf = 0;
const RIGHTS = 3;
export const leafOf = (frame: number, rights: number): Leaf => 1 + RIGHTS * frame + rights;
export const frameIn = (leaf: Leaf): number => Math.floor((leaf - 1) / RIGHTS);
export const rightsIn = (leaf: Leaf): number => (leaf - 1) % RIGHTS;

/** Everything of a state but the free slots; indices are rows, NONE is none. */
export interface Core {
  /** By stream: the bank it is bound to. */
  readonly bound: readonly number[];
  /** By bank: the address space it is assigned. */
  readonly space: readonly number[];
  /** By address space: its ASID names it, so it can be mapped in. */
  readonly live: readonly number[];
  /** By address space, then page. */
  readonly leaves: readonly (readonly Leaf[])[];
}

/** A capability in a free slot. `parent` is the row that it was derived from. */
export interface Held {
  readonly kind: number;
  readonly object: number;
  readonly rights: number;
  /** The address space where a frame's capability says that it is mapped, and the page. */
  readonly asid: number;
  readonly page: number;
  readonly parent: number;
  readonly revocable: number;
}
export const empty: Held = { kind: NULL, object: 0, rights: 0, asid: NONE, page: 0, parent: NONE, revocable: 0 };
export const held = (kind: number, object: number, more: Partial<Held> = {}): Held => ({ ...empty, kind, object, ...more });

/** Every tuple of one value from each list. */
export const product = <T>(lists: readonly (readonly T[])[]): T[][] => lists.reduce<T[][]>((tuples, list) => tuples.flatMap((tuple) => list.map((value) => [...tuple, value])), [[]]);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const repeat = <T>(count: number, values: readonly T[]): T[][] => product(Array.from({ length: count }, () => values));

/** Every core state that the clauses about these rows allow: a bank's address space is live, and only a live one maps. */
export const everyCore = ({ size }: SmallPlan): Core[] => {
  const lives = repeat(size.spaces, [0, 1]);
  const rows = repeat(size.pages, upTo(1 + RIGHTS * size.frames));
  return lives.flatMap((live) => {
    const living = upTo(size.spaces).filter((space) => live[space] === 1);
    const leaves = product(live.map((alive) => (alive === 1 ? rows : [Array.from({ length: size.pages }, () => UNMAPPED)])));
    const spaces = repeat(size.banks, [NONE, ...living]);
    const bounds = repeat(size.streams, [NONE, ...upTo(size.banks)]);
    return bounds.flatMap((bound) => spaces.flatMap((space) => leaves.map((each) => ({ bound, space, live, leaves: each }))));
  });
};
/** No stream is bound, and no bank has an address space. */
export const isIdle = ({ bound, space }: Core): boolean => [...bound, ...space].every((row) => row === NONE);

/** One of them; `below` answers a number below its argument. */
export const someCore = ({ size }: SmallPlan, below: (limit: number) => number): Core => {
  const live = upTo(size.spaces).map(() => Number(below(4) > 0));
  const living = upTo(size.spaces).filter((space) => live[space] === 1);
  const oneOf = (rows: readonly number[]): number => [NONE, ...rows][below(rows.length + 1)]!;
  return {
    bound: upTo(size.streams).map(() => oneOf(upTo(size.banks))),
    space: upTo(size.banks).map(() => oneOf(living)),
    live,
    leaves: live.map((alive) => upTo(size.pages).map(() => (alive === 1 ? below(1 + RIGHTS * size.frames) : UNMAPPED))),
  };
};

export const coreKey = ({ bound, space, live, leaves }: Core): string => `${bound.join()} ${space.join()} ${live.join()} ${leaves.join()}`;

/** The address space that a stream sees; NONE when it sees none. */
export const spaceOf = ({ bound, space }: Core, stream: number): number => (bound[stream] === NONE ? NONE : space[bound[stream]!]!);

/** A kernel state that is written over and over: only the rows of the core differ. */
export const blankTables = (small: SmallPlan): Plain<KernelShape> => {
  const state = structuredClone(leastState(kernelShape(small.plan)));
  const rows = state as { [K in keyof KernelShape]: { [F in keyof KernelShape[K]["fields"]]: number }[] };
  Object.assign(rows.slot[CNODE_ROW]!, { kind: CNODE, object: 0, guard: 1, revocable: 1 });
  Object.assign(rows.slot[SID_CONTROL_ROW]!, { kind: SID_CONTROL, revocable: 1 });
  Object.assign(rows.slot[CB_CONTROL_ROW]!, { kind: CB_CONTROL, revocable: 1 });
  return state;
};

/** What a setting says beside the core. */
export interface Around {
  /** From row TARGET on. */
  readonly slots: readonly Held[];
  /** Parent of the kernel's copy of a capability to this bank or address space, where not NONE. */
  readonly copyParent?: (kind: number, object: number, node: number) => number;
  /** Streams and banks not issued; all others are. */
  readonly unissued?: { readonly kind: number; readonly object: number };
}

/** Writes a state over whatever the tables held. */
export const writeTables = (small: SmallPlan, tables: Tables<KernelShape>, core: Core, around: Around): void => {
  const { plan, size } = small;
  const put = (row: number, { kind, object, rights, asid, page, parent, revocable }: Held): void => {
    const slot = tables.slot.at(row);
    slot.kind = kind;
    slot.object = object;
    slot.rights = rights;
    slot.asid = asid;
    slot.address = page;
    slot.parent = parent;
    slot.revocable = revocable;
    slot.watermark = 0;
    slot.badge = 0;
  };
  for (let row = TARGET; row < plan.sids[0]!.node; row++) put(row, around.slots[row - TARGET] ?? empty);
  const node = (kind: number, object: number, row: number): Held => (object === NONE ? empty : held(kind, object, { parent: around.copyParent?.(kind, object, row) ?? NONE }));
  for (const [sid, { node: row }] of plan.sids.entries()) put(row, node(CB, core.bound[sid]!, row));
  for (const [cb, { node: row }] of plan.cbs.entries()) put(row, node(VSPACE, core.space[cb]!, row));
  const { unissued } = around;
  tables.sid.forEach((row, sid) => void (row.issued = Number(unissued?.kind !== SID || unissued.object !== sid)));
  tables.cb.forEach((row, cb) => void (row.issued = Number(unissued?.kind !== CB || unissued.object !== cb)));
  for (let space = 0; space < size.spaces; space++) {
    const live = core.live[space] === 1;
    tables.vspace.at(space).asid = live ? space : NONE;
    tables.asid.at(space).vspace = live ? space : NONE;
    for (let level = 0; level < LEVELS - 1; level++) {
      const entry = tables.entry.at(plan.entryAt(space, level, 0));
      entry.kind = live ? ENTRY_TABLE : ENTRY_INVALID;
      entry.page = live ? small.tableOf(space, level + 1) : 0;
      entry.rights = 0;
    }
    for (let page = 0; page < size.pages; page++) {
      const entry = tables.entry.at(small.leafRow(space, page));
      const leaf = core.leaves[space]![page]!;
      entry.kind = leaf === UNMAPPED ? ENTRY_INVALID : ENTRY_PAGE;
      entry.page = leaf === UNMAPPED ? 0 : frameIn(leaf);
      entry.rights = leaf === UNMAPPED ? 0 : rightsIn(leaf);
    }
  }
};

/** The core that tables say: what the kernel believes. */
export const readCore = (small: SmallPlan, tables: Tables<KernelShape>): Core => {
  const { plan, size } = small;
  const inNode = (row: number, kind: number): number => (tables.slot.at(row).kind === kind ? tables.slot.at(row).object : NONE);
  return {
    bound: plan.sids.map(({ node }) => inNode(node, CB)),
    space: plan.cbs.map(({ node }) => inNode(node, VSPACE)),
    live: upTo(size.spaces).map((space) => Number(tables.vspace.at(space).asid === space && tables.asid.at(space).vspace === space)),
    leaves: upTo(size.spaces).map((space) =>
      upTo(size.pages).map((page) => {
        const { kind, page: frame, rights } = tables.entry.at(small.leafRow(space, page));
        return kind === ENTRY_PAGE ? leafOf(frame, rights) : UNMAPPED;
      }),
    ),
  };
};

export const rootOf = ({ plan }: SmallPlan, space: number): Pa => plan.pages[plan.vspaces[space]!.page]!.pa;
export const steAddress = ({ plan }: SmallPlan, stream: number, word: number): Pa => pa(plan.smmus[0]!.streamTable + BigInt(plan.sids[stream]!.sid) * 64n + BigInt(8 * word));

/** Stores that leave an abort entry as it was, with every mixture of other words kept by the SMMU. */
const mixtures = (small: SmallPlan, stream: number): Step[] => {
  const { plan, size } = small;
  const store = (word: number, value: bigint): Step => ({ kind: "store", addr: steAddress(small, stream, word), value, what: "a word of an entry that aborts" });
  return [1, 2, 3].flatMap((word) => {
    const values = new Set(plan.cbs.flatMap(({ vmid }) => upTo(size.spaces).map((space) => stage2Ste(rootOf(small, space), vmid)[word]!)));
    return [...values, abortSte[word]!].map((value) => store(word, value));
  });
};

/** Makes machine states, each once: with the greatest set of what may be kept, or with none but what must be. */
export const machineMaker = (small: SmallPlan, keeping: "greatest" | "least" = "greatest"): ((core: Core) => MachineState) => {
  const { machine, driver, size, plan } = small;
  const booted = machine.executeAll(machine.start, small.boot);
  const mixed = upTo(size.streams).map((stream) => mixtures(small, stream));
  const made = new Map<string, MachineState>();
  const make = (core: Core): MachineState => {
    const leaves = core.leaves.flatMap((row, space) =>
      row.flatMap((leaf, page) => (leaf === UNMAPPED ? [] : driver.writePage(small.tableOf(space, LEVELS - 1), small.leafRow(space, page), frameIn(leaf), rightsIn(leaf), CACHEABLE))),
    );
    // What a bank may have kept of the space that it has: all of it, whether a stream is bound now or not.
    const kept = core.space.flatMap((space, cb) => (space === NONE || keeping === "least" ? [] : [...driver.bindStream(0, cb, space), ...driver.unbindStream(0)]));
    const streams = plan.sids.flatMap((_, stream) => {
      const space = spaceOf(core, stream);
      if (space === NONE) return keeping === "least" ? [] : mixed[stream]!;
      return driver.bindStream(stream, core.bound[stream]!, space);
    });
    return machine.executeAll(booted, [...leaves, ...kept, ...streams]);
  };
  return (core) => {
    const key = coreKey(core);
    let state = made.get(key);
    if (state === undefined) made.set(key, (state = make(core)));
    return state;
  };
};
