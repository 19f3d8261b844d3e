/** Devices keep to policy (design §4): what the owner of a stream owns, or was given a share of. */
import { NONE } from "../../base/state.ts";
import { hex } from "../../base/words.ts";
import { regionAt } from "./authority.ts";
import type { Property } from "./property.ts";
import { atPage, failingPage, firstTarget, reachesMemory, regionName, sidOf, streamName, witness } from "./targets.ts";

export const dmaConfinement = {
  name: "dma-confinement",
  needs: { words: "a device reaches memory", met: ({ reach }) => reachesMemory(reach) },
  sentence: "A device reaches only memory that its owner owns or that was shared with it, whatever the SMMU may have cached.",
  violation: (view) =>
    firstTarget(view.reach.streams, (stream, target, access) => {
      const sid = sidOf(view, stream);
      const page = failingPage(target, view.borders, (address) => sid === NONE || !view.may(sid, address, access));
      if (page === undefined) return undefined;
      const owner = regionAt(view.booted.layout, page)?.owner;
      const whose = owner === undefined ? "" : ` of ${view.booted.layout.components[owner]!.name}`;
      return {
        message: `${streamName(view, stream)} can ${access} ${hex(page)}, in ${regionName(view, page)}${whose}, which it has no authority over`,
        witness: witness(stream, access, atPage(target, page)),
      };
    }),
} as const satisfies Property;
