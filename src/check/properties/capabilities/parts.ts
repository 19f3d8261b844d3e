/**
 * Properties of the kernel's tables alone, made of parts: each part speaks of one row, or of one object, so that the search
 * asks again only where what a part read has changed (outcomes/parts.ts). A property of one piece that reads every slot
 * would find each state new.
 */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Booted } from "../../../system/boot.ts";
import { kinds } from "../../../kernel/capability.ts";
import { placeName } from "../../names.ts";
import type { Part, Property, View } from "../property.ts";

interface OfParts<N extends string> extends Pick<Property, "sentence" | "needs"> {
  readonly name: N;
  readonly parts: (booted: Booted) => readonly Part[];
}

/** The property that holds where every part does. No transaction shows its violation, so the witness names some stream. */
export const ofParts = <N extends string>({ name, sentence, needs, parts }: OfParts<N>): Property & { readonly name: N } => {
  const known = new WeakMap<Booted, readonly Part[]>();
  const of = (booted: Booted): readonly Part[] => {
    let made = known.get(booted);
    if (made === undefined) known.set(booted, (made = parts(booted)));
    return made;
  };
  return {
    name,
    sentence,
    parts: of,
    violation: ({ booted, kernel }: View) => {
      for (const part of of(booted)) {
        const message = part.wrong(kernel);
        const { smmu, sid } = booted.layout.sids[0] ?? { smmu: 0, sid: 0 };
        if (message !== undefined) return { message, witness: { smmu, sid, op: "read", via: [] } };
      }
      return undefined;
    },
    ...(needs === undefined ? {} : { needs }),
  };
};

/** The same of every row of the slot table. */
export const ofRows = ({ plan }: Booted, wrong: (kernel: Kernel, row: number) => string | undefined): Part[] => plan.slots.map((_, row) => ({ row, wrong: (kernel) => wrong(kernel, row) }));

const article = (noun: string): string => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
/** `nic-driver slot 7 (a frame capability)`. */
export const slotText = ({ plan, tables }: Kernel, row: number): string => `${placeName(plan, plan.slots[row]!)} (${article(kinds[tables.slot.at(row).kind]!)} capability)`;
