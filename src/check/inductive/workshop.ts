/** A small plan with everything that is made once for it: its states, a kernel over recorded tables, what reads the machine. */
import { NONE, type Plain, type Tables, viewOf } from "../../base/state.ts";
import type { Step } from "../../base/step.ts";
import { createDriver } from "../../kernel/driver.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Profile } from "../../kernel/profile.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import { blankTables, type Core, machineMaker, spaceOf } from "./coreState.ts";
import { createReader, OTHER, type Reader } from "./facts.ts";
import { Footprint } from "./footprint.ts";
import { smallPlan, type Size, type SmallPlan } from "./smallPlan.ts";

export interface Workshop {
  readonly small: SmallPlan;
  readonly reader: Reader;
  readonly machineOf: (core: Core) => MachineState;
  /** The tables as they are. */
  readonly tables: Tables<KernelShape>;
  /** The same under the recording view, where effects run. */
  readonly footprint: Footprint;
  readonly kernel: Kernel;
  /** What the running invocation gave the SMMU. */
  readonly given: Step[];
}

export const createWorkshop = (size: Size, profile: Profile): Workshop => {
  const small = smallPlan(size);
  const state: Plain<KernelShape> = blankTables(small);
  const tables = viewOf(state);
  const footprint = new Footprint(small, tables);
  const given: Step[] = [];
  return {
    small,
    reader: createReader(small),
    machineOf: machineMaker(small),
    tables,
    footprint,
    kernel: { plan: small.plan, profile, driver: createDriver(small.plan, profile), tables: footprint.tables, emit: (steps) => void given.push(...steps) },
    given,
  };
};

/** What some device reaches that none of these states allows it, or undefined. */
export const reachWrong = ({ small, reader }: Workshop, machine: MachineState, allowed: readonly Core[]): string | undefined => {
  const { streams, tables } = small.machine.reach(machine);
  const streamOf = (sid: number): number => small.plan.sids.findIndex((candidate) => candidate.sid === sid);
  const spacesOf = (stream: number): { readonly core: Core; readonly space: number }[] =>
    stream === NONE ? [] : allowed.map((core) => ({ core, space: spaceOf(core, stream) })).filter(({ space }) => space !== NONE);
  for (const { sid, configurations, targets } of streams) {
    const stream = streamOf(sid);
    const seen = spacesOf(stream);
    const odd = configurations.find((configuration) => configuration.class !== "abort" && (configuration.class !== "stage2" || seen.length === 0));
    if (odd !== undefined) return `stream ${stream} has a configuration of class ${odd.class}`;
    for (const target of targets) {
      const { page, leaf } = reader.targetOf(target);
      if (page === OTHER || !seen.some(({ core, space }) => core.leaves[space]![page] === leaf)) return `stream ${stream} reaches what is not mapped in its space`;
    }
  }
  const walked = tables.find(({ pa, sid }) => !spacesOf(streamOf(sid)).some(({ space }) => space === reader.tableSpace(pa)));
  return walked === undefined ? undefined : `the SMMU walks tables for stream ${streamOf(walked.sid)} that are not of its space`;
};
