/**
 * The small plans of the inductive check: just enough rows for one footprint (the rows an invocation reads and writes),
 * one more row of each kind that a clause may mention, and one that neither names. Nothing of them comes from a board.
 *
 * Slots of the one CNode: its own capability, both control capabilities, then four free ones: the capability that is
 * invoked, its argument or destination, and two that nothing names. Every address space has its tables down to the leaf, and keeps
 * them: page tables as objects are no part of the core.
 */
import { NONE } from "../../base/state.ts";
import type { Step } from "../../base/step.ts";
import { pa, streamId } from "../../base/words.ts";
import { createDriver, type Driver } from "../../kernel/driver.ts";
import { entriesFor, fixedPlan, LEVELS, type Plan, rootGuard, type SlotPlace } from "../../kernel/plan.ts";
import { cofferdam } from "../../kernel/profile.ts";
import { createMachine, type MachineRun } from "../../smmuv3/machine.ts";

/** How many rows there are of each kind. */
export interface Size {
  readonly streams: number;
  readonly banks: number;
  readonly spaces: number;
  readonly frames: number;
  readonly pages: number;
}

export const CNODE_ROW = 0;
export const SID_CONTROL_ROW = 1;
export const CB_CONTROL_ROW = 2;
/** What is invoked, unless it is one of the above. */
export const TARGET = 3;
/** The argument of an invocation, or its destination. */
export const ARGUMENT = 4;
/** Capabilities that the invocation does not name. */
export const WITNESS = 5;
export const OTHER_WITNESS = 6;
export const FREE_SLOTS = [TARGET, ARGUMENT, WITNESS, OTHER_WITNESS] as const;
const SLOTS = 7;
const RADIX = 8;

const STREAM_TABLE = 0x4000_0000n;
const LOG2_STREAMS = 3;
const TABLES = 0x4100_0000n;
const FRAMES = 0x4200_0000n;
const FIRST_PAGE = 0x10_0000n;
const PAGE = 0x1000n;
const PAGE_BITS = 12;

export interface SmallPlan {
  readonly size: Size;
  readonly plan: Plan;
  /** The driver that keeps every safeguard: it makes the states from which a broken kernel starts, too. */
  readonly driver: Driver;
  readonly machine: MachineRun;
  /** Row of an address space's leaf entry for a page. */
  readonly leafRow: (space: number, page: number) => number;
  /** Index in `plan.pages` of the table that holds the entries of a level. */
  readonly tableOf: (space: number, level: number) => number;
  /** From reset to translation on, with every table but the leaves' entries. */
  readonly boot: readonly Step[];
}

export const sizeText = ({ streams, banks, spaces, frames, pages }: Size): string => `${streams} stream(s), ${banks} bank(s), ${spaces} address space(s) of ${pages} page(s), ${frames} frame(s)`;

export const smallPlan = (size: Size): SmallPlan => {
  const addresses = Array.from({ length: size.pages }, (_, page) => FIRST_PAGE + BigInt(page) * PAGE);
  const frames = Array.from({ length: size.frames }, (_, frame) => ({ pa: pa(FRAMES + BigInt(frame) * PAGE), bits: PAGE_BITS, device: false, untyped: NONE, name: `frame ${frame}` }));
  const tableOf = (space: number, level: number): number => size.frames + space * LEVELS + level;
  const tables = Array.from({ length: size.spaces * LEVELS }, (_, at) => ({
    pa: pa(TABLES + BigInt(at) * PAGE),
    bits: PAGE_BITS,
    device: false,
    untyped: NONE,
    name: `L${at % LEVELS} table of space ${Math.floor(at / LEVELS)}`,
  }));
  const slots: SlotPlace[] = [
    ...Array.from({ length: SLOTS }, (_, index): SlotPlace => ({ in: "cnode", cnode: 0, index })),
    ...Array.from({ length: size.streams }, (_, sid): SlotPlace => ({ in: "sidNode", sid })),
    ...Array.from({ length: size.banks }, (_, cb): SlotPlace => ({ in: "cbNode", cb })),
  ];
  const entries = entriesFor(size.spaces, addresses);
  const plan = fixedPlan({
    smmus: [{ path: "/smmu", streamTable: pa(STREAM_TABLE), log2Size: LOG2_STREAMS }],
    subjects: [{ name: "anyone", trusted: false, cnode: 0 }],
    cnodes: [{ name: "anyone", radix: RADIX, firstRow: 0, indices: Array.from({ length: SLOTS }, (_, index) => index), spare: [...FREE_SLOTS] }],
    slots,
    guards: [{ size: 0, value: 0n }, rootGuard(RADIX)],
    badges: [0n],
    pages: [...frames, ...tables],
    untypeds: [],
    vspaces: Array.from({ length: size.spaces }, (_, space) => ({ name: `space ${space}`, page: tableOf(space, 0) })),
    asids: Array.from({ length: size.spaces }, (_, space) => ({ number: space + 1 })),
    asidPools: [],
    endpoints: [],
    notifications: [],
    threads: [],
    vcpus: [],
    irqs: [],
    addresses,
    ...entries,
    sids: Array.from({ length: size.streams }, (_, sid) => ({ name: `stream ${sid}`, smmu: 0, sid: streamId(sid + 1), mask: 0, node: SLOTS + sid })),
    cbs: Array.from({ length: size.banks }, (_, cb) => ({ name: `bank ${cb}`, smmu: 0, number: cb, vmid: cb + 1, node: SLOTS + size.streams + cb })),
    cdTables: [],
    bankCounts: 1,
  });
  const driver = createDriver(plan, cofferdam);
  const upper = Array.from({ length: size.spaces }, (_, space) =>
    Array.from({ length: LEVELS - 1 }, (__, level) => driver.writeTable(tableOf(space, level), entries.entryAt(space, level, 0), tableOf(space, level + 1))).flat(),
  ).flat();
  return {
    size,
    plan,
    driver,
    machine: createMachine({ smmus: [{}], cacheMode: "may", steFetch: "torn" }),
    leafRow: (space, page) => entries.entryAt(space, LEVELS - 1, page),
    tableOf,
    boot: [...driver.reset(), ...upper, ...driver.enable()],
  };
};
