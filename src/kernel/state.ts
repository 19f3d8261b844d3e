/** Every table of the kernel's state, in one place. The shape depends on the plan only by its capacities. */
import { below, flag, interned, optional, type Row, type Tables } from "../base/state.ts";
import { kinds } from "./capability.ts";
import type { Plan } from "./plan.ts";

/** Capability rights of endpoints and notifications are four bits; frames have three VM rights. */
const rightsDomain = ({ endpoints, notifications, threads }: Plan) => below(endpoints.length + notifications.length + threads.length > 0 ? 16 : 3);

export const kernelShape = (plan: Plan) => {
  const pages = plan.pages.length;
  const objects = Math.max(...objectLists(plan).map(({ length }) => length), 1);
  const most = plan.untypeds.reduce((greatest, { size, unit }) => Math.max(greatest, Number(size / unit)), 0);
  const asid = optional(plan.asids.length);
  return {
    /** Capability slots: every represented slot of every CNode, and the kernel's own (capability.ts reads a row). */
    slot: {
      rows: plan.slots.length,
      fields: {
        kind: below(kinds.length),
        /** Index of the object, in the list of its kind. */
        object: below(objects),
        /** Frames: VM rights (frame.ts). Endpoints, notifications and replies: the rights word. */
        rights: rightsDomain(plan),
        /** Frames and page tables: the address space where this capability says it is mapped. NONE when unmapped. */
        asid,
        address: below(plan.addresses.length),
        /** CNodes: index of the guard. */
        guard: below(plan.guards.length),
        /** Endpoints and notifications: index of the badge. */
        badge: below(plan.badges.length),
        /** Untyped: units handed out so far. */
        watermark: below(most + 1),
        /** The slot this capability was derived from: the derivation tree (cspace.ts). */
        parent: optional(plan.slots.length),
        /** May be the parent of copies: seL4's mdbRevocable. */
        revocable: flag,
      },
    },
    /** Page-table entries, by position in the VSpace's tree: what the kernel believes its tables say. */
    entry: { rows: plan.entries.length, fields: { kind: below(3), page: below(Math.max(1, pages)), rights: below(3) } },
    sid: { rows: plan.sids.length, fields: { issued: flag } },
    cb: {
      rows: plan.cbs.length,
      fields: {
        issued: flag,
        /** The entry of smmuStateCBAsidTable, where a profile keeps one; NONE otherwise. */
        asid: plan.bankCounts > 1 ? asid : below(1),
        /** Where the context descriptors of stage 1 are; NONE: there is no stage 1. Goes with the bank's VSpace. */
        cdTable: optional(plan.cdTables.length),
      },
    },
    /** The ASID that the VSpace was given; NONE before that (VSIsMapped). It may be stale: see `asid`. */
    vspace: { rows: plan.vspaces.length, fields: { asid } },
    /** The VSpace that an ASID names now, and how many banks use it (`bind_cb`), where a profile counts. */
    asid: { rows: plan.asids.length, fields: { vspace: optional(plan.vspaces.length), banks: below(plan.bankCounts) } },
    /** Where ASID pools stand in the table of pools (armKSASIDTable); NONE when they don't. */
    asidPool: { rows: plan.asidPools.length, fields: { high: optional(ASID_POOLS) } },
    /** What a thread is doing and, while it waits, with what; the queue it waits in is told by `before` (thread.ts). */
    thread: {
      rows: plan.threads.length,
      fields: {
        state: below(7),
        /** The endpoint or notification that it waits at. */
        object: below(Math.max(1, plan.endpoints.length, plan.notifications.length)),
        /** The thread before it in that queue; NONE for the first. */
        before: optional(plan.threads.length),
        /** Of what it waits to send: index of the badge, and the rights of the capability it was sent through. */
        badge: below(plan.badges.length),
        canGrant: flag,
        canGrantReply: flag,
        isCall: flag,
        /** The notification bound to it. */
        bound: optional(plan.notifications.length),
        priority: below(256),
        /** The greatest priority that it may give. */
        mostPriority: below(256),
        flags: flag,
        /** It has an IPC buffer that no capability in its slots names: a first state says so. */
        givenBuffer: flag,
      },
    },
    /** A notification that was signalled and not yet waited for, with the badges or-ed. */
    notification: { rows: plan.notifications.length, fields: { active: flag, badge: below(plan.badges.length) } },
    /** Interrupts whose handler is issued (intStateIRQTable). */
    irq: { rows: plan.irqs.length, fields: { issued: flag } },
    /** Set when the kernel has stopped (kernel.ts `halt`); only where ASID pools can be deleted. */
    processor: {
      rows: 1,
      fields: {
        halted: below(plan.asidPools.length > 0 ? 2 : 1),
        /** Which promise the last invocation broke by its answer (src/check/properties/promises.ts); 0 for none. The kernel never reads it. */
        broken: below(plan.open ? 1 : MOST_PROMISES + 1),
      },
    },
    vcpu: { rows: plan.vcpus.length, fields: { thread: optional(plan.threads.length) } },
    /** Number of the machine's state: table memory, registers and may-cache set. The kernel never reads it. */
    machine: { rows: 1, fields: { id: interned } },
  } as const;
};

/** What a state has room to name; more promises than there are. */
export const MOST_PROMISES = 31;
/** armKSASIDTable has 2^7 entries (seL4 structures_64.h asidHighBits). */
export const ASID_POOLS = 128;
/** A pool has 2^9 ASIDs (asidLowBits). */
export const ASID_LOW_BITS = 9;

const objectLists = (plan: Plan): readonly (readonly unknown[])[] => [
  plan.pages,
  plan.untypeds,
  plan.cnodes,
  plan.vspaces,
  plan.sids,
  plan.cbs,
  plan.asidPools,
  plan.endpoints,
  plan.notifications,
  plan.threads,
  plan.vcpus,
  plan.irqs,
];

export type KernelShape = ReturnType<typeof kernelShape>;
export type KernelTables = Tables<KernelShape>;
export type SlotRow = Row<KernelShape["slot"]>;

/** Kinds of an entry row. */
export const ENTRY_INVALID = 0;
export const ENTRY_TABLE = 1;
export const ENTRY_PAGE = 2;
