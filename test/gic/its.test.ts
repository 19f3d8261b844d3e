import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Command, CommandMapd, CommandMapti } from "../../specs/gic/its.ts";
import { commandName, executeCommand, executeCommands, type ItsCommand } from "../../src/gic/command.ts";
import { deliver, emptyIts, type ItsState, ittRange, overlap, overlappingTables, sharedInterrupts, zeroed } from "../../src/gic/its.ts";
import { A, after, answers, B, event, invall, ITT_A, ITT_B, limits, mapc, mapd, mapi, mapti, movall, movi, signal, sync } from "./fixture.ts";

/** Two devices of four EventIDs each, both to collection 0 on Redistributor 0. */
const two: readonly ItsCommand[] = [mapc(0, 0), mapd(A, ITT_A, 2), mapti(A, 1, 8200), mapd(B, ITT_B, 2), mapti(B, 1, 8300), sync()];
const why = (state: ItsState, deviceId: number, eventId: number): string => {
  const delivery = deliver(state, { deviceId, eventId });
  return delivery.result === "interrupt" ? "" : delivery.why;
};

describe("a signal", () => {
  it("becomes the LPI that its own device mapped, at the collection's Redistributor", () => {
    expect(signal(after(two), A, 1)).toBe("LPI 8200 at 0");
    expect(signal(after(two), B, 1)).toBe("LPI 8300 at 0");
  });
  it("is dropped while the ITS is not enabled", () => {
    expect(why({ ...after(two), enabled: false }, A, 1)).toBe("the ITS is not enabled");
  });
  it("is dropped when its DeviceID has no interrupt translation table", () => {
    expect(why(after(two), 0x30, 1)).toBe("DeviceID 0x30 has no interrupt translation table");
  });
  it("is dropped when its EventID is beyond the table's size, though memory behind it holds entries", () => {
    expect(why(after(two), A, 4)).toBe("EventID 4 is beyond the 4 of DeviceID 0x10");
    expect(why(after(two), A, 0xffff_ffff)).toMatch(/is beyond/);
  });
  it("is dropped when its EventID is not mapped", () => {
    expect(why(after(two), A, 0)).toBe("EventID 0 of DeviceID 0x10 is not mapped");
  });
  it("is dropped when its collection has no Redistributor", () => {
    expect(why(after([...two, mapti(A, 2, 8201, 7)]), A, 2)).toBe("collection 7 has no Redistributor");
    expect(signal(after([...two, mapti(A, 2, 8201, 7), mapc(7, 3)]), A, 2)).toBe("LPI 8201 at 3");
  });
  it("never uses another device's table: the same EventID under another DeviceID is another interrupt", () => {
    const state = after([mapc(0, 0), mapd(A, ITT_A, 2), mapti(A, 1, 8200), mapd(B, ITT_B, 2)]);
    expect(why(state, B, 1)).toBe("EventID 1 of DeviceID 0x20 is not mapped");
  });
});

