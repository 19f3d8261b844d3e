import { describe, expect, it } from "vitest";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { Event } from "../../specs/smmuv3/event.ts";
import type { Step } from "../../src/base/step.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { ask, boot, brief, fill, machineOf, mapPages, READ_ONLY, READ_WRITE, register, stage2Ste, store, storeSte, WRITE_ONLY } from "./fixture.ts";

const SID = 0x18;
const ROOT = 0x4010_0000n;
const IOVA = 0x12_3456_7000n;
const PAGE = 0x4100_3000n;

/** What a device at SID 0x18 gets, after these steps on a booted machine. */
const outcome = (steps: readonly Step[], address = IOVA, op: "read" | "write" = "read"): string => {
  const run = machineOf();
  return brief(ask(run.executeAll(run.start, [...boot(), ...steps]), SID, address, { op }));
};
const ste = (fields: Parameters<typeof stage2Ste>[0] = {}): Step[] => storeSte(SID, stage2Ste({ S2TTB: ROOT, ...fields }));
/** IOVA mapped by a page from level 1. */
const mapped = (leaf: bigint): Step[] => mapPages(ROOT, 1, IOVA, [leaf]);

describe("while SMMUEN=0", () => {
  it("GBPA decides: pass, or abort without an event", () => {
    const run = machineOf();
    expect(brief(ask(run.start, SID, 0x1234n))).toBe("pa 0x1234");
    const aborting = run.execute(run.start, register(offsets.GBPA, 0x8010_0000n));
    expect(brief(ask(aborting, SID, 0x1234n))).toBe("abort");
  });
  it("a write to GBPA without Update is ignored", () => {
    const run = machineOf();
    expect(run.execute(run.start, register(offsets.GBPA, 0x0010_0000n))).toBe(run.start);
  });
});

describe("stream table lookup", () => {
  it("a StreamID beyond the table is C_BAD_STREAMID, recorded only with RECINVSID", () => {
    const run = machineOf();
    const small = run.executeAll(run.start, boot(4));
    expect(brief(ask(small, SID, IOVA))).toBe("C_BAD_STREAMID");
    const silent = run.executeAll(run.start, boot(4).filter((step) => !(step.kind === "register" && step.offset === offsets.CR2)));
    expect(brief(ask(silent, SID, IOVA))).toBe("abort");
  });
  it("a fetch that aborts is F_STE_FETCH with its address", () => {
    const run = machineOf();
    const state = run.executeAll(run.start, boot());
    const read = reader({ image: state.image, ram: [{ addr: 0x4000_0000n, size: 0x800_0000n }] });
    const answer = translate(read, settingsOf(state.smmus[0]!.registers), { sid: streamId(SID), op: "read", iova: iova(IOVA), size: 4 });
    expect(brief(answer)).toBe("F_STE_FETCH fetch 0x48000600");
  });
  it("a two-level table is walked; the explorer does not, and says so", () => {
    const run = machineOf();
    const [table, cr2, base, , enable] = boot();
    const state = run.executeAll(run.start, [table!, cr2!, base!, register(offsets.STRTAB_BASE_CFG, 0x10210n), enable!]);
    // The entries of a linear table read as first-level descriptors: span 1, one stream of 256.
    expect(brief(ask(state, SID, IOVA))).toBe("C_BAD_STREAMID");
    expect(brief(ask(state, 0, IOVA))).toBe("C_BAD_STE");
    expect(run.reach(state).streams[0]!.configurations[0]).toMatchObject({ class: "unsupported" });
  });
});

