import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandMapd, GitsBaser, GitsCtlr, GitsTyper, offsets, QemuCte, QemuDte, QemuIte } from "../../specs/gic/its.ts";
import { commandName, executeCommand, type ItsCommand } from "../../src/gic/command.ts";
import { emptyIts, type ItsState, ittRange, qemuVirtLimits, zeroed } from "../../src/gic/its.ts";
import { consumedCommands, itsFromSnapshot, type ItsRegisters, type Read, readItsRegisters } from "../../src/gic/tables.ts";
import * as debian from "./debianGuest.ts";
import { after, mapc, mapd, mapti, memory, signal } from "./fixture.ts";

const virt = { redistributors: 1, intidBits: 16 };
const twoProcessors = { ...virt, redistributors: 2 };
const linuxLimits = { ...qemuVirtLimits, redistributors: 2 };
const guest = { registers: readItsRegisters(debian.registers).value!, read: memory(debian.stores) };

/** Commands as Linux sends them: it zeroes a table before it gives it to the ITS. */
const asLinux = (commands: readonly ItsCommand[]): ItsState => {
  let state = emptyIts(linuxLimits);
  for (const words of commands) {
    const { ITT_addr, Size, V } = CommandMapd.decode(words);
    if (commandName(words) === "MAPD" && V === 1n) state = zeroed(state, ittRange(linuxLimits, { itt: ITT_addr, eventIdBits: Number(Size) + 1 }));
    const result = executeCommand(state, words);
    expect(result.result).toBe("done");
    state = result.state;
  }
  return state;
};

const guestDevices = [0x10, 0x18, 0x20, 0x28, 0x30, 0x100];

describe("the ITS of a Debian guest", () => {
  it("is read from its registers and tables", () => {
    const { value, diagnostics } = itsFromSnapshot(guest, twoProcessors);
    expect(diagnostics).toEqual([]);
    expect(value!.enabled).toBe(true);
    expect([...value!.collections]).toEqual([[0, 0], [1, 1]]);
    expect([...value!.devices].map(([deviceId, { itt, eventIdBits, events }]) => [deviceId, itt, eventIdBits, events.size])).toEqual([
      [0x10, 0x442c_4800n, 7, 3],
      [0x18, 0x4810_7800n, 3, 3],
      [0x20, 0x439c_fe00n, 1, 1],
      [0x28, 0x4810_7000n, 2, 3],
      [0x30, 0x4498_5000n, 2, 3],
      [0x100, 0x439b_b000n, 7, 3],
    ]);
    expect(value!.limits).toEqual({ deviceIds: [{ first: 0, end: 8192 }], eventIdBits: 16, collections: 8192, redistributors: 2, intidBits: 16, ittEntryBytes: 12 });
    expect(guestDevices.map((deviceId) => [0, 1, 2].map((eventId) => signal(value!, deviceId, eventId)))).toEqual([
      ["LPI 8321 at 0", "LPI 8322 at 0", "LPI 8323 at 1"],
      ["LPI 8449 at 1", "LPI 8450 at 0", "LPI 8451 at 1"],
      ["LPI 8192 at 0", "dropped", "dropped"],
      ["LPI 8457 at 0", "LPI 8458 at 0", "LPI 8459 at 1"],
      ["LPI 8461 at 1", "LPI 8462 at 0", "LPI 8463 at 1"],
      ["LPI 8193 at 1", "LPI 8194 at 0", "LPI 8195 at 1"],
    ]);
  });
  it("answers every signal by its consumed commands, one after another, as by its tables", () => {
    const { value: commands, diagnostics } = consumedCommands(guest);
    expect(diagnostics).toEqual([]);
    expect(commands).toEqual(debian.commands);
    const state = asLinux(commands!);
    const read = itsFromSnapshot(guest, twoProcessors).value!;
    expect(new Map(state.devices)).toEqual(new Map(read.devices));
    expect(state.collections).toEqual(read.collections);
    for (const deviceId of [...guestDevices, 0, 0x101]) for (let eventId = 0; eventId < 130; eventId++) expect(signal(state, deviceId, eventId)).toBe(signal(read, deviceId, eventId));
  });
  it("was given memory again that had been a table: right only because it was zeroed in between", () => {
    const told: string[] = [];
    let state = emptyIts(linuxLimits);
    for (const words of debian.commands) {
      const result = executeCommand(state, words);
      if (result.result === "unpredictable") told.push(result.why);
      ({ state } = result);
    }
    expect(told).toEqual(["0x439bb000", "0x442c4800"].map((at) => `memory from ${at} was an interrupt translation table and was not zeroed; what it maps is not answered for`));
  });
});

