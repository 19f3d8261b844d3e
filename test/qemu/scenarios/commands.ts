/** Which commands are illegal, and how the command queue stops and goes on. */
import type { CommandName } from "../../../specs/smmuv3/command.ts";
import { CommandCfgi, CommandSync, opcodes } from "../../../specs/smmuv3/command.ts";
import { bare, boot, cfgiAll, command, DATA, entry, HOLE, leaf2, read, register, STAGE_2_ROOT, stage2Fields, sync, tables, tlbi, VA, type Steps } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const ILLEGAL = ["cerror 0x1", "not consumed"] as const;
const illegal = (name: string, bad: Steps[number], rest: Partial<Scenario> = {}): Scenario => agreed(`${name} is CERROR_ILL`, [bad, sync], ILLEGAL, rest);
const taken = (name: CommandName, why: string): Scenario => differing(`${name} is CERROR_ILL ${why}`, [bare(name), sync], ILLEGAL, []);
const syncOfThree = command(CommandSync.encode({ Op: BigInt(opcodes.SYNC.code), CS: 3n }));

const legality: readonly Scenario[] = [
  illegal("opcode 0x00", command([0n])),
  illegal("opcode 0x70", command([0x70n])),
  illegal("CFGI_VMS_PIDM without MPAM", bare("CFGI_VMS_PIDM")),
  illegal("CFGI_STE of a Secure stream", command(CommandCfgi.encode({ Op: BigInt(opcodes.CFGI_STE.code), SSec: 1n }))),
  agreed("CFGI_ALL is consumed", [cfgiAll, sync], []),
  agreed("PREFETCH_CONFIG is consumed", [bare("PREFETCH_CONFIG"), sync], []),
  differing("a range of one granule without a level is CERROR_ILL", [tlbi("TLBI_NH_VA", { TG: "4K" }), sync], ILLEGAL, []),
  taken("TLBI_EL2_ALL", "without HYP"),
  taken("TLBI_EL3_ALL", "on the Non-secure queue"),
  taken("ATC_INV", "without ATS"),
  taken("PRI_RESP", "without PRI"),
  taken("RESUME", "without stalling"),
  taken("STALL_TERM", "without stalling"),
  differing("SYNC with CS=3 is CERROR_ILL", [syncOfThree, sync], ILLEGAL, []),
];

/** The second and the third command are not consumed; the fourth comes after GERRORN, and the fifth is wrong again. */
const going: Steps = [command([0x70n]), sync, cfgiAll, register("GERRORN", 1n), sync, command([0x71n])];
const stops: readonly Scenario[] = [
  agreed("the queue stands at an illegal command", [command([0n])], ["cerror 0x1"], {
    registers: { architecture: { CMDQ_PROD: 1n, CMDQ_CONS: 0x100_0000n, GERROR: 1n, GERRORN: 0n }, qemu: { CMDQ_PROD: 1n, CMDQ_CONS: 0x100_0000n, GERROR: 1n, GERRORN: 0n } },
  }),
  agreed("nothing is consumed while CMDQ_ERR is active", [command([0n]), sync], ILLEGAL, {
    registers: { architecture: { CMDQ_PROD: 2n, CMDQ_CONS: 0x100_0000n }, qemu: { CMDQ_PROD: 2n, CMDQ_CONS: 0x100_0000n } },
  }),
  agreed("once the command is a SYNC, GERRORN lets the queue go on", going, ["cerror 0x1", "not consumed", "not consumed", "cerror 0x1"], {
    registers: { architecture: { GERROR: 0n, GERRORN: 1n }, qemu: { GERROR: 0n, GERRORN: 1n, CMDQ_PROD: 5n, CMDQ_CONS: 0x100_0004n } },
  }),
  agreed("a GERRORN that acknowledges nothing leaves the queue where it is", [command([0n]), register("GERRORN", 0n), sync], ILLEGAL),
  agreed("a queue in a hole is CERROR_ABT", [sync], ["cerror 0x2"], {
    reset: { commandQueue: HOLE },
    registers: { architecture: { CMDQ_CONS: 0x200_0000n, GERROR: 1n }, qemu: { CMDQ_CONS: 0x200_0000n, GERROR: 1n } },
  }),
  agreed("transactions go on while the command queue stands", [...boot, ...entry({ Config: "s2", ...stage2Fields }), ...tables(STAGE_2_ROOT, [[VA, leaf2(DATA)]]), command([0n]), read(VA)], ["cerror 0x1", "pa 0x41003000"]),
];

export const commands: readonly Scenario[] = [...legality, ...stops];
