/** What is not set up aborts. */
import { NONE } from "../../base/state.ts";
import type { ReachStream } from "../machine.ts";
import type { Property, View } from "./property.ts";
import { sidOf, streamName, vspaceOf, witness } from "./targets.ts";

export const failClosed = {
  name: "fail-closed",
  needs: { words: "a stream is translated, so that it could be left open", met: ({ reach }) => reach.streams.some(({ configurations }) => configurations.some(({ class: of }) => of !== "abort")) },
  sentence: "A stream that is unbound, or whose bank has no VSpace, aborts silently; a fault on a bound one is recorded; nothing bypasses, nor would it if translation were turned off.",
  violation: (view) => {
    const passing = openWhileOff(view);
    if (passing >= 0) return { message: `the SMMU ${view.kernel.plan.smmus[passing]!.path} lets everything pass while it does not translate (GBPA.ABORT=0), at boot and whenever SMMUEN is 0`, witness: { smmu: passing, sid: 0, op: "write", via: [] } };
    for (const stream of view.reach.streams) {
      const sid = sidOf(view, stream);
      const open = sid !== NONE && vspaceOf(view.kernel, sid) !== NONE;
      for (const configuration of stream.configurations) {
        const wrong = closedWrongly(configuration, open);
        if (wrong !== undefined) return { message: `${streamName(view, stream)} ${wrong}`, witness: { ...witness(stream, "read", stream.targets[0]), via: configuration.via } };
      }
    }
    return undefined;
  },
} as const satisfies Property;
/** An SMMU that passes what comes while it is off, under a profile that says that none does (`bootAborts`); or NONE. */
const openWhileOff = ({ machine, kernel: { profile } }: View): number => (profile.bootAborts ? machine.smmus.findIndex((smmu) => "settings" in smmu && !smmu.settings.abortWhileDisabled) : NONE);
const closedWrongly = (configuration: ReachStream["configurations"][number], open: boolean): string | undefined => {
  const through = configuration.cached ? "may be translated by a cached stream table entry" : "is translated";
  if (configuration.class === "bypass") return "bypasses translation";
  if (configuration.class === "unsupported") return "has a stage-1 configuration, which this kernel never makes";
  if (configuration.class === "stage2" && !open) return `${through} although it is unbound or its bank has no VSpace`;
  if (configuration.class === "stage2" && !configuration.recorded) return "has faults that are not recorded (S2R=0)";
  return configuration.class === "illegal" && !open ? "has an illegal stream table entry instead of Config=abort" : undefined;
};
