/** The driver of a profile's machine. */
import { impossible } from "../base/diagnostic.ts";
import type { Pa } from "../base/words.ts";
import { Stage1Leaf } from "../../specs/smmuv3/stage1.ts";
import { READ_ONLY, READ_WRITE } from "./capability.ts";
import { CACHEABLE, createDriver, type Driver, EXECUTE_NEVER, type LeafEncoder, stage2Leaf, tableStores } from "./driver.ts";
import type { Plan } from "./plan.ts";
import type { Profile } from "./profile.ts";
import { createSmmuv2Driver, tegraX2Driver } from "./smmuv2Driver.ts";

const PAGE_BITS = 12;
/** MAIR attributes: 4 is normal write-back memory, 0 a device's (seL4 smmuv2.c `smmu_config_stage1`; vspace.c `makeUserPagePTE`). */
const NORMAL = 4n;
const DEVICE = 0n;

/** A leaf of a VSpace at EL1. Kernel-only leaves give user level nothing, and a device counts as user level or not as it says. */
const stage1Descriptor: LeafEncoder = (page, rights, bits, attributes) =>
  Stage1Leaf.encode({
    Type: bits === PAGE_BITS ? "page" : "block",
    AttrIdx: (attributes & CACHEABLE) === 0 ? DEVICE : NORMAL,
    AP: rights === READ_WRITE ? "readWrite" : rights === READ_ONLY ? "readOnly" : "privilegedReadWrite",
    AF: 1n,
    nG: 1n,
    UXN: (attributes & EXECUTE_NEVER) === 0 ? 0n : 1n,
    OutputAddress: page,
  })[0]!;

/** What the 2023 talk adds, for an SMMUv3: no profile of this machine has the invocations. */
const absent = (): never => impossible("upstream's driver has no such operation");
const onSmmuv3Only = { nestBank: absent, invalidateContexts: absent, disable: absent, initialise: absent, skipCommand: absent, clearErrors: absent } as const;

const upstream = (plan: Plan, profile: Profile): Driver => {
  const hypervisor = profile.vspaces === "stage 2";
  const drivers = plan.smmus.map((_, smmu) => createSmmuv2Driver({ ...tegraX2Driver, smmu, matching: profile.streamMatching, vspaces: hypervisor ? "hyp44" : "el1" }));
  const ofBank = (cb: number) => ({ driver: drivers[plan.cbs[cb]!.smmu]!, bank: plan.cbs[cb]!.number });
  const ofStream = (sid: number) => ({ driver: drivers[plan.sids[sid]!.smmu]!, stream: plan.sids[sid]!.sid, mask: plan.sids[sid]!.mask });
  const rootOf = (vspace: number): Pa => plan.pages[plan.vspaces[vspace]!.page]!.pa;
  return {
    ...tableStores(plan, hypervisor ? stage2Leaf(profile) : stage1Descriptor),
    reset: () => drivers.flatMap((driver) => driver.reset()),
    // The last step of the reset clears CLIENTPD, so translation is on before anything is bound.
    enable: () => [],
    bindStream: (sid, cb) => ofStream(sid).driver.bindStream(ofStream(sid).stream, ofBank(cb).bank, ofStream(sid).mask),
    unbindStream: (sid) => ofStream(sid).driver.unbindStream(ofStream(sid).stream, ofStream(sid).mask),
    assignBank: (cb, vspace, _, asid) => ofBank(cb).driver.assignBank(ofBank(cb).bank, rootOf(vspace), asid),
    disableBank: (cb, _vspace, _streams, asid) => ofBank(cb).driver.disableBank(ofBank(cb).bank, asid),
    invalidateAll: () => drivers.flatMap((driver) => driver.invalidateAll()),
    invalidateBank: (cb, asid) => ofBank(cb).driver.invalidateBank(ofBank(cb).bank, asid),
    invalidateIpa: (cb, entry, _, asid) => ofBank(cb).driver.invalidateAddress(ofBank(cb).bank, asid, plan.entries[entry]!.address),
    ...onSmmuv3Only,
  };
};

export const driverOf = (plan: Plan, profile: Profile): Driver => (profile.machine === "smmuv2" ? upstream(plan, profile) : createDriver(plan, profile));
