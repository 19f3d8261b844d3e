/** Histories: commands and their queue (IHI 0070 chapter 4, sections 7.1, 7.5), events and theirs (7.2, 7.4). */
import { describe, expect, it } from "vitest";
import { offsets, page1Offsets } from "../../specs/smmuv3/registers.ts";
import type { Device } from "../../src/smmuv3/device.ts";
import { access, ALL_QUEUES, build, command, COMMANDS, EVENTS, value, write } from "./steps.ts";
import { memory, type Values } from "./tables.ts";

const at = (device: Device, address: bigint, words: number): (bigint | undefined)[] => Array.from({ length: words }, (_, word) => device.read(address + BigInt(8 * word)));

describe("which commands are legal on the Non-secure queue (chapter 4)", () => {
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const groups: readonly (readonly [readonly number[], Values])[] = [
    [[0x01, 0x02, 0x03, 0x04, 0x30, 0x46], {}],
    [[0x05, 0x06, ...range(0x10, 0x13)], { S1P: 0n, HYP: 0n }],
    [range(0x20, 0x23), { HYP: 0n }],
    [[0x28, 0x2a], { S2P: 0n, HYP: 0n }],
    [[0x40], { ATS: 0n, PRI: 0n }],
    [[0x41], { PRI: 0n }],
    [[0x44, 0x45], { STALL_MODEL: 1n }],
    [[0x07], { MPAM: 0n }],
    [[0x70, 0x73], { DPT: 0n }],
  ];
  const legal = (opcode: number, id: Values): boolean => {
    const { device } = build(id);
    const outcome = command(device, BigInt(opcode));
    return outcome.every(({ result }) => result !== "cerror");
  };
  it("exactly those of the list; every other opcode is CERROR_ILL", () => {
    const known = new Set(groups.flatMap(([codes]) => codes));
    for (const opcode of [...range(0, 0x7f), ...range(0x90, 0xff)]) expect(legal(opcode, {}), `0x${opcode.toString(16)}`).toBe(known.has(opcode));
  });
  it("and only with what they need", () => {
    for (const [codes, without] of groups) for (const opcode of codes) expect(legal(opcode, without), `0x${opcode.toString(16)}`).toBe(Object.keys(without).length === 0);
    for (const opcode of groups[0]![0]) expect(legal(opcode, Object.assign({}, ...groups.map(([, without]) => without)) as Values)).toBe(true);
    expect(legal(0x44, { STALL_MODEL: 2n })).toBe(true);
  });
  it("CFGI_VMS_PIDM needs a VMS, and so both stages (section 5.6.1)", () => {
    expect(legal(0x07, { S2P: 0n, HYP: 0n })).toBe(false);
    expect(legal(0x07, { S1P: 0n, HYP: 0n })).toBe(false);
  });
  const parameters: readonly (readonly [string, bigint, bigint, Values, boolean])[] = [
    ["SYNC with CS=3", 0x46n | (3n << 12n), 0n, {}, false],
    ["SYNC with CS=2", 0x46n | (2n << 12n), 0n, {}, true],
    ["PRI_RESP with Resp=3", 0x41n, 3n << 12n, {}, false],
    ["PRI_RESP with Resp=2", 0x41n, 2n << 12n, {}, true],
    ...[0x01n, 0x02n, 0x03n, 0x04n, 0x05n, 0x06n, 0x07n, 0x44n, 0x45n].map((code) => [`opcode 0x${code.toString(16)} with SSec=1`, code | (1n << 10n), 0n, {}, false] as const),
    ...[0x12n, 0x13n, 0x22n, 0x23n, 0x2an].flatMap((code) => [
      [`range of opcode 0x${code.toString(16)} with TG=1 alone`, code, 1n << 10n, {}, false] as const,
      [`range of opcode 0x${code.toString(16)} with TG=1 alone, without RIL`, code, 1n << 10n, { RIL: 0n }, true] as const,
      [`range of opcode 0x${code.toString(16)} with TTL`, code, (1n << 10n) | (3n << 8n), {}, true] as const,
      [`range of opcode 0x${code.toString(16)} with NUM`, code | (1n << 12n), 1n << 10n, {}, true] as const,
      [`range of opcode 0x${code.toString(16)} with SCALE`, code | (1n << 20n), 1n << 10n, {}, true] as const,
      [`range of opcode 0x${code.toString(16)}: TTL=1 at 16 KiB is TTL=0`, code, (2n << 10n) | (1n << 8n), {}, false] as const,
    ]),
  ];
  it.each(parameters)("%s", (_, low, high, id, expected) => expect(command(build(id).device, low, high).every(({ result }) => result !== "cerror")).toBe(expected));
});

