/** What is kept stays until the right command (IHI 0070 sections 4.3 and 4.4), where everything is kept that may be. */
import { describe, expect, it } from "vitest";
import { CommandCfgi, CommandCfgiCd, CommandCfgiRange, type CommandName, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { Cd } from "../../specs/smmuv3/cd.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { createDevice, type Device } from "../../src/smmuv3/device.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { AF, brief, cd, CONTEXTS, enabled, map, memory, type Memory, s1, s2, storeCd, storeSte, STREAM_TABLE, type Values, withRegisters } from "./tables.ts";

const op = (name: CommandName) => ({ Op: BigInt(opcodes[name].code) });
/** With an event queue of 16 records. */
const keeping = ({ read }: Memory): Device => createDevice({ registers: withRegisters(enabled(), { [offsets.EVENTQ_BASE]: 0xb100_0004, [offsets.CR0]: 5 }), read, caches: "qemu" });
type Words = readonly bigint[];
const tlbi = (name: CommandName, fields: Parameters<typeof CommandTlbi.encode>[0] = {}): Words => CommandTlbi.encode({ ...op(name), ...fields });
const give = (device: Device, ...commands: readonly Words[]): void => {
  for (const words of commands) expect(device.step({ kind: "command", words: [words[0]!, words[1]!] })).toEqual([]);
};
const store = (device: Device, at: bigint, words: Words): void => {
  for (const [word, value] of words.entries()) device.step({ kind: "store", addr: at + BigInt(8 * word), value });
};
const access = (device: Device, sid: number, address: bigint, ssid?: number): string => {
  const [outcome] = device.step({ kind: "transaction", transaction: { sid: streamId(sid), op: "read", iova: iova(address), size: 4, ...(ssid === undefined ? {} : { ssid }) } });
  return brief(outcome as Parameters<typeof brief>[0]);
};

describe("configuration", () => {
  const BYPASSED = "pa 0x1234";
  /** Bypass entries that were used, and are abort entries in memory now. */
  const changed = (...sids: readonly number[]) => {
    const made = memory();
    for (const sid of sids) storeSte(made, { V: 1n, Config: 4n }, sid);
    const device = keeping(made);
    for (const sid of sids) expect(access(device, sid, 0x1234n)).toBe(BYPASSED);
    for (const sid of sids) store(device, STREAM_TABLE + BigInt(sid * 64), [1n]);
    return device;
  };
  const range = (SID: bigint, Range: bigint): Words => CommandCfgiRange.encode({ ...op("CFGI_STE_RANGE"), SID, Range });
  const rows: readonly (readonly [string, Words, readonly number[]])[] = [
    ["SYNC", [0x46n, 0n], []],
    ["CFGI_STE of one", CommandCfgi.encode({ ...op("CFGI_STE"), SID: 5n, Leaf: 1n }), [5]],
    ["CFGI_STE with Leaf=0", CommandCfgi.encode({ ...op("CFGI_STE"), SID: 6n }), [6]],
    ["CFGI_STE of another", CommandCfgi.encode({ ...op("CFGI_STE"), SID: 9n }), []],
    ["a range of two", range(4n, 0n), [4, 5]],
    ["a range aligns its first stream", range(7n, 1n), [4, 5, 6, 7]],
    ["a range of eight", range(9n, 2n), [8, 12]],
    ["a range of all streams", range(0x1234_5678n, 31n), [4, 5, 6, 7, 8, 12]],
    ["TLBI_NSNH_ALL", tlbi("TLBI_NSNH_ALL"), []],
  ];
  it.each(rows)("%s", (_, words, gone) => {
    const device = changed(4, 5, 6, 7, 8, 12);
    give(device, words);
    for (const sid of [4, 5, 6, 7, 8, 12]) expect(access(device, sid, 0x1234n), `stream ${sid}`).toBe(gone.includes(sid) ? "abort" : BYPASSED);
  });
  it("of a CD: by CFGI_CD, CFGI_CD_ALL and what removes the entry that led to it; not by other streams' nor by TLBI", () => {
    const cfgi = (name: CommandName, SID: bigint): Words => CommandCfgiCd.encode({ ...op(name), SID, SSID: 1n });
    const candidates: readonly (readonly [Words, boolean])[] = [
      [cfgi("CFGI_CD", 5n), true], [cfgi("CFGI_CD_ALL", 5n), true], [cfgi("CFGI_STE", 5n), true], [range(4n, 0n), true],
      [cfgi("CFGI_CD", 6n), false], [cfgi("CFGI_CD_ALL", 6n), false], [tlbi("TLBI_NH_ALL"), false], [tlbi("TLBI_NSNH_ALL"), false],
    ];
    for (const [words, fresh] of candidates) {
      const made = memory();
      storeSte(made, { ...s1, S1CDMax: 2n }, 5);
      const tables = { granule: 12, bits: 48, start: 0 } as const;
      storeCd(made, { ...cd, TTB0: 0x9000_0000n }, CONTEXTS + 64n);
      map(made, { ...tables, root: 0x9000_0000n }, 0n, 3, 0x1000_0000n | AF | 0x43n);
      map(made, { ...tables, root: 0x9800_0000n }, 0n, 3, 0x2000_0000n | AF | 0x43n);
      const device = keeping(made);
      expect(access(device, 5, 0n, 1)).toBe("pa 0x10000000");
      store(device, CONTEXTS + 64n, Cd.encode({ ...cd, TTB0: 0x9800_0000n }));
      give(device, words, tlbi("TLBI_NSNH_ALL"));
      expect(access(device, 5, 0n, 1), words.map(String).join()).toBe(fresh ? "pa 0x20000000" : "pa 0x10000000");
    }
  });
});

const X = 0x1000n;
const Y = 0x5000n;
const Z = 0x9000n;
const BLOCK = 0x20_0000n;
const NG = 1n << 11n;
describe("stage-1 translations", () => {
  /** Streams 1 and 2 of VMID 1 with ASIDs 1 and 2, stream 3 of VMID 2 with ASID 1; a page is a stream and an address. */
  const pages = [["1X", 1, X], ["2X", 2, X], ["3X", 3, X], ["1Y", 1, Y], ["1Z global", 1, Z], ["1 block", 1, BLOCK]] as const;
  const rootOf = (sid: number): bigint => 0x9000_0000n + BigInt(sid) * 0x100_0000n;
  const build = (): Device => {
    const made = memory();
    for (const [sid, vmid, asid] of [[1, 1n, 1n], [2, 1n, 2n], [3, 2n, 1n]] as const) {
      const at = CONTEXTS + BigInt(sid) * 64n;
      storeSte(made, { ...s1, S1ContextPtr: at, S2VMID: vmid }, sid);
      storeCd(made, { ...cd, ASID: asid, TTB0: rootOf(sid) }, at);
      const tables = { root: rootOf(sid), granule: 12, bits: 48, start: 0 } as const;
      for (const address of [X, Y]) map(made, tables, address, 3, 0x1000_0000n | address | NG | AF | 0x43n);
      map(made, tables, Z, 3, 0x1000_0000n | Z | AF | 0x43n);
      map(made, tables, BLOCK, 2, 0x1000_0000n | BLOCK | NG | AF | 0x41n);
    }
    const device = keeping(made);
    for (const [, sid, address] of pages) expect(access(device, sid, address)).toBe(`pa 0x${(0x1000_0000n | address).toString(16)}`);
    // The tables say something else from here on; only what is not kept any more shows it.
    for (const sid of [1, 2, 3]) for (const [index, address] of [X, Y, Z].entries()) store(device, rootOf(sid) + 0x30_0000n + 8n * (address >> 12n), [0x2000_0000n | address | (index < 2 ? NG : 0n) | AF | 0x43n]);
    for (const sid of [1, 2, 3]) store(device, rootOf(sid) + 0x20_0000n + 8n, [0x2000_0000n | BLOCK | NG | AF | 0x41n]);
    return device;
  };
  const all = pages.map(([name]) => name);
  const ofVm1 = all.filter((name) => !name.startsWith("3"));
  const rows: readonly (readonly [string, Words, readonly string[]])[] = [
    ["nothing", [0x46n, 0n], []],
    ["CFGI_ALL", CommandCfgiRange.encode({ ...op("CFGI_STE_RANGE"), Range: 31n }), []],
    ["NH_ALL of VMID 1", tlbi("TLBI_NH_ALL", { VMID: 1n }), ofVm1],
    ["NH_ALL of VMID 2", tlbi("TLBI_NH_ALL", { VMID: 2n }), ["3X"]],
    ["NH_ASID leaves global translations", tlbi("TLBI_NH_ASID", { VMID: 1n, ASID: 1n }), ["1X", "1Y", "1 block"]],
    ["NH_ASID of the other ASID", tlbi("TLBI_NH_ASID", { VMID: 1n, ASID: 2n }), ["2X"]],
    ["NH_VA", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: X }), ["1X"]],
    ["NH_VA with Leaf=1", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 2n, Address: X, Leaf: 1n }), ["2X"]],
    ["NH_VA of another ASID reaches global translations", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 7n, Address: Z }), ["1Z global"]],
    ["NH_VA of another VMID", tlbi("TLBI_NH_VA", { VMID: 3n, ASID: 1n, Address: X }), []],
    ["NH_VA anywhere in a block", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: BLOCK + 0x12_3000n }), ["1 block"]],
    ["NH_VAA", tlbi("TLBI_NH_VAA", { VMID: 1n, Address: X }), ["1X", "2X"]],
    ["NH_VAA of a global one", tlbi("TLBI_NH_VAA", { VMID: 1n, Address: Z }), ["1Z global"]],
    ["a range of five pages", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: X, TG: "4K", Num: 4n }), ["1X", "1Y"]],
    ["a range that ends before", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: X, TG: "4K", Num: 3n }), ["1X"]],
    ["a range that begins behind", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: X + 0x1000n, TG: "4K", Num: 3n }), ["1Y"]],
    ["SCALE doubles: eight pages and more", tlbi("TLBI_NH_VAA", { VMID: 1n, Address: 0n, TG: "4K", Num: 0n, Scale: 3n }), ["1X", "2X", "1Y"]],
    ["a level that is the page's", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: Y, TG: "4K", TTL: 3n }), ["1Y"]],
    ["a level that is the block's", tlbi("TLBI_NH_VA", { VMID: 1n, ASID: 1n, Address: BLOCK, TG: "4K", TTL: 2n }), ["1 block"]],
    ["a range of blocks", tlbi("TLBI_NH_VAA", { VMID: 1n, Address: BLOCK, TG: "4K", TTL: 2n, Num: 1n, Scale: 9n }), ["1 block"]],
    ["S12_VMALL", tlbi("TLBI_S12_VMALL", { VMID: 1n }), ofVm1],
    ["S2_IPA", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: X }), []],
    ["EL2_ALL is another StreamWorld's", tlbi("TLBI_EL2_ALL"), []],
    ["NSNH_ALL", tlbi("TLBI_NSNH_ALL"), all],
  ];
  it.each(rows)("%s", (_, words, gone) => {
    const device = build();
    give(device, words);
    const fresh = pages.filter(([, sid, address]) => access(device, sid, address) === `pa 0x${(0x2000_0000n | address).toString(16)}`).map(([name]) => name);
    expect(fresh).toEqual(gone);
  });
  it("a global translation is every ASID's of its VMID, and no other VMID's", () => {
    const device = build();
    expect(access(device, 2, Z)).toBe("pa 0x10009000");
    expect(access(device, 3, Z)).toBe("pa 0x20009000");
  });
  it("the ignored top byte is no part of what is kept: a command without it reaches the translation", () => {
    const made = memory();
    storeSte(made, s1, 1);
    storeCd(made, { ...cd, TTB0: rootOf(1), TBI0: 1n });
    map(made, { root: rootOf(1), granule: 12, bits: 48, start: 0 }, X, 3, 0x1000_1000n | NG | AF | 0x43n);
    const device = keeping(made);
    expect(access(device, 1, X | (0x5an << 56n))).toBe("pa 0x10001000");
    store(device, rootOf(1) + 0x30_0008n, [0x2000_1000n | NG | AF | 0x43n]);
    expect(access(device, 1, X | (0xa5n << 56n))).toBe("pa 0x10001000");
    give(device, tlbi("TLBI_NH_VA", { ASID: 9n, Address: X }));
    expect(access(device, 1, X | (0x5an << 56n))).toBe("pa 0x20001000");
  });
  it("no fault is kept: what becomes valid is seen at once", () => {
    const device = build();
    expect(access(device, 1, 0xd000n)).toMatch(/^F_TRANSLATION/u);
    store(device, rootOf(1) + 0x30_0000n + 8n * 0xdn, [0x3000_0000n | AF | 0x43n]);
    expect(access(device, 1, 0xd000n)).toBe("pa 0x30000000");
  });
  it("rights are asked of what is kept", () => {
    const device = build();
    const outcome = device.step({ kind: "transaction", transaction: { sid: streamId(1), op: "read", iova: iova(X), size: 4, instr: true, priv: true } });
    expect(brief(outcome[0] as Parameters<typeof brief>[0])).toBe("F_PERMISSION RPI s1 IN 0x1000");
  });
});

