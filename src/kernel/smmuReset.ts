/**
 * Setting an SMMUv3 up, turning it off, and what becomes of its errors: the steps that concern a whole SMMU and no stream
 * or bank. The order is the architecture's (IHI 0070 section 3.11 "Reset, Enable and initialization"; 7.1 "Command queue
 * errors"); at boot the kernel goes from reset to enabled, and the port of the 2023 talk lets SIDControl do parts of it.
 */
import type { Step } from "../base/step.ts";
import { CommandCfgiRange, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { CmdqCons, Cr0, Cr2, Gbpa, Gerror, offsets, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Plan } from "./plan.ts";

export const STE_BYTES = 64n;

/** Unbound, or bound to a bank without a VSpace: valid, and every transaction aborts without an event. */
export const abortSte: readonly bigint[] = Ste.encode({ V: 1n, Config: "abort" });

export const barrier: Step = { kind: "barrier" };
export const command = (smmu: number, words: readonly bigint[], what: string): Step => ({ kind: "command", smmu, words: [words[0]!, words[1]!], what });
const register = (smmu: number, offset: number, value: bigint, size: 4 | 8 = 4): Step => ({ kind: "register", smmu, offset, value, size });

/**
 * Before translation is on: abort what comes (design D7 (d)), write an abort entry for every stream, name the table. That
 * the talk's port writes abort entries, too, is assumed.
 */
export const resetSteps = (plan: Plan, smmu: number, bootAborts: boolean): Step[] => {
  const { streamTable, log2Size } = plan.smmus[smmu]!;
  return [
    ...(bootAborts ? [register(smmu, offsets.GBPA, Gbpa.encode({ ABORT: 1n, SHCFG: 1n, Update: 1n })[0]!)] : []),
    { kind: "fill", addr: streamTable, size: STE_BYTES << BigInt(log2Size), pattern: abortSte, what: "stream table: every entry aborts" },
    register(smmu, offsets.CR2, Cr2.encode({ RECINVSID: 1n, PTM: 1n })[0]!),
    register(smmu, offsets.STRTAB_BASE, StrtabBase.encode({ ADDR: streamTable })[0]!, 8),
    register(smmu, offsets.STRTAB_BASE_CFG, StrtabBaseCfg.encode({ FMT: "linear", LOG2SIZE: BigInt(log2Size) })[0]!),
  ];
};

/** SMMUEN implies no invalidation: what the caches hold from before the boot must go first. */
export const enableSteps = (smmu: number): Step[] => [
  barrier,
  command(smmu, CommandCfgiRange.encode({ Op: BigInt(opcodes.CFGI_STE_RANGE.code), Range: 31n }), "CFGI_ALL"),
  command(smmu, CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }), "TLBI_NSNH_ALL"),
  { kind: "sync", smmu },
  register(smmu, offsets.CR0, Cr0.encode({ SMMUEN: 1n })[0]!),
];

/** From here on GBPA decides: as it is out of reset, everything passes. */
export const disableSteps = (smmu: number): Step[] => [register(smmu, offsets.CR0, Cr0.encode({})[0]!)];

/**
 * The kernel cannot read registers here, so both write what is right where the error is the first of its kind since reset:
 * the bad command is at index 0, and each bit of GERROR has toggled once. CMDQ_CONS may be written because CMDQEN is 0:
 * commands of this model go past the queue in memory.
 */
export const skipCommandSteps = (smmu: number): Step[] => [
  register(smmu, offsets.CMDQ_CONS, CmdqCons.encode({ RD: 1n, ERR: "CERROR_NONE" })[0]!),
  register(smmu, offsets.GERRORN, Gerror.encode({ CMDQ_ERR: 1n })[0]!),
];
/** The errors that an SMMU without MSIs and page requests reports: of the command queue and the event queue. */
export const clearErrorSteps = (smmu: number): Step[] => [register(smmu, offsets.GERRORN, Gerror.encode({ CMDQ_ERR: 1n, EVENTQ_ABT_ERR: 1n })[0]!)];