/** Rows of the architecture column, by what they set; the field values are those of the row. */
describe("the stream table entry", () => {
  const rows: readonly (readonly [string, readonly Step[], string])[] = [
    ["V=0", storeSte(SID, [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "C_BAD_STE"],
    ["Config=000", storeSte(SID, [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "abort"],
    ["Config=011", storeSte(SID, [7n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "abort"],
    ["Config=100", storeSte(SID, [9n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "pa 0x1234567000"],
    ["S1CDMax=1 with SSIDSIZE=0: ignored", storeSte(SID, [0xbn | (1n << 59n), 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "C_BAD_CD"],
    ["S1STALLD=1 with STALL_MODEL=1", storeSte(SID, [0xbn, 1n << 27n, 0n, 0n, 0n, 0n, 0n, 0n]), "C_BAD_STE"],
    ["Config=101, legal", storeSte(SID, [0xbn, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), "C_BAD_CD"],
    ["Config=111, legal", ste({ Config: "nested" }), "F_TRANSLATION read s2=1 CD 0x1234567000 ipa 0x0"],
    ["S1CDMax=1, but stage 1 off: ignored", [...ste({ S1CDMax: 1n }), ...mapped(PAGE | READ_WRITE)], "pa 0x41003000"],
    ["S2SL0=3", ste({ S2SL0: 3n }), "C_BAD_STE"],
    ["S2TG=3", ste({ S2TG: 3n }), "C_BAD_STE"],
    ["S2ENDI=1", ste({ S2ENDI: 1n }), "C_BAD_STE"],
    ["S2S=1, no stalling", ste({ S2S: 1n }), "C_BAD_STE"],
    ["S2AA64=0, no AArch32", ste({ S2AA64: 0n }), "C_BAD_STE"],
    ["S2HA=1, no hardware update", ste({ S2HA: 1n }), "C_BAD_STE"],
    ["S2T0SZ=40", ste({ S2T0SZ: 40n, S2SL0: 0n }), "C_BAD_STE"],
    ["S2T0SZ=15", ste({ S2T0SZ: 15n, S2SL0: 2n }), "C_BAD_STE"],
    ["S2T0SZ=16 beyond OAS 44", ste({ S2T0SZ: 16n, S2SL0: 2n }), "C_BAD_STE"],
    ["S2TTB beyond S2PS", ste({ S2TTB: 1n << 44n }), "C_BAD_STE"],
    ["S2SL0=0 S2TOSZ=25: more than 16 tables", ste({ S2T0SZ: 25n, S2SL0: 0n }), "C_BAD_STE"],
    ["S2SL0=2 S2T0SZ=25: less than one entry bit", ste({ S2T0SZ: 25n, S2SL0: 2n }), "C_BAD_STE"],
    ["input of 39 bits, output of 32", [...ste({ S2PS: "32" }), ...mapped(PAGE | READ_WRITE)], "pa 0x41003000"],
    ["S2TTB beyond S2PS of 32 bits", ste({ S2PS: "32", S2TTB: 1n << 32n }), "C_BAD_STE"],
  ];
  it.each(rows)("%s", (_, steps, expected) => expect(outcome(steps)).toBe(expected));

  it("has exactly the legal pairs of start level and input size", () => {
    const legal: Record<number, number[]> = { 0: [], 1: [], 2: [] };
    const run = machineOf({ smmus: [{ IDR5: 0x76 }] });
    for (const sl0 of [0, 1, 2])
      for (let t0sz = 0; t0sz < 64; t0sz++) {
        const state = run.executeAll(run.start, [...boot(5), ...storeSte(SID, stage2Ste({ S2T0SZ: BigInt(t0sz), S2SL0: BigInt(sl0), S2PS: "52", S2TTB: ROOT }))]);
        if (brief(ask(state, SID, 0n)) !== "C_BAD_STE") legal[sl0]!.push(t0sz);
      }
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
    expect(legal).toEqual({ 0: range(30, 39), 1: range(21, 33), 2: range(16, 24) });
  });
  it("without stage 2, Config=110 is illegal", () => {
    const run = machineOf({ smmus: [{ IDR0: 0x0d44101a }] });
    expect(brief(ask(run.executeAll(run.start, [...boot(), ...ste()]), SID, IOVA))).toBe("C_BAD_STE");
  });
  it("without VMID16, a VMID above 255 is illegal", () => {
    const run = machineOf({ smmus: [{ IDR0: 0x0d40101b }] });
    expect(brief(ask(run.executeAll(run.start, [...boot(), ...ste({ S2VMID: 256n })]), SID, IOVA))).toBe("C_BAD_STE");
  });
});

describe("the stage-2 walk", () => {
  const rows: readonly (readonly [string, readonly Step[], bigint, "read" | "write", string])[] = [
    ["page, read", [...ste(), ...mapped(PAGE | READ_WRITE)], IOVA + 0x238n, "read", "pa 0x41003238"],
    ["page, write", [...ste(), ...mapped(PAGE | READ_WRITE)], IOVA, "write", "pa 0x41003000"],
    ["unmapped", [...ste(), ...mapped(PAGE | READ_WRITE)], 0x12_3456_8000n, "read", "F_TRANSLATION read s2=1 IN 0x1234568000 ipa 0x1234568000"],
    ["beyond the input size", ste(), 0x80_0000_0000n, "read", "F_TRANSLATION read s2=1 IN 0x8000000000 ipa 0x8000000000"],
    ["beyond the output size: stage 1 address size", ste(), 1n << 44n, "read", "F_ADDR_SIZE read s2=0 IN 0x100000000000"],
    ["bypass beyond the output size", storeSte(SID, [9n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), 1n << 48n, "read", "F_ADDR_SIZE read s2=0 IN 0x1000000000000"],
    ["unmapped, S2R=0", ste({ S2R: 0n }), IOVA, "read", "abort"],
    ["AF=0", [...ste(), ...mapped(PAGE | (READ_WRITE & ~0x400n))], IOVA, "read", "F_ACCESS read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["AF=0, S2AFFD=1", [...ste({ S2AFFD: 1n }), ...mapped(PAGE | (READ_WRITE & ~0x400n))], IOVA, "read", "pa 0x41003000"],
    ["S2AP=01 read", [...ste(), ...mapped(PAGE | READ_ONLY)], IOVA, "read", "pa 0x41003000"],
    ["S2AP=01 write", [...ste(), ...mapped(PAGE | READ_ONLY)], IOVA, "write", "F_PERMISSION write s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["S2AP=10 read", [...ste(), ...mapped(PAGE | WRITE_ONLY)], IOVA, "read", "F_PERMISSION read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["S2AP=10 write", [...ste(), ...mapped(PAGE | WRITE_ONLY)], IOVA, "write", "pa 0x41003000"],
    ["leaf beyond S2PS", [...ste({ S2PS: "40" }), ...mapped((1n << 40n) | READ_WRITE)], IOVA, "read", "F_ADDR_SIZE read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["table beyond S2PS", [...ste({ S2PS: "40" }), store(ROOT + 8n * (IOVA >> 30n), (1n << 41n) | 3n)], IOVA, "read", "F_ADDR_SIZE read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["address size before access flag", [...ste({ S2PS: "40" }), ...mapped((1n << 40n) | 3n)], IOVA, "read", "F_ADDR_SIZE read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["access flag before permission", [...ste(), ...mapped(PAGE | 3n)], IOVA, "read", "F_ACCESS read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["level-3 descriptor of type 01", [...ste(), ...mapped((PAGE | READ_WRITE) & ~2n)], IOVA, "read", "F_TRANSLATION read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["2 MiB block", [...ste(), store(ROOT + 8n * (IOVA >> 30n), 0x4010_1000n | 3n), store(0x4010_1000n + 8n * ((IOVA >> 21n) & 511n), 0x4120_0000n | 0x7fdn)], IOVA + 0x678n, "read", "pa 0x41367678"],
    ["1 GiB block, RES0 bits set", [...ste(), store(ROOT + 8n * (IOVA >> 30n), 0x4100_0000n | 0x7fdn)], IOVA + 0x678n, "read", "pa 0x74567678"],
    [
      "a block at level 0 is invalid",
      [...ste({ S2T0SZ: 20n, S2SL0: 2n }), store(ROOT, 0x7fdn)],
      0x1000n,
      "read",
      "F_TRANSLATION read s2=1 IN 0x1000 ipa 0x1000",
    ],
    ["44 bits from level 0", [...ste({ S2T0SZ: 20n, S2SL0: 2n }), ...mapPages(ROOT, 0, IOVA, [0x4100_5000n | READ_WRITE])], IOVA, "read", "pa 0x41005000"],
    ["40 bits from level 1, two tables: the second", [...ste({ S2T0SZ: 24n }), ...mapPages(0x4010_1000n, 1, 0x12_3456_7000n, []), store(0x4010_1000n + 8n * 0x48n, 0x4020_0000n | 3n), store(0x4020_0000n + 8n * ((IOVA >> 21n) & 511n), 0x4020_1000n | 3n), store(0x4020_1000n + 8n * ((IOVA >> 12n) & 511n), 0x4100_4000n | READ_WRITE)], IOVA | (1n << 39n), "read", "pa 0x41004000"],
    ["42 bits from level 1, eight tables: table 5", [...ste({ S2T0SZ: 22n }), store(0x4010_5000n + 8n * 0x48n, 0x4020_0000n | 3n), store(0x4020_0000n + 8n * ((IOVA >> 21n) & 511n), 0x4020_1000n | 3n), store(0x4020_1000n + 8n * ((IOVA >> 12n) & 511n), 0x4100_4000n | READ_WRITE)], IOVA | (5n << 39n), "read", "pa 0x41004000"],
    ["a small root is aligned to its own size only", [...ste({ S2T0SZ: 31n, S2TTB: 0x4010_0040n }), store(0x4010_0048n, 0x7000_0000n | 0x7fdn)], 0x4000_1000n, "read", "pa 0x40001000"],
  ];
  it.each(rows)("%s", (_, steps, address, op, expected) => expect(outcome(steps, address, op)).toBe(expected));

  it("a table fetch that aborts is F_WALK_EABT with its address, recorded whatever S2R says", () => {
    const run = machineOf();
    const state = run.executeAll(run.start, [...boot(), ...ste({ S2R: 0n }), store(ROOT + 8n * (IOVA >> 30n), 0x800_0000_0000n | 3n)]);
    const read = reader({ image: state.image, ram: [{ addr: 0x4000_0000n, size: 0x1000_0000n }] });
    const answer = translate(read, settingsOf(state.smmus[0]!.registers), { sid: streamId(SID), op: "write", iova: iova(IOVA), size: 4 });
    expect(brief(answer)).toBe(`F_WALK_EABT write s2=1 IN 0x1234567000 fetch 0x${(0x800_0000_0000n + 8n * ((IOVA >> 21n) & 511n)).toString(16)}`);
  });
  it("execute-never stops instruction fetches, by privilege where the SMMU can tell", () => {
    const fetches = (xn: bigint, idr3: number) => {
      const run = machineOf({ smmus: [{ IDR3: idr3 }] });
      const state = run.executeAll(run.start, [...boot(), ...ste(), ...mapped(PAGE | READ_WRITE | (xn << 53n))]);
      return [false, true].map((priv) => ask(state, SID, IOVA, { instr: true, priv }).result === "ok");
    };
    expect([0n, 1n, 2n, 3n].map((xn) => fetches(xn, 0x1414))).toEqual([[true, true], [true, false], [false, false], [false, true]]);
    expect([0n, 1n, 2n, 3n].map((xn) => fetches(xn, 0))).toEqual([[true, true], [true, true], [false, false], [false, false]]);
  });
  it("a SubstreamID without stage 1 is C_BAD_SUBSTREAMID", () => {
    const run = machineOf();
    const answer = ask(run.executeAll(run.start, [...boot(), ...ste()]), SID, IOVA, { ssid: 5 });
    expect(answer).toMatchObject({ result: "abort", event: { type: "C_BAD_SUBSTREAMID", ssid: 5 } });
    if (answer.result === "abort") expect(Event.decode(answer.event!.raw)).toMatchObject({ Type: "C_BAD_SUBSTREAMID", SSV: 0n, SSID: 5n, SID: 0x18n });
  });
  it("lists every word that was read", () => {
    const run = machineOf();
    const { via } = ask(run.executeAll(run.start, [...boot(), ...ste(), ...mapped(PAGE | READ_WRITE)]), SID, IOVA);
    expect(via.map(({ what, addr }) => `${what} ${addr.toString(16)}`)).toEqual([
      "STE dw0 48000600",
      "STE dw1 48000608",
      "STE dw2 48000610",
      "STE dw3 48000618",
      "stage-2 level 1 descriptor 40100240",
      "stage-2 level 2 descriptor 40101d10",
      "stage-2 level 3 descriptor 40102b38",
    ]);
  });
  it("the tables and entry that Linux makes for a stage-2 domain translate", () => {
    const linux = [0xdn, 0n, 0x044c_3594_0000_0001n, 0x4318_a000n, 0n, 0n, 0n, 0n];
    expect(outcome([...storeSte(SID, linux), ...mapPages(0x4318_a000n, 0, 0xfffe_0000n, [0x432e_97ffn])], 0xfffe_0abcn)).toBe("pa 0x432e9abc");
  });
});

describe("event records", () => {
  it("are the bits the architecture prints", () => {
    const run = machineOf();
    const answer = ask(run.executeAll(run.start, [...boot(), ...ste()]), SID, IOVA + 0x10n, { op: "read" });
    // F_TRANSLATION, SID 0x18; RnW (35), S2 (39), CLASS=IN (41:40); input address; IPA page.
    expect(answer).toMatchObject({ event: { raw: [0x18_0000_0010n, (1n << 35n) | (1n << 39n) | (2n << 40n), IOVA + 0x10n, IOVA] } });
  });
  it("of configuration faults carry the stream and nothing else", () => {
    const run = machineOf();
    expect(ask(run.executeAll(run.start, [...boot(), fill(0x4800_0000n + 0x600n, 64n)]), SID, IOVA)).toMatchObject({ event: { type: "C_BAD_STE", sid: 0x18, raw: [0x18_0000_0004n, 0n, 0n, 0n] } });
  });
});