const TABLE = 0x4800_0000n;
const COLLECTIONS = 0x4810_0000n;
const ITT = 0x4820_0000n;
const typer = (fields: Parameters<typeof GitsTyper.encode>[0] = {}): bigint => GitsTyper.encode({ Physical: 1n, ITT_entry_size: 11n, ID_bits: 15n, Devbits: 15n, CIL: 1n, CIDbits: 15n, ...fields })[0]!;
const baser = (type: "device" | "collection", base: bigint, fields: Parameters<typeof GitsBaser.encode>[0] = {}): bigint => GitsBaser.encode({ Type: type, Entry_Size: 7n, Page_Size: "4K", Physical_Address: base, Valid: 1n, ...fields })[0]!;
const registersOf = (changes: Readonly<Record<number, bigint>> = {}): ItsRegisters =>
  new Map([
    [offsets.GITS_CTLR, GitsCtlr.encode({ Enabled: 1n })[0]!],
    [offsets.GITS_TYPER, typer()],
    [offsets.GITS_BASER, baser("device", TABLE)],
    [offsets.GITS_BASER + 8, baser("collection", COLLECTIONS)],
    ...Object.entries(changes).map(([offset, value]) => [Number(offset), value] as const),
  ]);
const dte = (itt: bigint, bits: number): bigint => QemuDte.encode({ Valid: 1n, Size: BigInt(bits - 1), ITTAddr: itt >> 8n })[0]!;
const cte = (target: number): bigint => QemuCte.encode({ Valid: 1n, RDBase: BigInt(target) })[0]!;
/** 12-byte entries as 64-bit stores. */
const itt = (base: bigint, entries: readonly (Parameters<typeof QemuIte.encode>[0] | undefined)[]): [bigint, bigint][] => {
  const words = new Map<bigint, bigint>();
  const put32 = (address: bigint, value: bigint): void => void words.set(address & ~7n, (words.get(address & ~7n) ?? 0n) | (value << (8n * (address & 7n))));
  entries.forEach((fields, at) => {
    const [low, high] = fields === undefined ? [0n, 0n] : QemuIte.encode({ Valid: 1n, IntType: "physical", Doorbell: 1023n, ...fields });
    [low! & 0xffff_ffffn, low! >> 32n, high!].forEach((value, lane) => put32(base + BigInt(at * 12 + lane * 4), value));
  });
  return [...words];
};
const problems = (registers: ItsRegisters, read: Read): string[] => itsFromSnapshot({ registers, read }, virt).diagnostics.map(({ id, message }) => `${id}: ${message}`);

