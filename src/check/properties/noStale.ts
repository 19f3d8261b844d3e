/**
 * no-stale: when an invocation ends, what the SMMU may have kept is what memory says. The other properties let a kept
 * translation pass as long as policy allows what it reaches and nobody has lost it: a page that can still be read behind
 * its Unmap, or written after it was mapped again to be read only. Whoever unmaps relies on it that this has happened by
 * the time the kernel answers, whosever the page is.
 *
 * A bound stream that may go by a kept entry of another sort is stale, too: a kept abort lets nothing through that must
 * not pass, but the device does not get what its driver was told that it has. An unbound one is fail-closed's.
 */
import { NONE } from "../../base/state.ts";
import { hex } from "../../base/words.ts";
import type { ReachStream } from "../machine.ts";
import type { Property, View, Violation } from "./property.ts";
import { regionName, sidOf, streamName, vspaceOf, witness } from "./targets.ts";

const staleTarget = (view: View, stream: ReachStream): Violation | undefined => {
  const target = stream.targets.find(({ cached }) => cached);
  if (target === undefined) return undefined;
  const access = target.write ? "write" : "read";
  return {
    message: `${streamName(view, stream)} can ${access} ${hex(target.pa)} (${regionName(view, target.pa)}) at IOVA ${hex(target.iova)} by what the SMMU may have cached, and memory no longer says so`,
    witness: witness(stream, access, target),
  };
};

const staleEntry = (view: View, stream: ReachStream): Violation | undefined => {
  const sid = sidOf(view, stream);
  if (sid === NONE || vspaceOf(view.kernel, sid) === NONE) return undefined;
  const kept = stream.configurations.find((one) => one.cached && !stream.configurations.some((other) => !other.cached && other.class === one.class));
  if (kept === undefined) return undefined;
  return { message: `${streamName(view, stream)} is bound, and the SMMU may still go by a stream table entry that it has cached (${kept.class})`, witness: { ...witness(stream, "read"), via: kept.via } };
};

export const noStale = {
  name: "no-stale",
  sentence: "What the SMMU may have cached lets a device reach nothing that memory no longer says, and keeps no bound stream from what memory says.",
  needs: { words: "a stream is translated, so that the SMMU may keep something of it", met: ({ reach }) => reach.streams.some(({ targets }) => targets.length > 0) },
  violation: (view) => {
    for (const stream of view.reach.streams) {
      const stale = staleTarget(view, stream) ?? staleEntry(view, stream);
      if (stale !== undefined) return stale;
    }
    return undefined;
  },
} as const satisfies Property;