describe("commands", () => {
  it("DISCARD removes a mapping, and only that", () => {
    const state = after([...two, mapti(A, 2, 8201), event("DISCARD", A, 1)]);
    expect([signal(state, A, 1), signal(state, A, 2), signal(state, B, 1)]).toEqual(["dropped", "LPI 8201 at 0", "LPI 8300 at 0"]);
  });
  it("DISCARD of an event whose collection is not mapped is refused, and the mapping stays", () => {
    const commands = [...two, mapti(A, 2, 8201, 7), event("DISCARD", A, 2)];
    expect(answers(commands).at(-1)).toBe("DISCARD_UNMAPPED_INTERRUPT");
    expect(signal(after([...commands, mapc(7, 1)]), A, 2)).toBe("LPI 8201 at 1");
  });
  it("MAPD with V=0 takes the whole device away; with EventIDs still mapped that is unpredictable", () => {
    expect(answers([...two, mapd(A, ITT_A, 2, false)]).at(-1)).toBe("unpredictable");
    const commands = [...two, event("DISCARD", A, 1), mapd(A, ITT_A, 2, false)];
    expect(answers(commands).slice(-2)).toEqual(["done", "done"]);
    expect(why(after(commands), A, 1)).toBe("DeviceID 0x10 has no interrupt translation table");
    expect(signal(after(commands), B, 1)).toBe("LPI 8300 at 0");
  });
  it("INV, INVALL, SYNC, CLEAR, MOVALL change no answer", () => {
    const state = after(two);
    for (const words of [event("INV", A, 1), invall(0), sync(), event("CLEAR", A, 1), movall(0, 1)]) expect(executeCommand(state, words)).toEqual({ state, result: "done" });
  });
  it("INT signals on a device's behalf", () => {
    expect(executeCommand(after(two), event("INT", A, 1))).toMatchObject({ result: "done", interrupt: { result: "interrupt", intid: 8200, target: 0 } });
  });
  it("MAPI takes the EventID for the LPI", () => {
    expect(signal(after([mapc(0, 2), mapd(A, ITT_A, 16), mapi(A, 8200)]), A, 8200)).toBe("LPI 8200 at 2");
  });
  it("MOVI changes where one event goes, MAPC where all of a collection go", () => {
    const state = after([...two, mapc(1, 3), movi(A, 1, 1)]);
    expect([signal(state, A, 1), signal(state, B, 1)]).toEqual(["LPI 8200 at 3", "LPI 8300 at 0"]);
    expect(["LPI 8200 at 2", "LPI 8300 at 2"]).toEqual([A, B].map((device) => signal(after([...two, mapc(0, 2)]), device, 1)));
  });
  it("wait while the ITS is not enabled", () => {
    expect(answers(two, emptyIts(limits, false))).toEqual(two.map(() => "waiting"));
  });
  it.each<[string, readonly ItsCommand[]]>([
    ["MAPD_DEVICE_OOR", [mapd(0x1_0000, ITT_A, 2)]],
    ["MAPD_ITTSIZE_OOR", [mapd(A, ITT_A, 17)]],
    ["MAPC_COLLECTION_OOR", [mapc(8, 0)]],
    ["MAPC_PROCNUM_OOR", [mapc(0, 4)]],
    ["MAPTI_DEVICE_OOR", [mapti(0x1_0000, 0, 8200)]],
    ["MAPTI_UNMAPPED_DEVICE", [mapti(0x30, 0, 8200)]],
    ["MAPTI_ID_OOR", [mapti(A, 4, 8200)]],
    ["MAPTI_COLLECTION_OOR", [mapti(A, 0, 8200, 8)]],
    ["MAPTI_PHYSICALID_OOR", [mapti(A, 0, 8191)]],
    ["MAPTI_PHYSICALID_OOR", [mapti(A, 0, 0x1_0000)]],
    ["MAPI_PHYSICALID_OOR", [mapi(A, 0)]],
    ["MOVI_UNMAPPED_INTERRUPT", [movi(A, 0, 0)]],
    ["MOVI_UNMAPPED_COLLECTION", [movi(A, 1, 5)]],
    ["MOVI_UNMAPPED_COLLECTION", [mapti(A, 2, 8201, 7), movi(A, 2, 0)]],
    ["INT_UNMAPPED_INTERRUPT", [event("INT", A, 0)]],
    ["CLEAR_UNMAPPED_DEVICE", [event("CLEAR", 0x30, 0)]],
    ["INV_UNMAPPED_INTERRUPT", [event("INV", A, 3)]],
    ["DISCARD_ID_OOR", [event("DISCARD", A, 4)]],
    ["INVALL_UNMAPPED_COLLECTION", [invall(5)]],
    ["MOVALL_PROCNUM_OOR", [movall(0, 4)]],
    ["UNKNOWN_COMMAND", [Command.encode({ Op: 0x55n })]],
  ])("%s leaves everything as it was", (name, commands) => {
    const start = after([...two, ...commands.slice(0, -1)], emptyIts({ ...limits, collections: 8 }));
    const result = executeCommand(start, commands.at(-1)!);
    expect(result).toMatchObject({ result: "error", error: name });
    expect(result.state).toBe(start);
  });
  it("of GICv4 are not modelled, and say so", () => {
    expect(executeCommand(after(two), Command.encode({ Op: 0x2an }))).toMatchObject({ result: "unsupported", why: "VMAPTI is a command of GICv4, whose virtual interrupts are not modelled" });
  });
  it("that map an event twice are unpredictable; the new mapping is taken", () => {
    const commands = [...two, mapti(A, 1, 8400)];
    expect(answers(commands).at(-1)).toBe("unpredictable");
    expect(signal(after(commands), A, 1)).toBe("LPI 8400 at 0");
  });
  it("that unmap a collection in use are unpredictable; nothing comes through until it is mapped again", () => {
    const commands = [...two, mapc(0, 0, false)];
    expect(answers(commands).at(-1)).toBe("unpredictable");
    expect(signal(after(commands), A, 1)).toBe("dropped");
  });
});