const SYNC = 0x46n;
const enqueue = (device: Device, first: number, commands: readonly bigint[]): void => {
  for (const [index, low] of commands.entries()) {
    const slot = COMMANDS + 16n * BigInt((first + index) & 3);
    device.step({ kind: "store", addr: slot, value: low });
    device.step({ kind: "store", addr: slot + 8n, value: 0n });
  }
};
describe("the command queue in memory", () => {
  it("is consumed as CMDQ_PROD moves, round the end", () => {
    const { device } = build();
    for (let index = 0; index < 12; index += 3) {
      enqueue(device, index, [SYNC, SYNC, SYNC]);
      expect(write(device, offsets.CMDQ_PROD, (index + 3) & 7)).toEqual([]);
      expect(value(device, offsets.CMDQ_CONS) & 7).toBe((index + 3) & 7);
    }
  });
  it("is aligned to its size, and so is the event queue", () => {
    const { device } = build({}, 0);
    write(device, offsets.CMDQ_BASE, COMMANDS | 0x22n);
    write(device, offsets.EVENTQ_BASE, EVENTS | 0x21n);
    write(device, offsets.CR0, ALL_QUEUES);
    enqueue(device, 0, [SYNC, 0xffn]);
    expect(write(device, offsets.CMDQ_PROD, 2)).toMatchObject([{ code: 1 }]);
    expect(value(device, offsets.CMDQ_CONS)).toBe(1 | (1 << 24));
    access(device);
    expect(device.read(EVENTS)).toBe((1n << 32n) | 4n);
  });
  it("is no longer than IDR1.CMDQS", () => {
    const { device } = build({ CMDQS: 1n });
    enqueue(device, 0, [SYNC, SYNC, 0xffn]);
    write(device, offsets.CMDQ_PROD, 2);
    expect([value(device, offsets.CMDQ_CONS), value(device, offsets.GERROR)]).toEqual([2, 0]);
  });
  it("stops at an illegal command; the fixed one and all after it are read again when GERRORN acknowledges", () => {
    const { device } = build();
    enqueue(device, 0, [SYNC, 0xffn, SYNC, 0xffn]);
    expect(write(device, offsets.CMDQ_PROD, 4)).toMatchObject([{ result: "cerror", code: 1 }]);
    expect([value(device, offsets.CMDQ_CONS), value(device, offsets.GERROR)]).toEqual([1 | (1 << 24), 1]);
    expect(command(device, SYNC)).toEqual([{ result: "not-consumed" }]);
    expect(write(device, offsets.CMDQ_PROD, 4)).toEqual([]);
    enqueue(device, 1, [SYNC]);
    expect(value(device, offsets.CMDQ_CONS) & 7).toBe(1);
    expect(write(device, offsets.GERRORN, 1)).toMatchObject([{ result: "cerror", code: 1 }]);
    // A second error toggles the flag back: it is active where both registers differ.
    expect([value(device, offsets.CMDQ_CONS), value(device, offsets.GERROR)]).toEqual([3 | (1 << 24), 0]);
    enqueue(device, 3, [SYNC]);
    expect(write(device, offsets.GERRORN, 0)).toEqual([]);
    expect(value(device, offsets.CMDQ_CONS) & 7).toBe(4);
  });
  it("while stopped, software may take commands back", () => {
    const { device } = build();
    enqueue(device, 0, [0xffn, 0xffn]);
    write(device, offsets.CMDQ_PROD, 2);
    write(device, offsets.CMDQ_PROD, 0);
    expect(write(device, offsets.GERRORN, 1)).toEqual([]);
    expect([value(device, offsets.CMDQ_CONS) & 7, value(device, offsets.GERROR)]).toEqual([0, 1]);
  });
  it("a command that cannot be fetched is CERROR_ABT, and CONS stays", () => {
    const { device, store } = build();
    store.holes.add(COMMANDS >> 12n);
    expect(write(device, offsets.CMDQ_PROD, 1)).toMatchObject([{ result: "cerror", code: 2 }]);
    expect([value(device, offsets.CMDQ_CONS), value(device, offsets.GERROR)]).toEqual([2 << 24, 1]);
    store.holes.clear();
    enqueue(device, 0, [SYNC]);
    expect(write(device, offsets.GERRORN, 1)).toEqual([]);
    expect(value(device, offsets.CMDQ_CONS) & 7).toBe(1);
  });
  it("is not consumed by a write of CMDQ_CONS, where that is taken", () => {
    const { device } = build({}, ALL_QUEUES, memory(), { registersAlwaysWritable: true });
    enqueue(device, 3, [SYNC]);
    expect(write(device, offsets.CMDQ_CONS, 7)).toEqual([]);
    expect(value(device, offsets.CMDQ_CONS)).toBe(7);
    write(device, offsets.CMDQ_PROD, 0);
    expect(value(device, offsets.CMDQ_CONS)).toBe(0);
  });
  it("waits for CMDQEN", () => {
    const { device } = build({}, 5);
    enqueue(device, 0, [SYNC]);
    write(device, offsets.CMDQ_PROD, 1);
    expect(value(device, offsets.CMDQ_CONS)).toBe(0);
    write(device, offsets.CR0, ALL_QUEUES);
    expect(value(device, offsets.CMDQ_CONS)).toBe(1);
  });
});

