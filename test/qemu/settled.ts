/** Differences that runs against QEMU 10.0 found and that were the model's fault, each as the smallest history of its kind. */
import { command, leaf, read, ROOT, SID, stage1, store, STREAM_TABLE, TABLE_SPACING, indexAt, tlbi, VA, DATA, type Steps } from "./scenarios/building.ts";
import { CommandCfgiCd, opcodes } from "../../specs/smmuv3/command.ts";

export interface Settled {
  readonly name: string;
  readonly history: Steps;
  /** QEMU's outcomes, and the model's under its quirks. */
  readonly lines: readonly string[];
}

const PLACE = ROOT + 2n * TABLE_SPACING + indexAt(VA, 3) * 8n;
const PASSED = "pa 0x41003000";
const cfgiCd = (sid: number): Steps[number] => command(CommandCfgiCd.encode({ Op: BigInt(opcodes.CFGI_CD.code), SID: BigInt(sid), Leaf: 1n }));
const invalidEntry = store(STREAM_TABLE + BigInt(SID * 64), 0n);

export const settled: readonly Settled[] = [
  {
    name: "CFGI_CD finds a device by 16 bits of the StreamID",
    history: [...stage1(), read(VA), invalidEntry, cfgiCd(0x100 + SID), read(VA), cfgiCd(0x1_0000 + SID), read(VA)],
    lines: [PASSED, PASSED, "C_BAD_STE sid 0x18"],
  },
  {
    name: "a range that goes past the last address goes on at the first",
    history: [...stage1({}, [[VA, leaf(DATA)]]), read(VA), store(PLACE, 0n), tlbi("TLBI_NH_VAA", { Address: 0xffff_ffff_f000_0000n, TG: "4K", Scale: 25n }), read(VA)],
    lines: [PASSED, "F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"],
  },
];