describe("tables in QEMU's layout", () => {
  it("hold entries of 12 bytes, odd ones across words", () => {
    const entries = [{ IntID: 8192n, ICID: 0n }, { IntID: 8193n, ICID: 1n }, undefined, { IntID: 65535n, ICID: 0n }];
    const read = memory(new Map([[TABLE + 8n * 5n, dte(ITT, 2)], [COLLECTIONS, cte(0)], [COLLECTIONS + 8n, cte(1)], ...itt(ITT, entries)]));
    const state = itsFromSnapshot({ registers: registersOf(), read }, { ...virt, redistributors: 2 }).value!;
    expect([0, 1, 2, 3, 4].map((eventId) => signal(state, 5, eventId))).toEqual(["LPI 8192 at 0", "LPI 8193 at 1", "dropped", "LPI 65535 at 0", "dropped"]);
  });
  it.each([
    ["4K", 0x1000n],
    ["16K", 0x4000n],
    ["64K", 0x1_0000n],
  ] as const)("of two levels have one level-1 entry for each page of %s", (size, page) => {
    const perPage = Number(page / 8n);
    const deviceId = perPage + 3;
    const second = 0x4840_0000n + page;
    const read = memory(new Map([[TABLE + 8n, second | (1n << 63n)], [second + 24n, dte(ITT, 1)]]));
    const registers = registersOf({ [offsets.GITS_BASER]: baser("device", TABLE, { Page_Size: size, Indirect: 1n }) });
    const state = itsFromSnapshot({ registers, read }, virt).value!;
    expect([...state.devices.keys()]).toEqual([deviceId]);
    expect(state.limits.deviceIds).toEqual([{ first: perPage, end: 2 * perPage }]);
    expect(executeCommand(state, mapd(perPage - 1, 0x5000_0000n, 1))).toMatchObject({ result: "error", error: "MAPD_DEVICE_OOR" });
    expect(executeCommand(state, mapd(deviceId, 0x5000_0000n, 1)).result).toBe("done");
  });
  it("with 64 KiB pages may lie above 2^48: bits 15:12 of the register are address bits 51:48", () => {
    const high = 0x5_0000_4800_0000n;
    const value = baser("device", 0n, { Page_Size: "64K" }) | (high & 0xffff_ffff_0000n) | ((high >> 48n) << 12n);
    const state = itsFromSnapshot({ registers: registersOf({ [offsets.GITS_BASER]: value }), read: memory(new Map([[high + 8n, dte(ITT, 1)]])) }, virt).value!;
    expect([...state.devices.keys()]).toEqual([1]);
  });
  it("end where the register's size or GITS_TYPER's bits end", () => {
    const read = memory(new Map([[TABLE + 8n * 511n, dte(ITT, 1)], [TABLE + 8n * 512n, dte(ITT, 1)]]));
    expect([...itsFromSnapshot({ registers: registersOf(), read }, virt).value!.devices.keys()]).toEqual([511]);
    const narrow = registersOf({ [offsets.GITS_TYPER]: typer({ Devbits: 7n }) });
    expect(itsFromSnapshot({ registers: narrow, read }, virt).value!.limits.deviceIds).toEqual([{ first: 0, end: 256 }]);
  });
  it("that overlap, and LPIs that two devices can signal, are told", () => {
    const entries = itt(ITT, [{ IntID: 8192n }]);
    expect(problems(registersOf(), memory(new Map([[TABLE, dte(ITT, 1)], [TABLE + 8n, dte(ITT, 3)], ...entries])))).toEqual([
      "overlapping-itts: the interrupt translation tables of DeviceIDs 0x0 and 0x1 overlap: each can change what the other maps",
      "shared-interrupt: LPI 8192 can be signalled by DeviceIDs 0x0, 0x1: each can pose as the other",
    ]);
    const many = memory(new Map([...Array.from({ length: 100 }, (_, at) => [TABLE + BigInt(at * 8), dte(ITT, 1)] as const), ...entries]));
    expect(problems(registersOf(), many)).toHaveLength(22);
    expect(problems(registersOf(), many)[20]).toBe("overlapping-itts: there are 79 more");
  });
  it("with virtual interrupts say that those are not modelled", () => {
    const read = memory(new Map([[TABLE, dte(ITT, 1)], ...itt(ITT, [{ IntID: 8192n, IntType: "virtual" }, { IntID: 8193n }])]));
    expect(problems(registersOf(), read)).toEqual(["virtual-interrupt: DeviceID 0x0 maps 1 virtual interrupts (GICv4), which are not modelled: they count as not mapped"]);
  });
  it("send nothing to a Redistributor that is not there", () => {
    const read = memory(new Map([[TABLE, dte(ITT, 1)], [COLLECTIONS, cte(3)], ...itt(ITT, [{ IntID: 8192n }])]));
    expect(signal(itsFromSnapshot({ registers: registersOf(), read }, virt).value!, 0, 0)).toBe("dropped");
  });
  it("of a disabled ITS are read, and deliver nothing", () => {
    const read = memory(new Map([[TABLE, dte(ITT, 1)], [COLLECTIONS, cte(0)], ...itt(ITT, [{ IntID: 8192n }])]));
    expect(signal(itsFromSnapshot({ registers: registersOf(), read }, virt).value!, 0, 0)).toBe("LPI 8192 at 0");
    expect(signal(itsFromSnapshot({ registers: registersOf({ [offsets.GITS_CTLR]: 0n }), read }, virt).value!, 0, 0)).toBe("dropped");
  });
});

