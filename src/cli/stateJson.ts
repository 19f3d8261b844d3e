/** A kernel's state for people and programs: who holds what, what is bound to what, and who is derived from whom. */
import { NONE } from "../base/state.ts";
import { hex } from "../base/words.ts";
import { CB, VSPACE, kinds } from "../kernel/capability.ts";
import { bankCount } from "../kernel/binding.ts";
import type { Reach } from "../check/machine.ts";
import type { OpenKernel } from "../system/openKernel.ts";
import type { SlotPlace } from "../kernel/plan.ts";

const placeText = ({ kernel: { plan } }: OpenKernel, place: SlotPlace): string => {
  switch (place.in) {
    case "cnode":
      return `${plan.cnodes[place.cnode]!.name}[${hex(place.index)}]`;
    case "sidNode":
      return `SIDNode[${plan.sids[place.sid]!.name}]`;
    case "cbNode":
      return `CBNode[${plan.cbs[place.cb]!.name}]`;
    case "thread":
      return `${plan.threads[place.thread]!.name}.${place.index}`;
    default:
      return `IRQNode[${plan.irqs[place.irq]!}]`;
  }
};

/** Who reaches what: through the bits, and through what may be cached since. Streams that reach nothing are left out. */
const reachJson = ({ streams }: Reach): object[] =>
  streams.flatMap(({ smmu, sid, configurations, targets }) => {
    const classes = [...new Set(configurations.map(({ class: is }) => is))];
    if (targets.length === 0) return [];
    return [
      {
        smmu,
        sid: sid < 0 ? "others" : hex(sid),
        configurations: classes,
        targets: targets.map(({ iova, pa, size, read, write, cached }) => ({ iova: hex(iova), pa: hex(pa), size: hex(size), access: `${read ? "r" : ""}${write ? "w" : ""}`, ...(cached ? { cached } : {}) })),
      },
    ];
  });

/** Bindings, bank counts, the derivation tree and reach, as `invoke --state` prints them. */
export const stateJson = (opened: OpenKernel, reach: Reach): object => {
  const { plan, tables } = opened.kernel;
  const rows = opened.state.slot;
  const named = (row: number): string => placeText(opened, plan.slots[row]!);
  return {
    ...(tables.processor.at(0).halted === 1 ? { halted: true } : {}),
    bindings: plan.sids.flatMap(({ smmu, sid, node }) => {
      const copy = tables.slot.at(node);
      if (copy.kind !== CB) return [];
      const { number, node: bankNode } = plan.cbs[copy.object]!;
      const space = tables.slot.at(bankNode);
      return [{ smmu, sid: hex(sid), cb: hex(number), ...(space.kind === VSPACE ? { vspace: plan.vspaces[space.object]!.name } : {}) }];
    }),
    banks: plan.cbs.flatMap(({ smmu, number, node }) => {
      const space = tables.slot.at(node);
      return space.kind === VSPACE ? [{ smmu, cb: hex(number), vspace: plan.vspaces[space.object]!.name }] : [];
    }),
    vspaces: plan.vspaces.map(({ name }, vspace) => {
      const { asid } = tables.vspace.at(vspace);
      const counted = asid === NONE || opened.kernel.profile.bankCounter === 0 ? bankCount(opened.kernel, vspace) : tables.asid.at(asid).banks;
      return { name, ...(asid === NONE ? {} : { asid: plan.asids[asid]!.number, live: tables.asid.at(asid).vspace === vspace }), banks: counted };
    }),
    capabilities: rows.flatMap((slot, row) =>
      slot.kind === 0 ? [] : [{ slot: named(row), kind: kinds[slot.kind], object: slot.object, ...(slot.parent === NONE ? {} : { parent: named(slot.parent) }), revocable: slot.revocable === 1 }],
    ),
    reach: reachJson(reach),
  };
};