describe("tables are the ITS's own memory", () => {
  it("two devices with one table, or tables that overlap, are not answered for", () => {
    for (const itt of [ITT_A, ITT_A + 0x100n]) {
      const commands = [mapc(0, 0), mapd(A, ITT_A, 5), mapti(A, 1, 8200), mapd(B, itt, 5)];
      expect(answers(commands).at(-1)).toBe("unpredictable");
      const state = after(commands);
      expect([signal(state, A, 1), signal(state, B, 1)]).toEqual(["unspecified", "unspecified"]);
      expect(overlappingTables(state)).toEqual([[A, B]]);
    }
  });
  it("tables that touch do not overlap", () => {
    const end = ittRange(limits, { itt: ITT_A, eventIdBits: 6 }).end;
    expect(end).toBe(ITT_A + 0x300n);
    expect(answers([mapd(A, ITT_A, 6), mapd(B, end, 6)])).toEqual(["done", "done"]);
  });
  it("memory that was a table may hold old entries until it is zeroed: given again as it is, it is not answered for", () => {
    const freed = after([...two, event("DISCARD", A, 1), mapd(A, ITT_A, 2, false)]);
    const reused = executeCommand(freed, mapd(B, ITT_A, 2));
    expect(reused.result).toBe("unpredictable");
    expect(signal(reused.state, B, 1)).toBe("unspecified");
    const clean = executeCommand(zeroed(freed, { first: ITT_A, end: ITT_A + 0x30n }), mapd(B, ITT_A, 2));
    expect(clean.result).toBe("done");
    expect(signal(clean.state, B, 1)).toBe("dropped");
    expect(executeCommand(zeroed(freed, { first: ITT_A, end: ITT_A + 0x2fn }), mapd(B, ITT_A, 2)).result).toBe("unpredictable");
  });
  it("what a device still uses stays used, whatever software stores there", () => {
    const state = zeroed(after(two), { first: 0n, end: 1n << 52n });
    expect(executeCommand(executeCommand(state, event("DISCARD", A, 1)).state, mapd(A, ITT_A, 2)).result).toBe("unpredictable");
  });
  it("one LPI mapped by two devices lets each pose as the other, and is told", () => {
    expect([...sharedInterrupts(after([...two, mapti(A, 2, 8300)]))]).toEqual([[8300, [B, A].toSorted((a, b) => a - b)]]);
    expect(sharedInterrupts(after([...two, mapti(A, 2, 8200)])).size).toBe(0);
  });
});

/** Small numbers, so that commands meet; and now and then one beyond every limit. */
const devices = [A, B, 0x30];
const deviceIds = fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...devices) }, { weight: 1, arbitrary: fc.constant(0x1_0000) });
const eventIds = fc.nat({ max: 5 });
const intids = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 8192, max: 8199 }) }, { weight: 1, arbitrary: fc.constantFrom(8191, 0x1_0000) });
const icids = fc.nat({ max: 3 });
/** A table of the device's own: 4 KiB apart, so that up to 8 EventID bits stay apart. */
const ownItt = (deviceId: number, which: number): bigint => 0x4800_0000n + (BigInt(deviceId) << 16n) + BigInt(which) * 0x1000n;
const commandOf = (device: fc.Arbitrary<number>): fc.Arbitrary<ItsCommand> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.tuple(device, fc.nat({ max: 1 }), fc.integer({ min: 1, max: 3 }), fc.boolean()).map(([deviceId, which, bits, valid]) => mapd(deviceId, ownItt(deviceId, which), bits, valid)) },
    { weight: 4, arbitrary: fc.tuple(device, eventIds, intids, icids).map(([deviceId, eventId, intid, icid]) => mapti(deviceId, eventId, intid, icid)) },
    { weight: 1, arbitrary: fc.tuple(device, eventIds, icids).map(([deviceId, eventId, icid]) => mapi(deviceId, eventId, icid)) },
    { weight: 1, arbitrary: fc.tuple(device, eventIds, icids).map(([deviceId, eventId, icid]) => movi(deviceId, eventId, icid)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("INV", "INT", "CLEAR", "DISCARD"), device, eventIds).map(([name, deviceId, eventId]) => event(name, deviceId, eventId)) },
  );
const collectionCommand = fc.oneof(
  fc.tuple(icids, fc.nat({ max: 4 }), fc.boolean()).map(([icid, target, valid]) => mapc(icid, target, valid)),
  icids.map(invall),
  fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })).map(([from, to]) => movall(from, to)),
  fc.constant(sync()),
);
const anyCommand = fc.oneof({ weight: 4, arbitrary: commandOf(deviceIds) }, { weight: 1, arbitrary: collectionCommand });
const rawCommand = fc.tuple(...Array.from({ length: 4 }, () => fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })));
/** Most begin with collections and tables, so that what follows meets them. */
const begun: readonly ItsCommand[] = [mapc(0, 0), mapc(1, 1), mapc(2, 2), ...devices.map((deviceId) => mapd(deviceId, ownItt(deviceId, 0), 3))];
const history = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.array(anyCommand, { maxLength: 60, size: "max" })).map(([skip, commands]) => [...(skip === 0 ? [] : begun), ...commands]);

