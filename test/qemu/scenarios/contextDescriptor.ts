/** Context descriptors: fetch and legality. */
import { boot, type CdFields, CONTEXT, entry, HOLE, read, ROOT, stage1, VA } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const bad = (name: string, fields: CdFields): Scenario => agreed(`${name} is C_BAD_CD`, [...stage1(fields), read(VA)], ["C_BAD_CD sid 0x18"]);

export const contextDescriptor: readonly Scenario[] = [
  differing(
    "a descriptor in a hole is F_CD_FETCH, with its address in word 3",
    [...boot, ...entry({ Config: "s1", S1ContextPtr: HOLE }), read(VA)],
    ["F_CD_FETCH sid 0x18 fetch 0x80000000000"],
    ["F_CD_FETCH sid 0x18 fetch 0x0 dw2=0x80000000000"],
  ),
  differing("a pointer beyond OAS is C_BAD_STE", [...boot, ...entry({ Config: "s1", S1ContextPtr: 1n << 46n }), read(VA)], ["C_BAD_STE sid 0x18"], ["F_CD_FETCH sid 0x18 fetch 0x0 dw2=0x400000000000"]),
  differing("bits 55:52 of a pointer count, too", [...stage1(), ...entry({ Config: "s1", S1ContextPtr: (1n << 52n) | CONTEXT }), read(VA)], ["C_BAD_STE sid 0x18"], ["pa 0x41003000"]),
  differing("bits 55:52 of TTB0 count, too", [...stage1({ TTB0: (1n << 52n) | ROOT }), read(VA)], ["C_BAD_CD sid 0x18"], ["pa 0x41003000"]),
  agreed("a descriptor is looked at before its faults are: with R=0, C_BAD_CD is recorded", [...stage1({ TG0: 3n, R: 0n }), read(VA)], ["C_BAD_CD sid 0x18"]),
  agreed("ENDI is ignored where neither half has walks", [...stage1({ ENDI: 1n, EPD0: 1n }), read(VA)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"]),
  agreed("T1SZ and TG1 are ignored with EPD1=1", [...stage1({ T1SZ: 63n, TG1: 0n }), read(VA)], ["pa 0x41003000"]),
  bad("HD=1 without HTTU", { HD: 1n }),
  bad("T1SZ=40 with EPD1=0", { EPD1: 0n, T1SZ: 40n, TG1: "4K" }),
  bad("TG1=0 with EPD1=0", { EPD1: 0n, T1SZ: 25n }),
  bad("V=0", { V: 0n }),
  bad("AA64=0 without AArch32 tables", { AA64: 0n }),
  bad("A=0 with TERM_MODEL=1", { A: 0n }),
  bad("S=1 without stalling", { S: 1n }),
  bad("HA=1 without HTTU", { HA: 1n }),
  bad("ENDI=1 on a little-endian SMMU", { ENDI: 1n }),
  bad("TG0=3", { TG0: 3n }),
  bad("TTB0 beyond IPS", { IPS: "40", TTB0: 1n << 40n }),
  bad("T0SZ=15", { T0SZ: 15n }),
  bad("T0SZ=40", { T0SZ: 40n }),
  agreed("EPD0=1 is F_TRANSLATION", [...stage1({ EPD0: 1n }), read(VA)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"]),
  differing("IPS=6 is capped to OAS", [...stage1({ IPS: "52" }), read(VA)], ["pa 0x41003000"], "dies"),
  differing("IPS=7 is capped to OAS", [...stage1({ IPS: 7n }), read(VA)], ["pa 0x41003000"], "dies"),
];
