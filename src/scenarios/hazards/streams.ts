/** Hazards of streams, counters and the SMMU's registers. */
import { registers as smmuv2 } from "../../../specs/smmuv2/registers.ts";
import { assign, bind, connected, type Hazard, IOVA, issueBank, line, type Line, mapped, mapPage, slots, tables, unmapPage } from "./hazard.ts";
import { beyondAssignment, bypass, only, translated } from "./wrong.ts";

/** The first state hands out this stream alone, so the next is nobody's. */
const STREAM = 16;
const NOBODYS = 5;

export const neverBoundStream: Hazard = {
  name: "never-bound-stream",
  says: "Devices whose stream nobody ever bound pass untranslated from boot on.",
  read: "The reset names bank 0 in every S2CR, and not a fault. Without stream match registers each StreamID has its S2CR, and bank 0 is off until it is assigned.",
  source: "seL4 src/drivers/smmu/smmuv2.c smmu_dev_reset",
  assumed: "An SMMUv2 without stream matching indexes S2CR by the StreamID; a bank with SCTLR.M=0 passes transactions untranslated (IHI 0062). The one platform that turns the driver on has stream matching.",
  board: "On an SMMU with IDR0.SMS=0, let any device read any address after boot.",
  setup: [],
  moves: [],
  wrong: bypass,
  shortest: { "sel4-smmuv2-indexing": 0 },
};

export const neverBoundStreamOnBank0: Hazard = {
  name: "never-bound-stream-on-bank-0",
  says: "Devices whose stream nobody ever bound reach what bank 0's VSpace maps.",
  read: "As never-bound-stream; once bank 0 has a VSpace, every S2CR that was not written since the reset leads to it.",
  source: "seL4 src/drivers/smmu/smmuv2.c smmu_dev_reset",
  assumed: "As never-bound-stream.",
  board: "Assign bank 0, and let a device that nobody bound read the VSpace's pages.",
  setup: mapped,
  moves: [assign(slots.cb, slots.first), assign(slots.otherCb, slots.first), bind(slots.sid, slots.otherCb)],
  wrong: (seen) => beyondAssignment(only(translated(seen), NOBODYS)),
  shortest: { "sel4-smmuv2-indexing": 1 },
};

/** S2CR.TYPE=bypass. */
const BYPASS = 1n << 16n;
const LAST = 127;
const { at: s2cr } = smmuv2.S2CR;

/** With bank 0 assigned, a stream that still passes does so by its own S2CR. */
const lastByItsEntry: Hazard["wrong"] = (seen) => (seen.last === undefined ? undefined : bypass(only(seen, LAST)));

export const lastStreamKeepsFirmwares: Hazard = {
  name: "last-stream-keeps-firmwares-entry",
  says: "The stream with the greatest number keeps what firmware gave it: it passes untranslated if it did before.",
  read: "Without stream match registers, the reset counts the S2CRs up to the greatest StreamID and leaves that one out.",
  source: "seL4 src/drivers/smmu/smmuv2.c smmu_config_prob (num_stream_ids), smmu_dev_reset",
  assumed: "Firmware used that stream, for a boot device say, and left its S2CR at bypass.",
  board: "Before seL4 begins write S2CR[last]=bypass; after boot, let that device read any address.",
  firmware: [{ kind: "register", smmu: 0, offset: s2cr + LAST * 4, value: BYPASS, size: 4 }],
  setup: mapped,
  moves: [assign(slots.cb, slots.first)],
  wrong: (seen) => lastByItsEntry(seen),
  shortest: { "sel4-smmuv2-indexing": 1 },
};

const BANKS = 256;
/** Where the first state's CNode is empty: one slot for each bank beyond the first two, which are held already. */
const slotOf = (bank: number): bigint => BigInt(300 + bank);
const bankOn = (bank: number): readonly Line[] => [issueBank(BigInt(bank), slotOf(bank)), assign(slotOf(bank), slots.first)];

export const bankCounterWraps: Hazard = {
  name: "bank-counter-wraps",
  says: "When 256 banks use one VSpace the count of them is 0 again, and unmapping invalidates none.",
  read: "The count of banks has 8 bits, and AssignVspace does not look whether it is full.",
  source: "seL4 include/arch/arm/arch/64/mode/object/structures.bf asid_map_vspace.bind_cb; vspace.c increaseASIDBindCB; pull request 787",
  assumed: "The SMMU may keep a translation until it is invalidated. It takes 256 banks: the one platform with the driver has 64, and an SMMUv2 has 128 at most; banks of the SMMUv3 port are software.",
  board: "Assign a VSpace to 256 banks, read a page by DMA, unmap it, and read it again.",
  setup: [...connected, assign(slots.otherCb, slots.first), ...Array.from({ length: BANKS - 2 }, (_, index) => bankOn(index + 2)).flat().slice(0, -1)],
  setupMayBeRefused: true,
  moves: [assign(slotOf(BANKS - 1), slots.first), unmapPage(slots.buffer)],
  wrong: (seen) => beyondAssignment(only(seen, STREAM)),
  shortest: { "smmuv3-talk": 2 },
};

export const pageWithoutRights: Hazard = {
  name: "page-without-rights",
  says: "A page that is mapped without any right is read by a device that marks its transactions as privileged, or as instruction reads.",
  read: "At EL1 a page without user rights is mapped for privileged access. Where the kernel is a hypervisor it is mapped with S2AP=0 and, unless the attributes say otherwise, XN=0. The same tables are the bank's.",
  source: "seL4 src/arch/arm/64/kernel/vspace.c makeUserPagePTE, APFromVMRights, HAPFromVMRights; src/drivers/smmu/smmuv2.c smmu_sid_bind_cb leaves PRIVCFG and INSTCFG to the transaction",
  assumed: "A device may mark its transactions as it likes; stage 2 lets an instruction read through where XN=0, whatever S2AP says (DDI 0487, stage 2 instruction access permissions).",
  board: "Map a page with rights 0, and read it by a DMA that is marked privileged, or as an instruction read.",
  setup: [...tables, assign(slots.cb, slots.first), bind(slots.sid, slots.cb)],
  moves: [mapPage(slots.secret, slots.first, IOVA, 0n), unmapPage(slots.secret)],
  wrong: (seen) => beyondAssignment(only(seen, STREAM)),
  shortest: { "sel4-smmuv2": 1, "sel4-smmuv2-indexing": 1, "sel4-smmuv2-el1": 1, "smmuv3-talk": 1 },
};

/** SMMU 0. */
const SMMU = [0n];
export const disabledSmmuBypasses: Hazard = {
  name: "disabled-smmu-bypasses",
  says: "Whoever holds SIDControl can turn the SMMU off, and every device then passes untranslated.",
  read: "The talk's port has an invocation that disables the SMMU. It clears SMMUEN; what then happens to traffic is GBPA's matter, which the port is not said to write.",
  source: "the port of the 2023 talk, its list of added invocations; IHI 0070 SMMU_GBPA.ABORT",
  assumed: "The port leaves GBPA as it is out of reset, where ABORT is 0 on an SMMU that is not made otherwise (IHI 0070: IMPLEMENTATION DEFINED).",
  board: "Disable the SMMU, and let any device read any address.",
  setup: connected,
  moves: [line(slots.sidControl, "ARMSIDDisableSMMU", SMMU), line(slots.sidControl, "ARMSIDInitSMMU", SMMU)],
  // Not what passes anyway (never-bound-stream).
  wrong: (seen) => (seen.last?.answer.error === "seL4_NoError" ? bypass(seen) : undefined),
  shortest: { "smmuv3-talk": 1 },
};
