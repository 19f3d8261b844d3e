/** Devices, and the SMMU itself, keep away from memory that is no frame, or no page table, any more. */
import { hex } from "../../base/words.ts";
import { FRAME, NULL, PAGE_TABLE, VSPACE } from "../../kernel/capability.ts";
import type { Property, View, Violation } from "./property.ts";
import { atPage, failingPage, firstTarget, regionName, streamName, witness } from "./targets.ts";

export const noDangling = {
  name: "no-dangling",
  needs: { words: "an SMMU may walk a page table, or keeps something that memory no longer says", met: ({ reach }) => reach.tables.length > 0 || reach.streams.some(({ targets }) => targets.some(({ cached }) => cached)) },
  sentence: "No device reaches memory that is free or has become another object, and the SMMU walks no table that is one no more.",
  violation: (view) =>
    firstTarget(view.reach.streams, (stream, target, access) => {
      const page = failingPage(target, view.borders, (address) => view.standing(address) !== FRAME);
      if (page === undefined) return undefined;
      const what = view.standing(page) === NULL ? "free memory" : "memory that is a kernel object now";
      return { message: `${streamName(view, stream)} can ${access} ${hex(page)} (${regionName(view, page)}), which is ${what}`, witness: witness(stream, access, atPage(target, page)) };
    }) ?? danglingTable(view),
} as const satisfies Property;

const danglingTable = (view: View): Violation | undefined => {
  const table = view.reach.tables.find(({ pa }) => {
    const standing = view.standing(pa);
    return standing !== PAGE_TABLE && standing !== VSPACE;
  });
  if (table === undefined) return undefined;
  const what = view.standing(table.pa) === NULL ? "free memory" : "another object now";
  return {
    message: `the SMMU may walk the page table at ${hex(table.pa)} (${regionName(view, table.pa)}), which is ${what}`,
    witness: { smmu: table.smmu, sid: table.sid, op: "read", pa: table.pa, via: table.via },
  };
};