describe("for every sequence of commands", () => {
  it("commands that name one device change nothing that another's signals become, while their tables are apart", () => {
    let interrupts = 0;
    fc.assert(
      fc.property(history, fc.array(commandOf(fc.constant(A)), { minLength: 1, maxLength: 20, size: "max" }), (before, ofA) => {
        const state = after(before);
        const changed = after(ofA, state);
        for (const other of [B, 0x30])
          for (let eventId = 0; eventId < 9; eventId++) {
            const delivery = deliver(state, { deviceId: other, eventId });
            interrupts += Number(delivery.result === "interrupt");
            expect(deliver(changed, { deviceId: other, eventId })).toEqual(delivery);
          }
      }),
      { numRuns: 300 },
    );
    expect(interrupts).toBeGreaterThan(100);
  });
  it("no signal becomes an interrupt but by a MAPTI or MAPI that names its DeviceID, its EventID and that LPI", () => {
    let interrupts = 0;
    fc.assert(
      fc.property(history, (commands) => {
        const state = after(commands);
        for (const deviceId of devices)
          for (let eventId = 0; eventId < 9; eventId++) {
            const delivery = deliver(state, { deviceId, eventId });
            if (delivery.result !== "interrupt") continue;
            interrupts++;
            const mapped = commands.some((words) => {
              const name = commandName(words);
              if (name !== "MAPTI" && name !== "MAPI") return false;
              const { DeviceID, EventID, pINTID } = CommandMapti.decode(words);
              return Number(DeviceID) === deviceId && Number(EventID) === eventId && Number(name === "MAPTI" ? pINTID : EventID) === delivery.intid;
            });
            expect(mapped).toBe(true);
          }
      }),
      { numRuns: 300 },
    );
    expect(interrupts).toBeGreaterThan(100);
  });
  it("a refused command is as if it had not been sent, and an unmapped device signals nothing", () => {
    fc.assert(
      fc.property(history, (commands) => {
        const { state, results } = executeCommands(emptyIts(limits), commands);
        const kept = commands.filter((_, at) => results[at]!.result !== "error");
        expect(after(kept)).toEqual(state);
        const unmapped = after([mapd(A, ITT_A, 1, false)], state);
        for (let eventId = 0; eventId < 9; eventId++) expect(signal(unmapped, A, eventId)).toBe("dropped");
      }),
      { numRuns: 200 },
    );
  });
  it("any four words are answered, tables that overlap are told, and nobody is answered for in them", () => {
    const anywhere = fc.tuple(fc.constantFrom(A, B, 0x30), fc.nat({ max: 24 }), fc.integer({ min: 1, max: 6 })).map(([deviceId, slot, bits]) => mapd(deviceId, 0x4800_0000n + BigInt(slot) * 0x100n, bits));
    fc.assert(
      fc.property(fc.array(fc.oneof(anywhere, anyCommand, rawCommand), { maxLength: 40 }), (commands) => {
        const state = after([mapc(0, 0), ...commands]);
        const ranges = [...state.devices].map(([deviceId, device]) => [deviceId, ittRange(limits, device)] as const);
        const touching = ranges.filter(([deviceId, range]) => ranges.some(([other, at]) => other !== deviceId && overlap(range, at))).map(([deviceId]) => deviceId);
        expect(overlappingTables(state).length > 0).toBe(touching.length > 0);
        for (const deviceId of touching) expect(signal(state, deviceId, 0)).toBe("unspecified");
      }),
      { numRuns: 300 },
    );
  });
  it("MAPD gives 2^bits EventIDs, whatever was there before", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 16 }), (commands, bits) => {
        const words = mapd(A, 0x5000_0000n, bits);
        expect(CommandMapd.get(words, "Size")).toBe(BigInt(bits - 1));
        const state = after([...commands, words, mapc(0, 0), mapti(A, 2 ** bits - 1, 8200)]);
        expect([signal(state, A, 2 ** bits - 1), signal(state, A, 2 ** bits)]).toEqual(["LPI 8200 at 0", "dropped"]);
        expect(state.devices.get(A)!.events.size).toBe(1);
      }),
      { numRuns: 100 },
    );
  });
});
