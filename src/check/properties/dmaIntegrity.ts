/**
 * dma-integrity: a device writes only where capabilities that exist now let it (facts of l4v's `integrity`: a byte changes
 * only by somebody's Write authority over it). dma-confinement judges the same reach by policy, and not by capabilities:
 * it is silent about an owner's own page, and this one about a page that its holder should never have got.
 *
 * A stream that is bound reaches, through its bank, one address space. Each page that it can write has to be mapped there,
 * at that address, by a frame capability with write rights. A mapping goes with its capability, so a write behind an Unmap
 * or a Delete is one that nobody stands for. A stream without an address space may write nothing at all, which is
 * fail-closed.
 */
import { NONE } from "../../base/state.ts";
import { hex, PAGE_BYTES } from "../../base/words.ts";
import { FRAME, READ_WRITE } from "../../kernel/capability.ts";
import type { Target } from "../machine.ts";
import type { Property, View, Violation } from "./property.ts";
import { failingPage, regionName, sidOf, streamName, vspaceOf, witness, atPage } from "./targets.ts";

/** Does a capability with write rights say that the frame around `address` is mapped where the target has it? */
const isMapped = ({ kernel: { plan, tables }, pageAround }: View, vspace: number, target: Target, address: bigint): boolean => {
  const page = pageAround(address);
  if (page === undefined) return false;
  const { asid } = tables.vspace.at(vspace);
  const iova = target.iova + (plan.pages[page]!.pa - target.pa);
  const at = plan.addressOf(iova);
  return asid !== NONE && at !== NONE && tables.slot.any({ kind: FRAME, object: page, rights: READ_WRITE, asid, address: at });
};

export const dmaIntegrity: Property & { readonly name: "dma-integrity" } = {
  name: "dma-integrity",
  sentence: "What a device can write is mapped for it, there, by a capability with write rights that somebody holds now.",
  needs: { words: "a device can write memory", met: ({ reach }) => reach.streams.some(({ targets }) => targets.some(({ write }) => write)) },
  violation: (view): Violation | undefined => {
    for (const stream of view.reach.streams) {
      const sid = sidOf(view, stream);
      const vspace = sid === NONE ? NONE : vspaceOf(view.kernel, sid);
      if (vspace === NONE) continue;
      for (const target of stream.targets) {
        const page = target.write ? failingPage(target, view.borders, (address) => !isMapped(view, vspace, target, address)) : undefined;
        if (page === undefined) continue;
        const shown = atPage(target, page);
        return {
          message: `${streamName(view, stream)} can write ${hex(page)}, in ${regionName(view, page)}, at IOVA ${hex(shown.iova)}, where no capability with write rights maps it`,
          witness: witness(stream, "write", { ...shown, size: PAGE_BYTES }),
        };
      }
    }
    return undefined;
  },
};
