/** ASIDControl and ASIDPool (seL4 src/arch/arm/64/kernel/vspace.c `decodeARMMMUInvocation`). */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { ASID_CONTROL, ASID_POOL, UNTYPED, VSPACE } from "./capability.ts";
import { hasChildren, insertNew, slotNamed, unitsOf } from "./cspace.ts";
import { invocation, refusal } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";
import { ASID_LOW_BITS, ASID_POOLS } from "./state.ts";
import { isAssigned } from "./vspace.ts";

/** An ASID pool fills a page. */
const POOL_BITS = 12;
const destination: SlotAddress = ({ caps, words }) => [caps[1]!, words[0]!, words[1]!];

/** The first place in the table of pools that is free, or NONE. */
const freeHigh = ({ tables: { asidPool } }: Kernel): number => {
  for (let high = 0; high < ASID_POOLS; high++) if (!asidPool.some((pool) => pool.high === high)) return high;
  return NONE;
};

export const MakePool = invocation({
  label: "ARMASIDControlMakePool",
  object: ASID_CONTROL,
  says: "Make a pool of 512 ASIDs out of a page of untyped memory.",
  caps: [
    { name: "untyped", of: "untyped" },
    { name: "root", of: "cnode" },
  ],
  words: [{ name: "index", of: "emptySlot", root: 1 }],
  refusals: [
    refusal("seL4_DeleteFirst", "there are 128 pools", (kernel) => (freeHigh(kernel) === NONE ? [] : undefined)),
    refusal("seL4_InvalidCapability", "the capability is no untyped of 4 KiB of normal memory", (kernel, { caps }) => {
      const slot = kernel.tables.slot.at(caps[0]!);
      if (slot.kind !== UNTYPED) return [1n];
      const { size, device } = kernel.plan.untypeds[slot.object]!;
      return size === 1n << BigInt(POOL_BITS) && !device ? undefined : [1n];
    }),
    refusal("seL4_RevokeFirst", "the untyped has children", (kernel, { caps }) => (hasChildren(kernel, caps[0]!) ? [] : undefined)),
    ...lookupRefusals("destination", destination),
    emptyDestination(destination),
    refusal("seL4_InvalidArgument", "a pool there is outside the scope of this state", (kernel, { caps }) => {
      const { object } = kernel.tables.slot.at(caps[0]!);
      return kernel.plan.objectOf(ASID_POOL, kernel.plan.untypeds[object]!.base, POOL_BITS, object) === NONE ? [0n] : undefined;
    }),
  ],
  effect: (kernel, request) => {
    const untyped = kernel.tables.slot.at(request.caps[0]!);
    const memory = kernel.plan.untypeds[untyped.object]!;
    const pool = kernel.plan.objectOf(ASID_POOL, memory.base, POOL_BITS, untyped.object);
    kernel.emit(kernel.driver.clearMemory(memory.base, memory.size, memory.name));
    kernel.tables.asidPool.at(pool).high = freeHigh(kernel);
    untyped.watermark = unitsOf(memory);
    insertNew(kernel, request.caps[0]!, slotNamed(kernel, ...destination(request)), ASID_POOL, pool);
  },
});

/** Row of the first ASID of a pool that names nothing; ASID 0 is no ASID. NONE when all are taken, or in no scope. */
const freeAsid = ({ plan, tables }: Kernel, pool: number): number => {
  const { high } = tables.asidPool.at(pool);
  for (let low = 0; low < 1 << ASID_LOW_BITS; low++) {
    const number = (high << ASID_LOW_BITS) + low;
    if (number === 0) continue;
    const asid = plan.asidOf(number);
    if (asid !== NONE && tables.asid.at(asid).vspace === NONE) return asid;
  }
  return NONE;
};

export const PoolAssign = invocation({
  label: "ARMASIDPoolAssign",
  object: ASID_POOL,
  says: "Give a VSpace an ASID, which makes it one that pages can be mapped in.",
  caps: [{ name: "vspace", of: "vspace" }],
  words: [],
  refusals: [
    refusal("seL4_InvalidCapability", "the capability is no VSpace without an ASID", (kernel, { caps }) => {
      const slot = kernel.tables.slot.at(caps[0]!);
      return slot.kind === VSPACE && !isAssigned(kernel, slot.object) ? undefined : [1n];
    }),
    refusal("seL4_FailedLookup", "the pool stands in the table no more", (kernel, { target }) =>
      kernel.tables.asidPool.at(kernel.tables.slot.at(target).object).high === NONE ? [0n, lookupFaults.invalidRoot] : undefined,
    ),
    refusal("seL4_DeleteFirst", "every ASID of the pool is taken", (kernel, { target }) => (freeAsid(kernel, kernel.tables.slot.at(target).object) === NONE ? [] : undefined)),
  ],
  effect: (kernel, { target, caps }) => {
    const { slot, asid, vspace } = kernel.tables;
    const given = freeAsid(kernel, slot.at(target).object);
    const { object } = slot.at(caps[0]!);
    vspace.at(object).asid = given;
    const entry = asid.at(given);
    entry.vspace = object;
    entry.banks = 0;
  },
});