describe("stage-2 translations", () => {
  const ROOT = 0xa000_0000n;
  const tables = { root: ROOT, granule: 12, bits: 40, start: 1 } as const;
  const leaf = (base: bigint, address: bigint): bigint => base | address | AF | 0xffn;
  const build = (extra: Values): Device => {
    const made = memory();
    storeSte(made, { ...s2, S2VMID: 1n, S2TTB: ROOT, ...extra }, 1);
    storeCd(made, { ...cd, TTB0: 0x10_0000n, T0SZ: 25n });
    map(made, { ...tables, root: 0xa800_0000n }, X, 3, 0n);
    for (const address of [X, Y]) map(made, tables, address, 3, leaf(0x1000_0000n, address));
    map(made, tables, BLOCK, 2, leaf(0x1000_0000n, BLOCK) & ~2n);
    const device = keeping(made);
    for (const address of [X, Y, BLOCK]) expect(access(device, 1, address)).toBe(`pa 0x${(0x1000_0000n | address).toString(16)}`);
    for (const address of [X, Y]) store(device, ROOT + 0x20_0000n + 8n * (address >> 12n), [leaf(0x2000_0000n, address)]);
    store(device, ROOT + 0x10_0000n + 8n, [leaf(0x2000_0000n, BLOCK) & ~2n]);
    return device;
  };
  const rows: readonly (readonly [string, Words, readonly bigint[]])[] = [
    ["S2_IPA", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: X }), [X]],
    ["S2_IPA of another VMID", tlbi("TLBI_S2_IPA", { VMID: 2n, Address: X }), []],
    ["S2_IPA anywhere in a block", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: BLOCK + 0x1f_f000n }), [BLOCK]],
    ["a range", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: 0n, TG: "4K", Num: 5n }), [X, Y]],
    ["a range with SCALE", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: 0n, TG: "4K", Num: 1n, Scale: 9n }), [X, Y, BLOCK]],
    ["a level", tlbi("TLBI_S2_IPA", { VMID: 1n, Address: Y, TG: "4K", TTL: 3n }), [Y]],
    ["S12_VMALL", tlbi("TLBI_S12_VMALL", { VMID: 1n }), [X, Y, BLOCK]],
    ["S12_VMALL of another VMID", tlbi("TLBI_S12_VMALL", { VMID: 2n }), []],
    ["NH_ALL leaves stage 2", tlbi("TLBI_NH_ALL", { VMID: 1n }), []],
    ["NSNH_ALL", tlbi("TLBI_NSNH_ALL"), [X, Y, BLOCK]],
  ];
  it.each(rows)("%s", (_, words, gone) => {
    const device = build({});
    give(device, words);
    expect([X, Y, BLOCK].filter((address) => access(device, 1, address) === `pa 0x${(0x2000_0000n | address).toString(16)}`)).toEqual(gone);
  });
  it("of both stages together: S2_IPA needs a stage-1 invalidation beside it; S12_VMALL does not", () => {
    const both = (...commands: readonly Words[]): string => {
      const made = memory();
      storeSte(made, { ...s2, ...s1, Config: 7n, S2VMID: 1n, S2TTB: ROOT, S1ContextPtr: 0x10_0000n }, 1);
      storeCd(made, { ...cd, TTB0: 0x10_1000n, T0SZ: 34n, ASID: 1n }, 0x5010_0000n);
      // Stage 1 has 30 bits from level 2, one block of 2 MiB; stage 2 has its CD, its table, and the data.
      made.words.set(0x5010_1000n, 0x40_0000n | NG | AF | 0x41n);
      for (const [address, base] of [[0x10_0000n, 0x5000_0000n], [0x10_1000n, 0x5000_0000n], [0x40_1000n, 0x1000_0000n]] as const) map(made, { ...tables, place: (at) => at }, address, 3, leaf(base, address));
      const table3 = (address: bigint): bigint => ROOT + 0x20_0000n + 8n * ((address >> 12n) & 511n);
      const device = keeping(made);
      expect(access(device, 1, 0x1008n)).toBe("pa 0x10401008");
      store(device, table3(0x40_1000n), [leaf(0x2000_0000n, 0x40_1000n)]);
      give(device, ...commands);
      return access(device, 1, 0x1008n);
    };
    const ipa = tlbi("TLBI_S2_IPA", { VMID: 1n, Address: 0x40_1000n });
    expect(both()).toBe("pa 0x10401008");
    expect(both(ipa)).toBe("pa 0x10401008");
    expect(both(ipa, tlbi("TLBI_NH_VAA", { VMID: 1n, Address: 0x1000n }))).toBe("pa 0x20401008");
    expect(both(ipa, tlbi("TLBI_NH_ALL", { VMID: 1n }))).toBe("pa 0x20401008");
    expect(both(tlbi("TLBI_S12_VMALL", { VMID: 1n }))).toBe("pa 0x20401008");
  });
});