describe("what can't be read is refused", () => {
  const zero: Read = () => 0n;
  it.each<[string, ItsRegisters, Read, string]>([
    ["no registers", new Map(), zero, "GITS_CTLR (0x0) and GITS_TYPER (0x8) are needed"],
    ["no device table", registersOf({ [offsets.GITS_BASER]: 0n }), zero, "no GITS_BASER gives memory for the device table"],
    ["a table that is not valid", registersOf({ [offsets.GITS_BASER + 8]: baser("collection", COLLECTIONS, { Valid: 0n }) }), zero, "no GITS_BASER gives memory for the collection table"],
    ["entries of another size", registersOf({ [offsets.GITS_BASER]: baser("device", TABLE, { Entry_Size: 15n }) }), zero, "entries of the device table have 16 bytes, those of QEMU 8: tables of other implementations are not read"],
    ["interrupt translation entries of another size", registersOf({ [offsets.GITS_TYPER]: typer({ ITT_entry_size: 7n }) }), zero, "interrupt translation entries have 8 bytes, those of QEMU 12: tables of other implementations are not read"],
    ["Redistributors by address", registersOf({ [offsets.GITS_TYPER]: typer({ PTA: 1n }) }), zero, "the ITS names Redistributors by address (GITS_TYPER.PTA=1), which is not modelled"],
    ["a hole in memory", registersOf(), (address) => (address === COLLECTIONS + 16n ? undefined : 0n), "no memory answers at 0x48100010, where a table of the ITS lies"],
    ["tables without end", registersOf(), memory(new Map([[TABLE, dte(ITT, 32)]])), "the tables have more than 2097152 words; the rest is not read"],
  ])("%s", (_, registers, read, message) => {
    expect(itsFromSnapshot({ registers, read }, virt).value).toBeUndefined();
    expect(problems(registers, read)).toEqual([`bad-its-snapshot: ${message}`]);
  });
  it("registers that are no hex table", () => {
    for (const json of [undefined, null, 5, [], "0x0"]) expect(readItsRegisters(json).diagnostics[0]!.message).toMatch(/there is no register table/);
    expect(readItsRegisters({ "0x3": "0x0", "8": "0x0", "0x8": "0x1ffffffffffffffff", "0x0": 1, "\u001b": "0x0" }).diagnostics.map(({ message }) => message)).toEqual([
      '"8" is not the offset of a register',
      '"0x3" is not the offset of a register',
      "0x8 has no hex value below 2^64",
      "0x0 has no hex value below 2^64",
      '"\\u001b" is not the offset of a register',
    ]);
    expect(readItsRegisters({ "0x8": "0x1", "0x08": "0x1" }).diagnostics[0]!.message).toBe("register 0x8 is given twice");
  });
  it("a command queue that is not there, or an index beyond it", () => {
    expect(consumedCommands({ registers: new Map(), read: zero }).diagnostics[0]!.message).toBe("GITS_CBASER gives no memory for the command queue");
    const beyond = new Map([[offsets.GITS_CBASER, (1n << 63n) | 0x4000_0000n], [offsets.GITS_CREADR, 0x1000n]]);
    expect(consumedCommands({ registers: beyond, read: zero }).diagnostics[0]!.message).toBe("GITS_CREADR is at command 128, beyond the queue");
    expect(consumedCommands({ registers: new Map(beyond).set(offsets.GITS_CREADR, 0x20n), read: () => undefined }).diagnostics[0]!.message).toMatch(/no memory answers at 0x40000000/);
  });
  it("whatever the registers and memory hold, the answer is a value or an error", () => {
    const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    const likely = fc.oneof(word, fc.constantFrom(baser("device", TABLE), baser("collection", COLLECTIONS, { Indirect: 1n }), typer(), 1n, dte(ITT, 3), TABLE | (1n << 63n)));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...Object.values(offsets), 0x108), likely), { maxLength: 8 }), fc.array(likely, { minLength: 1, maxLength: 16 }), fc.nat({ max: 60_000 }), (changed, words, holes) => {
        let reads = 0;
        const read: Read = (address) => (reads++ > holes ? undefined : words[Number((address / 8n) % BigInt(words.length))]);
        const { value, diagnostics } = itsFromSnapshot({ registers: new Map([...registersOf(), ...changed]), read }, virt);
        expect(value === undefined).toBe(diagnostics.some(({ severity }) => severity === "error"));
      }),
      { numRuns: 60 },
    );
  });
});

describe("a model fed with commands and one read from tables agree", () => {
  it("on every signal", () => {
    const event = fc.record({ deviceId: fc.nat({ max: 3 }), eventId: fc.nat({ max: 7 }), intid: fc.integer({ min: 8192, max: 8300 }), icid: fc.nat({ max: 2 }) });
    const apart = (deviceId: number): bigint => ITT + BigInt(deviceId) * 0x100n;
    fc.assert(
      fc.property(fc.uniqueArray(event, { maxLength: 20, selector: ({ deviceId, eventId }) => `${deviceId} ${eventId}` }), fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), (events, targets) => {
        const devices = [...new Set(events.map(({ deviceId }) => deviceId))];
        const commands = [...devices.map((deviceId) => mapd(deviceId, apart(deviceId), 3)), ...targets.map((target, icid) => mapc(icid, target)), ...events.map(({ deviceId, eventId, intid, icid }) => mapti(deviceId, eventId, intid, icid))];
        const stores = devices.flatMap((deviceId): [bigint, bigint][] => {
          const entries = Array.from({ length: 8 }, (_, eventId) => events.find((each) => each.deviceId === deviceId && each.eventId === eventId));
          return [[TABLE + BigInt(deviceId * 8), dte(apart(deviceId), 3)], ...itt(apart(deviceId), entries.map((each) => each && { IntID: BigInt(each.intid), ICID: BigInt(each.icid) }))];
        });
        const read = memory(new Map([...stores, ...targets.map((target, icid) => [COLLECTIONS + BigInt(icid * 8), cte(target)] as const)]));
        const fromTables = itsFromSnapshot({ registers: registersOf(), read }, { ...virt, redistributors: 4 }).value!;
        const fromCommands = after(commands);
        for (let deviceId = 0; deviceId < 5; deviceId++) for (let eventId = 0; eventId < 9; eventId++) expect(signal(fromTables, deviceId, eventId)).toBe(signal(fromCommands, deviceId, eventId));
      }),
      { numRuns: 100 },
    );
  });
});
