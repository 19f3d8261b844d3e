/** Untyped_Retype (seL4 src/object/untyped.c `decodeUntypedInvocation`, `invokeUntyped_Retype`). */
import { NONE } from "../base/state.ts";
import { type Pa, pa } from "../base/words.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, objectTypes, RETYPE_FAN_OUT_LIMIT, SLOT_BITS } from "../../specs/sel4/object.ts";
import { CNODE, ENDPOINT, FRAME, NOTIFICATION, NULL, PAGE_TABLE, READ_WRITE, THREAD, UNTYPED, VCPU, VSPACE } from "./capability.ts";
import { hasChildren, insertNew, slotNamed } from "./cspace.ts";
import { invocation, refusal, type Request } from "./invocation.ts";
import { type Kernel, keeps, preemptionPoint } from "./kernel.ts";
import { lookupRefusals, type SlotAddress } from "./lookup.ts";
import type { PlanUntyped } from "./plan.ts";

const types = Object.values(objectTypes);
const PAGE_BITS = 12;
/** A CNode that fills one page. */
export const PAGE_CNODE_RADIX = PAGE_BITS - SLOT_BITS;

/** Read, write, grant and grant reply. */
const ALL_RIGHTS = 15;

/** Bits of bytes of one object (objecttype.c `getObjectSize`). */
const objectBits = (type: bigint, sizeBits: bigint): bigint => {
  if (type === objectTypes.cnode.number) return sizeBits + BigInt(SLOT_BITS);
  return type === objectTypes.untyped.number ? sizeBits : BigInt(types[Number(type)]!.sizeBits!);
};

/** Kind of capability that each object type gives, by its number. */
const kindOfType: Readonly<Record<keyof typeof objectTypes, number>> = {
  untyped: UNTYPED,
  tcb: THREAD,
  endpoint: ENDPOINT,
  notification: NOTIFICATION,
  cnode: CNODE,
  hugePage: FRAME,
  vspace: VSPACE,
  smallPage: FRAME,
  largePage: FRAME,
  pageTable: PAGE_TABLE,
  vcpu: VCPU,
};
const kindMade = (type: bigint): number => kindOfType[Object.keys(objectTypes)[Number(type)] as keyof typeof objectTypes];

/** node_depth 0 names the root itself; otherwise the CNode is looked up in it. */
const node: SlotAddress = ({ caps, words }) => [caps[0]!, words[2]!, words[3]!];
const nodeRow = (kernel: Kernel, request: Request): number => (request.words[3] === 0n ? request.caps[0]! : slotNamed(kernel, ...node(request)));
const nodeSlots = (kernel: Kernel, request: Request) => kernel.plan.cnodes[kernel.tables.slot.at(nodeRow(kernel, request)).object]!;
/** Rows of the destination window; NONE for a slot that the scope leaves out. */
const windowRows = (kernel: Kernel, request: Request): number[] => {
  const cnode = kernel.tables.slot.at(nodeRow(kernel, request)).object;
  return Array.from({ length: Number(request.words[5]) }, (_, n) => kernel.plan.slotRow(cnode, Number(request.words[4]) + n));
};
const untypedAt = (kernel: Kernel, row: number): PlanUntyped => kernel.plan.untypeds[kernel.tables.slot.at(row).object]!;
/** Something made from the untyped is left (untyped.c `decodeUntypedInvocation`: ensureNoChildren). */
const isInUse = (kernel: Kernel, row: number): boolean => hasChildren(kernel, row) && keeps(kernel, "retype-respects-children");
/** Bytes handed out; none once there are no children. */
const used = (kernel: Kernel, row: number): bigint => (isInUse(kernel, row) ? BigInt(kernel.tables.slot.at(row).watermark) * untypedAt(kernel, row).unit : 0n);
const freeBytes = (kernel: Kernel, row: number): bigint => untypedAt(kernel, row).size - used(kernel, row);

/** Where each object goes: from the watermark on, aligned to its size. */
const placesOf = (kernel: Kernel, { target, words }: Request): Pa[] => {
  const { base } = untypedAt(kernel, target);
  const size = 1n << objectBits(words[0]!, words[1]!);
  const first = (base + used(kernel, target) + size - 1n) & -size;
  return Array.from({ length: Number(words[5]) }, (_, n) => pa(first + BigInt(n) * size));
};
/** The objects, as indices in the list of their kind; NONE for one that the scope cannot represent. */
const objectsOf = (kernel: Kernel, request: Request): number[] => {
  const [type, sizeBits] = [request.words[0]!, request.words[1]!];
  const { object } = kernel.tables.slot.at(request.target);
  return placesOf(kernel, request).map((address) => kernel.plan.objectOf(kindMade(type), address, Number(objectBits(type, sizeBits)), object));
};

const nodeLookup = lookupRefusals("destination", node).map((lookup) => ({
  ...lookup,
  words: (kernel: Kernel, request: Request) => (request.words[3] === 0n ? undefined : lookup.words(kernel, request)),
}));

/** CONFIG_RESET_CHUNK_BITS. */
const CHUNK = 256n;
/**
 * untyped.c `resetUntypedCap`: what was handed out is cleared from its end on, in chunks, with a preemption point behind
 * each, and the watermark goes down with them. Where nothing interrupts, the effect clears all at once.
 */
