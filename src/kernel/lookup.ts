/** The refusals of slot addresses, shared by every invocation that names a slot (cspace.c `lookupSlotForCNodeOp`). */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CNODE, NULL } from "./capability.ts";
import { resolve, slotNamed } from "./cspace.ts";
import { type Refusal, refusal, type Request } from "./invocation.ts";

/** The slot address in a request: row of the root CNode capability, index, depth. */
export type SlotAddress = (request: Request) => readonly [root: number, index: bigint, depth: bigint];

/** In order: the root is no CNode, the depth is out of range, the address does not resolve, bits are left over. */
export const lookupRefusals = (which: "source" | "destination", address: SlotAddress, name: string = which): Refusal[] => {
  const source = which === "source" ? 1n : 0n;
  return [
    refusal("seL4_FailedLookup", `the ${name} root is no CNode`, (kernel, request) =>
      kernel.tables.slot.at(address(request)[0]).kind === CNODE ? undefined : [source, lookupFaults.invalidRoot],
    ),
    refusal("seL4_RangeError", `the ${name} depth is not 1 to 64`, (_, request) => {
      const depth = address(request)[2];
      return depth < 1n || depth > BigInt(WORD_BITS) ? [1n, BigInt(WORD_BITS)] : undefined;
    }),
    refusal("seL4_FailedLookup", `the ${name} address names no slot`, (kernel, request) => {
      const [root, index, depth] = address(request);
      const found = resolve(kernel, root, index, Number(depth));
      if (found.fault !== undefined) return [source, ...found.fault];
      return found.left === 0 ? undefined : [source, lookupFaults.depthMismatch, BigInt(found.left), 0n];
    }),
  ];
};

export const emptyDestination = (address: SlotAddress): Refusal =>
  refusal("seL4_DeleteFirst", "the destination slot is not empty", (kernel, request) =>
    kernel.tables.slot.at(slotNamed(kernel, ...address(request))).kind === NULL ? undefined : [],
  );