describe("other StreamWorlds and wildcards", () => {
  const rootOf = (sid: number): bigint => 0x9000_0000n + BigInt(sid) * 0x100_0000n;
  /** Stream 1 is of EL1, stream 2 of EL2 or EL2-E2H; both have VMID 0 and ASID 0, and map X elsewhere. */
  const build = (E2H: bigint): Device => {
    const made = memory();
    for (const sid of [1, 2]) {
      const at = CONTEXTS + BigInt(sid) * 64n;
      storeSte(made, { ...s1, S1ContextPtr: at, STRW: sid === 2 ? 2n : 0n }, sid);
      storeCd(made, { ...cd, ASID: 0n, TTB0: rootOf(sid) }, at);
      map(made, { root: rootOf(sid), granule: 12, bits: 48, start: 0 }, X, 3, (BigInt(sid) << 28n) | X | NG | AF | 0x43n);
    }
    return createDevice({ registers: withRegisters(enabled({ E2H }), { [offsets.CR0]: 1 }), read: made.read, caches: "qemu" });
  };
  const move = (device: Device): void => {
    for (const sid of [1, 2]) store(device, rootOf(sid) + 0x30_0008n, [(BigInt(sid + 4) << 28n) | X | NG | AF | 0x43n]);
  };
  it("translations of EL1 and EL2 are never one another's (IHI 0070 section 3.17)", () => {
    for (const E2H of [0n, 1n]) {
      const device = build(E2H);
      expect([access(device, 1, X), access(device, 2, X)]).toEqual(["pa 0x10001000", "pa 0x20001000"]);
    }
  });
  const rows: readonly (readonly [CommandName, Parameters<typeof tlbi>[1], bigint])[] = [
    ["TLBI_EL2_ALL", {}, 0n], ["TLBI_EL2_ALL", {}, 1n], ["TLBI_EL2_VA", { Address: X, ASID: 5n }, 0n], ["TLBI_EL2_VA", { Address: X }, 1n], ["TLBI_EL2_VAA", { Address: X }, 1n], ["TLBI_EL2_ASID", { ASID: 0n }, 1n],
  ];
  it.each(rows)("%s reaches those of EL2 (%o, E2H=%i)", (name, fields, E2H) => {
    const device = build(E2H);
    access(device, 2, X);
    move(device);
    give(device, tlbi(name, fields));
    expect(access(device, 2, X)).toBe("pa 0x60001000");
  });
  it("CR0.VMW leaves low bits of the VMID open (sections 3.17.6, 6.3.9)", () => {
    const fresh = (VMW: bigint, named: bigint): boolean => {
      const made = memory();
      storeSte(made, { ...s1, S2VMID: 6n }, 1);
      storeCd(made, { ...cd, TTB0: rootOf(1) });
      map(made, { root: rootOf(1), granule: 12, bits: 48, start: 0 }, X, 3, 0x1000_1000n | NG | AF | 0x43n);
      const device = createDevice({ registers: withRegisters(enabled({ VMW: 1n }), { [offsets.CR0]: 1 | Number(VMW << 6n) }), read: made.read, caches: "qemu" });
      access(device, 1, X);
      move(device);
      give(device, tlbi("TLBI_NH_ALL", { VMID: named }));
      return access(device, 1, X) !== "pa 0x10001000";
    };
    expect([[0n, 6n], [0n, 7n], [1n, 7n], [1n, 5n], [2n, 5n], [2n, 3n], [3n, 0n], [3n, 8n], [4n, 15n], [5n, 7n]].map(([vmw, named]) => fresh(vmw!, named!))).toEqual([true, false, true, false, true, false, true, false, true, false]);
  });
});
