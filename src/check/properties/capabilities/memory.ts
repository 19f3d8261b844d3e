/** Which memory an object is, for the kinds that are made of memory and have a known size. */
import { SLOT_BITS } from "../../../../specs/sel4/object.ts";
import { CNODE, CNODE_ZOMBIE, FRAME, PAGE_TABLE, UNTYPED, VSPACE } from "../../../kernel/capability.ts";
import type { Plan } from "../../../kernel/plan.ts";

export interface Memory {
  readonly base: bigint;
  readonly end: bigint;
}

const page = ({ pages }: Plan, index: number): Memory | undefined => {
  const found = pages[index];
  return found === undefined ? undefined : { base: found.pa, end: found.pa + (1n << BigInt(found.bits)) };
};

export const memoryOf = (plan: Plan, kind: number, object: number): Memory | undefined => {
  switch (kind) {
    case UNTYPED: {
      const { base, size } = plan.untypeds[object]!;
      return { base, end: base + size };
    }
    case FRAME:
    case PAGE_TABLE:
      return page(plan, object);
    case VSPACE:
      return page(plan, plan.vspaces[object]!.page);
    case CNODE:
    case CNODE_ZOMBIE: {
      const { address, radix } = plan.cnodes[object]!;
      return address === undefined ? undefined : { base: address, end: address + (1n << BigInt(radix + SLOT_BITS)) };
    }
    default:
      return undefined;
  }
};

export const isWithin = (inner: Memory, outer: Memory): boolean => inner.base >= outer.base && inner.end <= outer.end;
export const overlap = (one: Memory, other: Memory): boolean => one.base < other.end && other.base < one.end;

export interface MadeObject {
  readonly kind: number;
  readonly object: number;
  readonly memory: Memory;
}
/** Everything that is or may be made of memory, but for untypeds. */
export const madeObjects = (plan: Plan): readonly MadeObject[] => {
  const of = (kind: number, objects: readonly unknown[]): MadeObject[] =>
    objects.flatMap((_, object) => {
      const memory = memoryOf(plan, kind, object);
      return memory === undefined ? [] : [{ kind, object, memory }];
    });
  return [...of(FRAME, plan.pages), ...of(PAGE_TABLE, plan.pages), ...of(VSPACE, plan.vspaces), ...of(CNODE, plan.cnodes)];
};
