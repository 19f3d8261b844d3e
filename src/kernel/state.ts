/** Every table of the kernel's state, in one place. The shape depends on the plan only by its capacities. */
import { below, flag, interned, optional, type Row, type Tables } from "../base/state.ts";
import { kinds } from "./capability.ts";
import type { Plan } from "./plan.ts";

export const kernelShape = (plan: Plan) => {
  const pages = plan.pages.length;
  const objects = Math.max(pages, plan.untypeds.length, plan.cnodes.length, plan.vspaces.length, plan.sids.length, plan.cbs.length, 1);
  const most = plan.untypeds.reduce((greatest, { pages: count }) => Math.max(greatest, count), 0);
  return {
    /** Capability slots: every represented slot of every CNode, then SIDNode, then CBNode (capability.ts reads a row). */
    slot: {
      rows: plan.slots.length,
      fields: {
        kind: below(kinds.length),
        /** Index of the object, in the list of its kind. */
        object: below(objects),
        /** Frames: VM rights (frame.ts). */
        rights: below(3),
        /** Frames and page tables: where this capability says it is mapped. NONE when unmapped. */
        vspace: optional(plan.vspaces.length),
        address: below(plan.addresses.length),
        /** CNodes: index of the guard. */
        guard: below(plan.guards.length),
        /** Untyped: pages handed out so far. */
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
    cb: { rows: plan.cbs.length, fields: { issued: flag } },
    /** `live`: the ASID still names this VSpace (seL4: findVSpaceForASID succeeds). */
    vspace: { rows: plan.vspaces.length, fields: { live: flag } },
    /** Interned values of the machine: table memory with registers, and the may-cache set. The kernel never reads them. */
    machine: { rows: 1, fields: { image: interned, cache: interned } },
  } as const;
};

export type KernelShape = ReturnType<typeof kernelShape>;
export type KernelTables = Tables<KernelShape>;
export type SlotRow = Row<KernelShape["slot"]>;

/** Kinds of an entry row. */
export const ENTRY_INVALID = 0;
export const ENTRY_TABLE = 1;
export const ENTRY_PAGE = 2;