const OVERFLOW = 2 ** 31;
describe("the event queue", () => {
  it("takes records in order, round the end", () => {
    const { device } = build();
    for (let index = 0; index < 5; index++) {
      expect(access(device, index + 1)).toMatchObject([{ result: "abort", event: { type: "C_BAD_STE" } }]);
      expect(at(device, EVENTS + 32n * BigInt(index & 1), 4)).toEqual([(BigInt(index + 1) << 32n) | 4n, 0n, 0n, 0n]);
      expect(value(device, offsets.EVENTQ_PROD)).toBe((index + 1) & 3);
      write(device, page1Offsets.EVENTQ_CONS, (index + 1) & 3);
    }
  });
  it("full: records are dropped; OVFLG toggles once until acknowledged, and GERROR does not", () => {
    const { device } = build();
    for (let index = 0; index < 2; index++) access(device);
    for (let index = 0; index < 2; index++) {
      expect(access(device)[0]).not.toHaveProperty("event");
      expect(value(device, offsets.EVENTQ_PROD)).toBe(OVERFLOW + 2);
    }
    expect(value(device, offsets.GERROR)).toBe(0);
    // Room without an acknowledgement: events are recorded all the same.
    write(device, page1Offsets.EVENTQ_CONS, 1);
    access(device);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(OVERFLOW + 3);
    access(device);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(OVERFLOW + 3);
    write(device, page1Offsets.EVENTQ_CONS, OVERFLOW + 1);
    access(device);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(3);
  });
  it("EVENTQEN=0: nothing is recorded, and nothing overflows", () => {
    const { device } = build({}, 9);
    for (let index = 0; index < 3; index++) expect(access(device)).toEqual([{ result: "abort", via: expect.anything() as unknown }]);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(0);
  });
  it("memory that aborts: EVENTQ_ABT_ERR, PROD stays, and nothing is recorded until it is acknowledged", () => {
    const { device, store } = build();
    store.holes.add(EVENTS >> 12n);
    access(device);
    expect([value(device, offsets.EVENTQ_PROD), value(device, offsets.GERROR)]).toEqual([0, 4]);
    store.holes.clear();
    access(device);
    expect([value(device, offsets.EVENTQ_PROD), value(device, offsets.GERROR)]).toEqual([0, 4]);
    write(device, offsets.GERRORN, 4);
    access(device);
    expect([value(device, offsets.EVENTQ_PROD), value(device, offsets.GERROR)]).toEqual([1, 4]);
  });
});
