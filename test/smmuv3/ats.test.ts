/** ATS and PRI: what a device is believed, and when (IHI 0070 sections 3.9.1 and 8). */
import { describe, expect, it } from "vitest";
import { CommandPriResp, opcodes } from "../../specs/smmuv3/command.ts";
import { EventAtsRequest } from "../../specs/smmuv3/event.ts";
import { offsets, qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { createDevice } from "../../src/smmuv3/device.ts";
import type { PageRequest } from "../../src/smmuv3/pageRequests.ts";
import type { RegisterFile } from "../../src/smmuv3/registers.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { translate } from "../../src/smmuv3/transaction.ts";

const SID = 5;
const TABLE = 0x4200_0000n;
const ROOT = 0x4400_0000n;
const PAGE = 0x4600_0000n;
/** With ATS and PRI. */
const IDR0 = qemuVirtIdentification.IDR0 | (1 << 10) | (1 << 16);
const CR0 = { SMMUEN: 1, PRIQEN: 2, EVENTQEN: 4, ATSCHK: 16 } as const;

const registersOf = (cr0: number, idr0: number = IDR0): RegisterFile => {
  const values = { ...qemuVirtIdentification, IDR0: idr0, IDR1: qemuVirtIdentification.IDR1 | (4 << 11), CR0: cr0, STRTAB_BASE: Number(TABLE), STRTAB_BASE_CFG: 4, PRIQ_BASE: 0x4700_0001 };
  return new Map(Object.entries(values).map(([name, value]) => [offsets[name as keyof typeof offsets], value]));
};
type Fields = Parameters<typeof Ste.encode>[0];
const stage2: Fields = { V: 1n, Config: "s2", S2T0SZ: 25n, S2SL0: 1n, S2PS: "44", S2AA64: 1n, S2R: 1n, S2TTB: ROOT };
/** One page at IOVA 0x1000, read-only, through stage 2. */
const memoryOf = (fields: Fields) => {
  const words = new Map<bigint, bigint>(Ste.encode(fields).map((value, at) => [TABLE + BigInt(SID * 64 + at * 8), value]));
  for (const [addr, value] of [[ROOT, 0x4400_1003n], [0x4400_1000n, 0x4400_2003n], [0x4400_2008n, PAGE | 0x77fn]] as const) words.set(addr, value);
  return (address: bigint): bigint | undefined => words.get(address) ?? 0n;
};
const ask = (fields: Fields, cr0: number, address: bigint, ats: NonNullable<Transaction["ats"]>, idr0?: number) =>
  translate(memoryOf(fields), settingsOf(registersOf(cr0, idr0)), { sid: streamId(SID), op: "read", iova: iova(address), size: 4, ats });

describe("a transaction that says it is translated", () => {
  const translated = (fields: Fields, cr0: number, address = PAGE, idr0?: number): string => {
    const answer = ask(fields, cr0, address, "translated", idr0);
    return answer.result === "abort" ? (answer.event?.type ?? "abort") : answer.result === "ok" ? `pa 0x${answer.pa.toString(16)}` : answer.result;
  };
  const checked = CR0.SMMUEN | CR0.ATSCHK;
  it("passes whatever the stream's entry says while ATSCHK=0: the hazard", () => {
    expect(translated({ V: 1n, Config: "abort" }, CR0.SMMUEN)).toBe("pa 0x46000000");
    expect(translated({}, CR0.SMMUEN, 0x4700_0000n)).toBe("pa 0x47000000");
  });
  it("is forbidden with SMMUEN=0, and beyond OAS aborts in silence", () => {
    expect(translated(stage2, 0)).toBe("F_TRANSL_FORBIDDEN");
    expect(translated(stage2, CR0.SMMUEN, 1n << 44n)).toBe("abort");
  });
  it("with ATSCHK=1 is held against the entry: abort and errors in silence, no ATS is told", () => {
    expect(translated({ V: 1n, Config: "abort", EATS: "full" }, checked)).toBe("abort");
    expect(translated({ EATS: "full" }, checked)).toBe("abort");
    expect(translated({ V: 1n, Config: "bypass", EATS: "full" }, checked)).toBe("F_TRANSL_FORBIDDEN");
    expect(translated(stage2, checked)).toBe("F_TRANSL_FORBIDDEN");
    expect(translated({ ...stage2, EATS: "full" }, checked, PAGE, qemuVirtIdentification.IDR0)).toBe("F_TRANSL_FORBIDDEN");
  });
  it("with full ATS reaches any address, mapped or not: an ATS device is trusted", () => {
    expect(translated({ ...stage2, EATS: "full" }, checked, 0x4444_4000n)).toBe("pa 0x44444000");
  });
  it("with split-stage ATS is an IPA, and stage 2 still stands before memory", () => {
    const split: Fields = { ...stage2, Config: "nested", EATS: "split" };
    expect(translated(split, checked, 0x1010n)).toBe("pa 0x46000010");
    expect(translated(split, checked, PAGE)).toBe("F_TRANSLATION");
    expect(translated(split, CR0.SMMUEN, PAGE)).toBe("pa 0x46000000");
  });
});

describe("a translation request", () => {
  const asked = (fields: Fields, address: bigint, cr0: number = CR0.SMMUEN) => {
    const { via: _, ...answer } = ask(fields, cr0, address, "request");
    return answer;
  };
  it("is answered with what is granted, and faults are not recorded", () => {
    expect(asked({ ...stage2, EATS: "full" }, 0x1000n)).toEqual({ result: "completion", status: "success", read: true, write: false, pa: PAGE });
    expect(asked({ ...stage2, EATS: "full" }, 0x2000n)).toEqual({ result: "completion", status: "success", read: false, write: false });
  });
  it("is refused where ATS is not allowed, with a record of what was asked", () => {
    for (const answer of [asked(stage2, 0x1234n), asked({ V: 1n, Config: "bypass" }, 0x1234n), asked({ ...stage2, EATS: "full" }, 0x1234n, 0)]) {
      expect(answer).toMatchObject({ result: "completion", status: "unsupported-request", event: { type: "F_BAD_ATS_TREQ", iova: 0x1234n } });
      if (answer.result === "completion") expect(EventAtsRequest.decode(answer.event!.raw)).toMatchObject({ Type: "F_BAD_ATS_TREQ", R: 1n, W: 0n, InputAddr: 0x1000n, Span: 1n });
    }
    expect(asked({ V: 1n, Config: "abort" }, 0n)).toEqual({ result: "completion", status: "unsupported-request" });
  });
  it("that meets an error of configuration is a completer abort, in silence", () => {
    expect(asked({}, 0n)).toEqual({ result: "completion", status: "completer-abort" });
    expect(asked({ ...stage2, S2TG: 3n, EATS: "full" }, 0n)).toEqual({ result: "completion", status: "completer-abort" });
  });
});

describe("page requests", () => {
  const device = (cr0: number = CR0.SMMUEN | CR0.PRIQEN) => createDevice({ registers: registersOf(cr0), read: () => 0n });
  const request: PageRequest = { sid: SID, address: 0x1000n, read: true, write: false, last: true, group: 7 };
  const consumed = (value: bigint) => ({ kind: "register", offset: 0x1_0000 + offsets.PRIQ_CONS, value, size: 4 }) as const;

  it("lie in the queue as software reads them", () => {
    const smmu = device();
    expect(smmu.step({ kind: "pageRequest", request })).toEqual([{ result: "queued", raw: [(1n << 62n) | (1n << 60n) | 5n, 0x1007n] }]);
    expect(smmu.read(0x4700_0000n)).toBe((1n << 62n) | (1n << 60n) | 5n);
    expect(smmu.registers().get(offsets.PRIQ_PROD)).toBe(1);
  });
  it("past a full queue are answered success, until the overflow is acknowledged", () => {
    const smmu = device();
    const send = (last = true) => smmu.step({ kind: "pageRequest", request: { ...request, last } })[0]!.result;
    expect([send(), send(), send(), send(false)]).toEqual(["queued", "queued", "auto-response", "discarded"]);
    expect(smmu.registers().get(offsets.PRIQ_PROD)).toBe(0x8000_0002);
    smmu.step(consumed(2n));
    expect(send()).toBe("auto-response");
    smmu.step(consumed(0x8000_0002n));
    expect(send()).toBe("queued");
  });
  it("without a queue are answered failure", () => {
    expect(device(CR0.SMMUEN).step({ kind: "pageRequest", request })).toEqual([{ result: "auto-response", code: "failure" }]);
  });
  it("a reserved response stops the command queue", () => {
    const words = CommandPriResp.encode({ Op: BigInt(opcodes.PRI_RESP.code), Resp: 3n });
    expect(device().step({ kind: "command", words: [words[0]!, words[1]!] })).toMatchObject([{ result: "cerror", code: 1 }]);
  });
});
