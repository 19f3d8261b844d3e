/**
 * no-wedge: the command queue goes on, and what was asked of it is done when an invocation ends. An SMMU that meets an
 * illegal command stops there (CERROR_ILL), and every invalidation behind it stays undone. One without a barrier between
 * it and the stores in front of it may be done before they are seen, and then what it removed is fetched again.
 *
 * Not modelled, and so not shown: how full the queues are, commands that time out, external aborts on queue memory, and
 * the event queue itself. Of events it shows that the SMMU still records StreamIDs that it has no entry for
 * (CR2.RECINVSID); that a bound stream's faults are recorded is part of fail-closed.
 */
import { opcodes } from "../../../specs/smmuv3/command.ts";
import type { MachineState } from "../machine.ts";
import type { Property } from "./property.ts";

type Smmu = MachineState["smmus"][number];
/** An SMMUv2 has no command queue: its kernel waits for every invalidation at a register. */
const hasQueue = (smmu: Smmu): smmu is Extract<Smmu, { readonly settings: unknown }> => "settings" in smmu;

const nameOf = (words: readonly bigint[]): string => Object.entries(opcodes).find(([, { code }]) => BigInt(code) === (words[0]! & 0xffn))?.[0] ?? "a command";

const wrongWith = (smmu: Smmu): string | undefined => {
  if (!hasQueue(smmu)) return undefined;
  if (smmu.wedged !== undefined) return `has a command queue that stopped: ${smmu.wedged}`;
  if (smmu.overtook !== undefined) return `was given ${smmu.overtook} without a barrier behind the stores in front of it`;
  const [waiting] = smmu.pending;
  if (waiting !== undefined) return `was given ${nameOf(waiting.words)} without a SYNC behind it`;
  return smmu.settings.enabled && !smmu.settings.recordBadStream ? "drops transactions of unknown streams without an event (CR2.RECINVSID=0)" : undefined;
};

export const noWedge: Property & { readonly name: "no-wedge" } = {
  name: "no-wedge",
  sentence: "No command stops an SMMU's command queue, overtakes the stores in front of it or is left without a SYNC, and transactions of unknown streams are recorded.",
  needs: { words: "an SMMU with a command queue translates", met: ({ machine }) => machine.smmus.some((smmu) => hasQueue(smmu) && smmu.settings.enabled) },
  violation: ({ machine, booted }) => {
    for (const [index, smmu] of machine.smmus.entries()) {
      const wrong = wrongWith(smmu);
      if (wrong !== undefined) return { message: `the SMMU ${booted.plan.smmus[index]!.path} ${wrong}`, witness: { smmu: index, sid: booted.layout.sids.find((sid) => sid.smmu === index)?.sid ?? 0, op: "read", via: [] } };
    }
    return undefined;
  },
};