const resetInChunks = (kernel: Kernel, row: number): void => {
  const untyped = kernel.tables.slot.at(row);
  const { base, size, unit, name } = untypedAt(kernel, row);
  const handedOut = BigInt(untyped.watermark) * unit;
  if (kernel.contents?.preemptAfter === undefined || handedOut === 0n || size < CHUNK) return;
  for (let offset = ((handedOut - 1n) / CHUNK) * CHUNK; offset >= 0n; offset -= CHUNK) {
    try {
      untyped.watermark = Number(offset / unit);
      preemptionPoint(kernel);
    } catch (interrupted) {
      if (keeps(kernel, "retype-clears-memory")) kernel.emit(kernel.driver.clearMemory(pa(base + offset), handedOut - offset, name));
      throw interrupted;
    }
  }
};

export const Retype = invocation({
  label: "UntypedRetype",
  object: UNTYPED,
  says: "Make objects from untyped memory.",
  caps: [{ name: "root", of: "cnode" }],
  words: [
    { name: "type", of: "type" },
    { name: "size_bits", of: "count" },
    { name: "node", of: "window", root: 0 },
    { name: "num_objects", of: "count" },
  ],
  refusals: [
    refusal("seL4_InvalidArgument", "there is no such object type", (_, { words }) => (words[0]! >= BigInt(types.length) ? [0n] : undefined)),
    refusal("seL4_RangeError", "the object is larger than any untyped", (_, { words }) =>
      words[1]! >= 64n || objectBits(words[0]!, words[1]!) > MAX_UNTYPED_BITS ? [0n, MAX_UNTYPED_BITS] : undefined,
    ),
    refusal("seL4_InvalidArgument", "a CNode needs at least two slots", (_, { words }) => (words[0] === objectTypes.cnode.number && words[1] === 0n ? [1n] : undefined)),
    refusal("seL4_InvalidArgument", "an untyped needs at least 16 bytes", (_, { words }) =>
      words[0] === objectTypes.untyped.number && words[1]! < MIN_UNTYPED_BITS ? [1n] : undefined,
    ),
    ...nodeLookup,
    refusal("seL4_FailedLookup", "the destination is no CNode", (kernel, request) =>
      kernel.tables.slot.at(nodeRow(kernel, request)).kind === CNODE ? undefined : [0n, lookupFaults.missingCapability, request.words[3]!],
    ),
    refusal("seL4_RangeError", "the first destination slot is beyond the CNode", (kernel, request) => {
      const slots = 1n << BigInt(nodeSlots(kernel, request).radix);
      return request.words[4]! > slots - 1n ? [0n, slots - 1n] : undefined;
    }),
    refusal("seL4_RangeError", "the number of objects is not 1 to 256", (_, { words }) =>
      words[5]! < 1n || words[5]! > RETYPE_FAN_OUT_LIMIT ? [1n, RETYPE_FAN_OUT_LIMIT] : undefined,
    ),
    refusal("seL4_RangeError", "the destination window is longer than the CNode", (kernel, request) => {
      const left = (1n << BigInt(nodeSlots(kernel, request).radix)) - request.words[4]!;
      return request.words[5]! > left ? [1n, left] : undefined;
    }),
    refusal("seL4_DeleteFirst", "a destination slot is not empty", (kernel, request) =>
      windowRows(kernel, request).every((row) => row === NONE || kernel.tables.slot.at(row).kind === NULL) ? undefined : [],
    ),
    refusal("seL4_NotEnoughMemory", "the untyped has too little memory left", (kernel, request) => {
      const free = freeBytes(kernel, request.target);
      return free >> objectBits(request.words[0]!, request.words[1]!) < request.words[5]! ? [free] : undefined;
    }),
    refusal("seL4_InvalidArgument", "device memory becomes frames and untypeds only", (kernel, { target, words }) => {
      const kind = kindMade(words[0]!);
      return untypedAt(kernel, target).device && kind !== FRAME && kind !== UNTYPED ? [1n] : undefined;
    }),
    refusal("seL4_InvalidArgument", "a scaled state makes 4 KiB frames, page tables, and CNodes of 128 slots only", (kernel, request) =>
      !kernel.plan.open && objectsOf(kernel, request).includes(NONE) ? [0n] : undefined,
    ),
    refusal("seL4_InvalidArgument", "a destination slot is outside the scope of this state", (kernel, request) =>
      windowRows(kernel, request).includes(NONE) ? [4n] : undefined,
    ),
  ],
  effect: (kernel, request) => {
    const row = request.target;
    const untyped = kernel.tables.slot.at(row);
    const { base, size, unit, name, device } = untypedAt(kernel, row);
    const places = placesOf(kernel, request);
    const kind = kindMade(request.words[0]!);
    const bits = objectBits(request.words[0]!, request.words[1]!);
    const fresh = !isInUse(kernel, row);
    // untyped.c `resetUntypedCap`: nothing is left of the earlier objects, and their contents go.
    if (fresh && !device) resetInChunks(kernel, row);
    if (fresh && !device && keeps(kernel, "retype-clears-memory")) kernel.emit(kernel.driver.clearMemory(base, size, name));
    const objects = objectsOf(kernel, request);
    untyped.watermark = Number((places.at(-1)! + (1n << bits) - base) / unit);
    for (const [n, destination] of windowRows(kernel, request).entries()) {
      insertNew(kernel, row, destination, kind, objects[n]!);
      if (kind === FRAME) kernel.tables.slot.at(destination).rights = READ_WRITE;
      if (kind === ENDPOINT || kind === NOTIFICATION) kernel.tables.slot.at(destination).rights = ALL_RIGHTS;
    }
  },
});
