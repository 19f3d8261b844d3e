/** Untyped_Retype (seL4 src/object/untyped.c `decodeUntypedInvocation`, `invokeUntyped_Retype`). */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, objectTypes, RETYPE_FAN_OUT_LIMIT, SLOT_BITS } from "../../specs/sel4/object.ts";
import { CNODE, FRAME, NULL, PAGE_TABLE, READ_WRITE, UNTYPED } from "./capability.ts";
import { hasChildren, insertNew, slotNamed } from "./cspace.ts";
import { invocation, refusal, type Request } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { lookupRefusals, type SlotAddress } from "./lookup.ts";

const types = Object.values(objectTypes);
const PAGE_BITS = 12n;
/** A CNode that fills one page. */
export const PAGE_CNODE_RADIX = Number(PAGE_BITS) - SLOT_BITS;

/** Bits of bytes of one object (objecttype.c `getObjectSize`). */
const objectBits = (type: bigint, sizeBits: bigint): bigint => {
  if (type === objectTypes.cnode.number) return sizeBits + BigInt(SLOT_BITS);
  return type === objectTypes.untyped.number ? sizeBits : BigInt(types[Number(type)]!.sizeBits!);
};

/** What this model can make: one page each. */
const kindMade = (type: bigint, sizeBits: bigint): number => {
  if (type === objectTypes.smallPage.number) return FRAME;
  if (type === objectTypes.pageTable.number) return PAGE_TABLE;
  return type === objectTypes.cnode.number && sizeBits === BigInt(PAGE_CNODE_RADIX) ? CNODE : NULL;
};

/** node_depth 0 names the root itself; otherwise the CNode is looked up in it. */
const node: SlotAddress = ({ caps, words }) => [caps[0]!, words[2]!, words[3]!];
const nodeRow = (kernel: Kernel, request: Request): number => (request.words[3] === 0n ? request.caps[0]! : slotNamed(kernel, ...node(request)));
const nodeSlots = (kernel: Kernel, request: Request) => kernel.plan.cnodes[kernel.tables.slot.at(nodeRow(kernel, request)).object]!;
/** Rows of the destination window; -1 for a slot that the scope leaves out. */
const windowRows = (kernel: Kernel, request: Request): number[] => {
  const { firstRow, indices } = nodeSlots(kernel, request);
  return Array.from({ length: Number(request.words[5]) }, (_, n) => {
    const at = indices.indexOf(Number(request.words[4]) + n);
    return at < 0 ? -1 : firstRow + at;
  });
};
const freePages = (kernel: Kernel, row: number): number => {
  const slot = kernel.tables.slot.at(row);
  return kernel.plan.untypeds[slot.object]!.pages - (hasChildren(kernel, row) ? slot.watermark : 0);
};

const nodeLookup = lookupRefusals("destination", node).map((lookup) => ({
  ...lookup,
  words: (kernel: Kernel, request: Request) => (request.words[3] === 0n ? undefined : lookup.words(kernel, request)),
}));

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
      windowRows(kernel, request).every((row) => row < 0 || kernel.tables.slot.at(row).kind === NULL) ? undefined : [],
    ),
    refusal("seL4_NotEnoughMemory", "the untyped has too little memory left", (kernel, request) => {
      const free = BigInt(freePages(kernel, request.target)) << PAGE_BITS;
      return free >> objectBits(request.words[0]!, request.words[1]!) < request.words[5]! ? [free] : undefined;
    }),
    refusal("seL4_InvalidArgument", "this model makes 4 KiB frames, page tables, and CNodes of 128 slots only", (_, { words }) =>
      kindMade(words[0]!, words[1]!) === NULL ? [0n] : undefined,
    ),
    refusal("seL4_InvalidArgument", "a destination slot is outside the scope of this state", (kernel, request) =>
      windowRows(kernel, request).includes(-1) ? [4n] : undefined,
    ),
  ],
  effect: (kernel, request) => {
    const untyped = kernel.tables.slot.at(request.target);
    const { firstPage, pages } = kernel.plan.untypeds[untyped.object]!;
    if (!hasChildren(kernel, request.target)) {
      // untyped.c `resetUntypedCap`: nothing is left of the earlier objects, and their contents go.
      untyped.watermark = 0;
      if (keeps(kernel, "retype-clears-memory")) kernel.emit(kernel.driver.clearMemory(firstPage, pages));
    }
    const kind = kindMade(request.words[0]!, request.words[1]!);
    for (const row of windowRows(kernel, request)) {
      const page = firstPage + untyped.watermark;
      untyped.watermark += 1;
      insertNew(kernel, request.target, row, kind, kind === CNODE ? kernel.plan.cnodes.findIndex((cnode) => cnode.page === page) : page);
      if (kind === FRAME) kernel.tables.slot.at(row).rights = READ_WRITE;
    }
  },
});
