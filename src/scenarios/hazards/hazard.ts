/**
 * A hazard: something that a kernel design lets happen, as a scenario that shows it. What was read in a kernel's source
 * and what is taken for granted of the hardware are kept apart, and each says what would have to be tried on a board,
 * because the model proves nothing about silicon.
 */
import type { Answer, Message } from "../../kernel/api.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Reach } from "../../check/machine.ts";
import type { Step } from "../../base/step.ts";

/** One line of an invocation list. */
export interface Line extends Message {
  readonly actor: string;
}

/** A state, as a hazard judges it. */
export interface Seen {
  readonly kernel: Kernel;
  /** What every device could reach now, what may be cached included. */
  readonly reach: Reach;
  /** The last invocation and its answer; none in the first state. */
  readonly last?: { readonly line: Line; readonly answer: Answer };
}

export interface Hazard {
  readonly name: string;
  /** What goes wrong, in a sentence. */
  readonly says: string;
  /** What the source says, and where. */
  readonly read: string;
  readonly source: string;
  /** What is taken for granted of the SMMU or the machine. */
  readonly assumed: string;
  /** What would have to be tried on a board. */
  readonly board: string;
  /** What firmware left in the SMMU before the kernel began. */
  readonly firmware?: readonly Step[];
  /** Brings the first state to where the hazard begins; every line is answered seL4_NoError, unless the next field says otherwise. */
  readonly setup: readonly Line[];
  /** A profile has less of something than the set-up asks for. */
  readonly setupMayBeRefused?: true;
  /** What may be invoked from there on, in any order and any number of times. */
  readonly moves: readonly Line[];
  /** What is wrong in a state, or undefined. */
  readonly wrong: (seen: Seen) => string | undefined;
  /** Length of the shortest sequence of moves that gets there, by profile. A profile that is not named has no such sequence. */
  readonly shortest: Readonly<Record<string, number>>;
}

/** Capabilities of `driver` in specs/first-states/dma.yaml, by slot. */
export const slots = {
  cnode: 1n,
  otherCnode: 2n,
  asidControl: 3n,
  pool: 4n,
  first: 5n,
  second: 6n,
  sidControl: 7n,
  cbControl: 8n,
  tables: [10n, 11n, 12n],
  secondTables: [13n, 14n, 15n],
  buffer: 16n,
  secret: 17n,
  sid: 20n,
  cb: 21n,
  otherCb: 22n,
  untyped: 30n,
  /** Empty ones. */
  free: 40n,
} as const;

export const line = (cptr: bigint, label: string, words: readonly bigint[] = [], caps: readonly bigint[] = []): Line => ({ actor: "driver", cptr, label, words, caps });

const SLOT_DEPTH = 64n;
const onSlot = (label: string) => (slot: bigint): Line => line(slots.cnode, label, [slot, SLOT_DEPTH]);
export const deleteSlot = onSlot("CNodeDelete");
export const revokeSlot = onSlot("CNodeRevoke");

/** IOVA at which pages are mapped. */
export const IOVA = 0x1000_0000n;
const READ_WRITE = 3n;
/** seL4_ARM_Default_VMAttributes. */
const ATTRIBUTES = 3n;

export const mapTable = (table: bigint, vspace: bigint): Line => line(table, "ARMPageTableMap", [IOVA, ATTRIBUTES], [vspace]);
export const mapPage = (frame: bigint, vspace: bigint, iova = IOVA, rights = READ_WRITE): Line => line(frame, "ARMPageMap", [iova, rights, ATTRIBUTES], [vspace]);
export const unmapPage = (frame: bigint): Line => line(frame, "ARMPageUnmap");
export const assign = (cb: bigint, vspace: bigint): Line => line(cb, "ARMCBAssignVspace", [], [vspace]);
export const unassign = (cb: bigint): Line => line(cb, "ARMCBUnassignVspace");
export const bind = (sid: bigint, cb: bigint): Line => line(sid, "ARMSIDBindCB", [], [cb]);
export const unbind = (sid: bigint): Line => line(sid, "ARMSIDUnbindCB");
export const makePool: Line = line(slots.asidControl, "ARMASIDControlMakePool", [slots.free, SLOT_DEPTH], [slots.untyped, slots.cnode]);
export const issueBank = (cb: bigint, slot: bigint): Line => line(slots.cbControl, "ARMCBIssueCBManager", [cb, slot, SLOT_DEPTH], [slots.cnode]);

/** The first VSpace with its three tables. */
export const tables: readonly Line[] = slots.tables.map((table) => mapTable(table, slots.first));
/** ... and the buffer in it. */
export const mapped: readonly Line[] = [...tables, mapPage(slots.buffer, slots.first)];
/** The stream sees the buffer through the first bank. */
export const connected: readonly Line[] = [...mapped, assign(slots.cb, slots.first), bind(slots.sid, slots.cb)];
