import { describe, expect, it } from "vitest";
import { CommandCfgi, CommandPriResp, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { Event, EventFetch } from "../../specs/smmuv3/event.ts";
import { PageRequest } from "../../specs/smmuv3/pri.ts";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { Queue } from "../../src/audit/decoding.ts";
import { imageOf, record, snapshotOf } from "./build.ts";

const [COMMANDS, EVENTS, REQUESTS] = [0x4b00_0000n, 0x4c00_0000n, 0x4d00_0000n];
const op = (name: keyof typeof opcodes): bigint => BigInt(opcodes[name].code);
const sync = CommandSync.encode({ Op: op("SYNC"), CS: "sev" });
const cfgi = (sid: bigint) => CommandCfgi.encode({ Op: op("CFGI_STE"), SID: sid, Leaf: 1n });
const at = (base: bigint, index: number, words: readonly bigint[]) => record(base + BigInt(index * words.length * 8), words);

/** Queues of 8 entries. */
const queues = (stores: readonly (readonly [bigint, bigint])[], registers: object = {}): readonly Queue[] =>
  decodeSnapshot(snapshotOf(imageOf(stores), { CMDQ_BASE: Number(COMMANDS) | 3, EVENTQ_BASE: Number(EVENTS) | 3, PRIQ_BASE: Number(REQUESTS) | 3, ...registers })).queues;
const order = ({ records }: Queue): string[] => records.map(({ index, state, name }) => `${index} ${state} ${name}`);

describe("queues", () => {
  it("tell what is pending from what is old, in order of time", () => {
    const [commands] = queues([...at(COMMANDS, 0, cfgi(1n)), ...at(COMMANDS, 1, sync), ...at(COMMANDS, 2, cfgi(2n))], { CMDQ_PROD: 3, CMDQ_CONS: 2 });
    expect(commands).toMatchObject({ enabled: true, entries: 8, pending: 1, prod: { index: 3, wrap: 0 }, cons: { index: 2, wrap: 0 }, counts: { CFGI_STE: 2, SYNC: 1 }, errors: [] });
    expect(order(commands!)).toEqual(["0 old CFGI_STE", "1 old SYNC", "2 pending CFGI_STE"]);
    expect(commands!.records[2]!.fields).toContainEqual({ name: "SID", value: "0x2" });
  });

  it("that went round have the round before first", () => {
    const ring = Array.from({ length: 8 }, (_, index) => at(COMMANDS, index, cfgi(BigInt(index)))).flat();
    const [settled] = queues(ring, { CMDQ_PROD: 8 + 2, CMDQ_CONS: 8 + 2 });
    expect(order(settled!).map((text) => text.split(" ")[0])).toEqual(["2", "3", "4", "5", "6", "7", "0", "1"]);
    const [across] = queues(ring, { CMDQ_PROD: 8 + 1, CMDQ_CONS: 6 });
    expect(order(across!)).toEqual([1, 2, 3, 4, 5].map((index) => `${index} old CFGI_STE`).concat(["6 pending CFGI_STE", "7 pending CFGI_STE", "0 pending CFGI_STE"]));
    const [full] = queues(ring, { CMDQ_PROD: 8 + 3, CMDQ_CONS: 3 });
    expect(full).toMatchObject({ pending: 8 });
    expect(order(full!).every((text) => text.includes("pending"))).toBe(true);
  });

  it("name illegal commands, reserved bits, CFGI_ALL, and where consumption stopped", () => {
    const [all] = queues([
      ...at(COMMANDS, 0, [0x04n, 31n]),
      ...at(COMMANDS, 1, CommandTlbi.encode({ Op: op("TLBI_EL2_ALL") })),
      ...at(COMMANDS, 2, [0xffn, 0n]),
      ...at(COMMANDS, 3, [(5n << 32n) | 0x03n | (1n << 20n), 1n]),
      ...at(COMMANDS, 4, CommandPriResp.encode({ Op: op("PRI_RESP") })),
    ], { CMDQ_PROD: 5, CMDQ_CONS: 0x0100_0001, GERROR: 1 });
    expect(all!.records.map(({ name, illegal, reserved }) => `${name} ${illegal ?? ""} ${reserved.join()}`.trim())).toEqual([
      "CFGI_ALL",
      "TLBI_EL2_ALL TLBI_EL2_ALL needs HYP, which is not implemented",
      "unknown unknown opcode 0xff",
      "CFGI_STE  dw0[20]",
      "PRI_RESP PRI_RESP needs PRI, which is not implemented",
    ]);
    expect(all!.errors).toEqual(["stopped at entry 1: CERROR_ILL"]);
  });

  it("events have exactly the fields that their type defines", () => {
    const fault = Event.encode({ Type: "F_PERMISSION", SID: 0x10n, RnW: 0n, S2: 1n, CLASS: "TT", TTRnW: 1n, InputAddr: 0x1234n, IPA: 0x5000n });
    const fetch = EventFetch.encode({ Type: "F_CD_FETCH", SID: 3n, SSV: 1n, SSID: 9n, FetchAddr: 0x4600_0000n });
    const [, events] = queues([...at(EVENTS, 0, fault), ...at(EVENTS, 1, fetch), ...at(EVENTS, 2, [4n | (7n << 32n), ~0n & ((1n << 64n) - 1n), 1n, 2n])], { EVENTQ_PROD: 3, EVENTQ_CONS: 1 });
    expect(order(events!)).toEqual(["0 old F_PERMISSION", "1 pending F_CD_FETCH", "2 pending C_BAD_STE"]);
    const told = events!.records.map(({ fields }) => Object.fromEntries(fields.map(({ name, value, is }) => [name, is ?? value])));
    expect(told[0]).toEqual({ Type: "F_PERMISSION", SSV: "0x0", SSID: "0x0", SID: "0x10", STAG: "0x0", STALL: "0x0", PnU: "0x0", InD: "0x0", RnW: "0x0", NSIPA: "0x0", S2: "0x1", CLASS: "TT", TTRnW: "0x1", InputAddr: "0x1234", IPA: "0x5000" });
    expect(told[1]).toEqual({ Type: "F_CD_FETCH", SSV: "0x1", SSID: "0x9", SID: "0x3", Reason: "0x0", GPCF: "0x0", FetchAddr: "0x46000000" });
    expect(told[2]).toEqual({ Type: "C_BAD_STE", SSV: "0x0", SSID: "0x0", SID: "0x7" });
  });

  it("overflow and active errors are told on the first screen's part", () => {
    const { summary, queues: all } = decodeSnapshot(snapshotOf(imageOf([]), { EVENTQ_BASE: Number(EVENTS) | 3, EVENTQ_PROD: 0x8000_0008, EVENTQ_CONS: 0, GERROR: 0b100, GERRORN: 0 }));
    expect(all[1]!.pending).toBe(8);
    expect(summary).toMatchObject({ pendingEvents: 8, errors: ["GERROR.EVENTQ_ABT_ERR: an event could not be written", "EVENTQ: overflow that software has not acknowledged: records were lost"] });
  });

  it("indices of page 1 count, for that is their place", () => {
    const snapshot = snapshotOf(imageOf(at(EVENTS, 0, Event.encode({ Type: "C_BAD_STREAMID", SID: 1n }))), { EVENTQ_BASE: Number(EVENTS) | 3 });
    const { queues: all, registers } = decodeSnapshot({ ...snapshot, registers: new Map([...snapshot.registers, [0x100a8, 1], [0x100ac, 0]]) });
    expect(order(all[1]!)).toEqual(["0 pending C_BAD_STREAMID"]);
    expect(registers.map(({ name }) => name)).toContain("EVENTQ_PROD (page 1)");
  });

  it("page requests are there where PRI is", () => {
    const request = PageRequest.encode({ SID: 5n, R: 1n, Last: 1n, PRGIndex: 3n, Address: 0x7000n });
    const marker = PageRequest.encode({ SID: 5n, SSV: 1n, Last: 1n });
    expect(queues([]).map(({ name }) => name)).toEqual(["CMDQ", "EVENTQ"]);
    const [, , requests] = queues([...at(REQUESTS, 0, request), ...at(REQUESTS, 1, marker)], { IDR0: 0x0d44101b | (1 << 16), IDR1: 0x02730010 | (8 << 11), PRIQ_PROD: 2 });
    expect(order(requests!)).toEqual(["0 pending page request", "1 pending stop marker"]);
  });
});
