/** Stream table entries, linear tables, and what happens while the SMMU is off. */
import { boot, bootWith, CONTEXT, DATA, disable, enable, entry, HOLE, inPage1, leaf, read, register, ROOT, stage1, STREAM_TABLE, tables, usualContext, VA, write } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const s1 = { Config: "s1", S1ContextPtr: CONTEXT } as const;
/** Everything that stage 1 needs but the entry. */
const rest = [...usualContext(), ...tables(ROOT, [[VA, leaf(DATA)]])];

export const streamTable: readonly Scenario[] = [
  agreed("an entry with V=0 is C_BAD_STE", [...boot, ...entry({ ...s1, V: 0n }), ...rest, read(VA)], ["C_BAD_STE sid 0x18"]),
  agreed("Config=000 aborts without an event", [...boot, ...entry({ Config: "abort" }), read(VA)], ["abort"]),
  agreed("Config=100 passes the address", [...boot, ...entry({ Config: "bypass" }), read(0x4100_1000n), write(0x4100_1004n)], ["pa 0x41001000", "pa 0x41001004"]),
  agreed("a stream beyond 2^LOG2SIZE is C_BAD_STREAMID", [...bootWith({ config: 4n }), ...entry({ Config: "bypass" }), read(0x4100_1000n), read(0x4100_1000n, 0x10)], ["C_BAD_STREAMID sid 0x18", "C_BAD_STREAMID sid 0x10"]),
  differing(
    "C_BAD_STREAMID is recorded with CR2.RECINVSID=1 only",
    [...bootWith({ config: 4n, CR2: 0n }), read(0x4100_1000n)],
    ["abort"],
    ["C_BAD_STREAMID sid 0x18"],
  ),
  agreed("a stream table in a hole is F_STE_FETCH", [...bootWith({ base: HOLE }), read(VA)], ["F_STE_FETCH sid 0x18 fetch 0x80000000600"]),
  differing("S1CDMax is ignored where there are no SubstreamIDs", [...boot, ...entry({ ...s1, S1CDMax: 1n }), ...rest, read(VA)], ["pa 0x41003000"], ["C_BAD_STE sid 0x18"]),
  agreed("S1STALLD=1 without stalling is C_BAD_STE", [...boot, ...entry({ ...s1, S1STALLD: 1n }), ...rest, read(VA)], ["C_BAD_STE sid 0x18"]),
  agreed("with SMMUEN=0, GBPA.ABORT=1 aborts without an event", [...boot, disable, register("GBPA", 0x8010_0000n), ...entry({ Config: "bypass" }), read(0x4100_1000n)], ["abort"], {
    registers: { architecture: { GBPA: 0x10_0000n, EVENTQ_PROD: 0n }, qemu: { GBPA: 0x10_0000n, EVENTQ_PROD: 0n } },
  }),
  agreed("GBPA without Update=1 stays as it was", [...boot, disable, register("GBPA", 0x10_0000n), read(0x4100_1000n)], ["pa 0x41001000"], {
    registers: { architecture: { GBPA: 0x1000n }, qemu: { GBPA: 0x1000n } },
  }),
  differing(
    "STRTAB_BASE_CFG is locked while SMMUEN=1",
    [...boot, ...entry({ Config: "bypass" }), register("STRTAB_BASE_CFG", 4n), read(0x4100_1000n)],
    [["pa 0x41001000", "C_BAD_STREAMID sid 0x18"]],
    ["C_BAD_STREAMID sid 0x18"],
  ),
  differing(
    "a write of 8 bytes to registers of 4 may reach both, or none",
    [register("CR2", 2n), register("STRTAB_BASE", STREAM_TABLE, 8), register("STRTAB_BASE_CFG", 6n, 8), enable, ...entry({ Config: "bypass" }), read(0x4100_1000n)],
    [["pa 0x41001000", "C_BAD_STREAMID sid 0x18"]],
    ["C_BAD_STREAMID sid 0x18"],
  ),
  differing(
    "page 1 may or may not be a copy of page 0",
    [...boot, disable, ...entry({ Config: "abort" }), inPage1(enable), read(0x4100_1000n)],
    [["pa 0x41001000", "abort"]],
    ["abort"],
  ),
  differing(
    "the base of a linear table is aligned to the table's size",
    [...bootWith({ base: STREAM_TABLE + 0x800n }), ...entry({ Config: "bypass" }, 0x18, STREAM_TABLE + 0x800n), ...entry({ Config: "abort" }), read(0x4100_1000n)],
    ["abort"],
    ["pa 0x41001000"],
  ),
  differing("with SMMUEN=0, an address beyond OAS aborts without an event", [read(1n << 48n)], ["abort"], ["pa 0x1000000000000"]),
  agreed("STRW is ignored without EL2 StreamWorlds", [...boot, ...entry({ ...s1, STRW: "el2" }), ...rest, read(VA)], ["pa 0x41003000"]),
  agreed("with S1CDMax=0, S1Fmt is ignored", [...boot, ...entry({ ...s1, S1Fmt: "leaf4K" }), ...rest, read(VA)], ["pa 0x41003000"]),
  differing(
    "turning the SMMU off and on invalidates nothing",
    [...stage1(), read(VA), disable, ...entry({ Config: "abort" }), enable, read(VA)],
    ["pa 0x41003000", ["pa 0x41003000", "abort"]],
    ["pa 0x41003000", "pa 0x41003000"],
  ),
  differing(
    "a bypassed address beyond OAS is F_ADDR_SIZE",
    [...boot, ...entry({ Config: "bypass" }), read(1n << 48n)],
    ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x1000000000000"],
    ["pa 0x1000000000000"],
  ),
];
