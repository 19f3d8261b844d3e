import { getHeapStatistics } from "node:v8";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Event, eventTypes } from "../../specs/smmuv3/event.ts";
import { iova, streamId } from "../../src/base/words.ts";
import type { Context } from "../../src/smmuv3/context.ts";
import { createImages, type Image } from "../../src/smmuv3/image.ts";
import { laneMemory } from "../../src/smmuv3/laneMemory.ts";
import { askedLanes, compileRegime } from "../../src/smmuv3/laneRegime.ts";
import { ANSWER_LANES, answer, NOT_HERE, TRANSLATED, walkLanes } from "../../src/smmuv3/laneWalk.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import type { Via } from "../../src/smmuv3/memory.ts";
import { type Asked, walkStage1, walkStage2 } from "../../src/smmuv3/walk.ts";
import { bigintWalk, type Regime, type Said } from "./bigintWalk.ts";
import { imageOf } from "./laneTables.ts";
import { LINUX_SID, linuxMachine, linuxPages } from "./linuxTables.ts";
import { asks, bigEndian, mappings, perturb, ramAround, regimes, sought, tablesOf, turned, updating } from "./walkCases.ts";

const { TT } = Event.fields.CLASS.is;
const into = new Int32Array(ANSWER_LANES);
const signed = (value: bigint): number => Number(BigInt.asIntN(32, value));
const word = (high: number, low: number): bigint => (BigInt(into[high]! >>> 0) << 32n) | BigInt(into[low]! >>> 0);
/** A walk by lanes, in the same words. */
const laneSays = (memory: ReturnType<typeof laneMemory>, regime: ReturnType<typeof compileRegime>, { stage2 }: Regime, address: bigint, asked: Asked): Said => {
  into.fill(0x55);
  const fault = walkLanes(memory, regime, signed(address >> 32n), signed(address), askedLanes(asked), into);
  expect(into[answer.fault]).toBe(fault);
  if (fault === NOT_HERE) return { fault };
  const ipa = word(answer.ipaHigh, answer.ipaLow);
  if (fault === TRANSLATED) return { fault, pa: word(answer.paHigh, answer.paLow), size: into[answer.size]!, ...(stage2 === undefined ? {} : { ipa }) };
  const at = { stage: into[answer.stage]!, class: into[answer.class]! };
  const fetch = fault === eventTypes.F_WALK_EABT ? { fetch: word(answer.fetchHigh, answer.fetchLow) } : {};
  return { fault, ...at, ...(at.stage === 2 ? { ipa } : {}), ...fetch };
};

const READ: Asked = { op: "read" };
/** The descriptors that translate an address. */
const walkOf = (read: Image["read"], context: Context, address: bigint): readonly Via[] => walkStage1({ read, place: (addr) => ({ result: "at", addr }) }, context, address, READ).via;
describe("walks on lanes", () => {
  it.each(["s1", "s2", "nested"] as const)("translate every page that Linux mapped as a transaction is translated (%s)", (stages) => {
    const { settings, image, regime } = linuxMachine(stages);
    const [memory, compiled] = [laneMemory({ image }), compileRegime(regime)];
    for (const [address, page] of linuxPages) {
      const outcome = translate(reader({ image }), settings, { sid: streamId(LINUX_SID), op: "write", iova: iova(address + 0x123n), size: 4 });
      if (outcome.result !== "ok") throw new Error(`${address.toString(16)} is not translated`);
      const said = laneSays(memory, compiled, regime, address + 0x123n, { op: "write" });
      expect(said).toMatchObject({ fault: TRANSLATED, pa: outcome.pa, size: 12 });
      expect(stages === "nested" ? said.ipa : said.pa).toBe(page + 0x123n);
    }
  });
  it.each(["s1", "s2", "nested"] as const)("refuse what Linux did not map with the event of a transaction (%s)", (stages) => {
    const { settings, image, regime } = linuxMachine(stages);
    const [memory, compiled] = [laneMemory({ image }), compileRegime(regime)];
    for (const [address, instr] of [[0xfffd_f000n, false], [0n, false], [1n << 47n, false], [1n << 48n, false], [0xffff_f000n, true]] as const) {
      // Stage 2 has 44 bits of input here, and what is wider is refused before it is walked.
      if (stages === "s2" && address >> 44n !== 0n) continue;
      const outcome = translate(reader({ image }), settings, { sid: streamId(LINUX_SID), op: "read", iova: iova(address), size: 4, instr });
      if (outcome.result !== "abort") throw new Error(`${address.toString(16)} is translated`);
      const { fault, stage, class: of } = laneSays(memory, compiled, regime, address, { op: "read", instr });
      const { type, s2, class: told } = outcome.event!;
      expect([fault, stage, of]).toEqual([eventTypes[type as keyof typeof eventTypes], s2 === true ? 2 : 1, Event.fields.CLASS.is[told!]]);
    }
  });
  it.each([
    ["F_TRANSLATION", 0n],
    ["F_PERMISSION", 6n],
    ["F_ACCESS", 10n],
    ["F_ADDR_SIZE", 44n],
  ] as const)("tell a table of stage 1 that stage 2 refuses by the IPA of its entry: %s", (type, turn) => {
    const { settings, image, regime } = linuxMachine("nested");
    const { root } = regime.context!.halves[0]!;
    const found = walkStage2(image.read, regime.stage2!, root, READ);
    if (found.result !== "ok") throw new Error("the root is not mapped");
    const { addr, value } = found.leaf.via;
    const changed = createImages().store(image, addr, value ^ (1n << turn));
    const said = laneSays(laneMemory({ image: changed }), compileRegime(regime), regime, 0x1fffe_0000n, { op: "write" });
    expect(said).toEqual({ fault: eventTypes[type], stage: 2, class: TT, ipa: root });
    const outcome = translate(reader({ image: changed }), settings, { sid: streamId(LINUX_SID), op: "write", iova: iova(0x1fffe_0000n), size: 4 });
    expect(outcome).toMatchObject({ result: "abort", event: { type, s2: true, class: "TT", ipa: root } });
  });
  it("count a page that hardware would make writable as writable where that forbids execution, unless a table forbids writes", () => {
    const { image, regime } = linuxMachine("s1");
    const context = { ...regime.context!, setsAccessFlag: true, setsDirtyState: true, writableNeverExecutes: true };
    const via = walkOf(image.read, context, linuxPages[0]![0]);
    const [root, leaf] = [via[0], via.at(-1)];
    const clean = (leaf!.value & ~(1n << 6n)) | (1n << 7n) | (1n << 51n);
    for (const tableBits of [0n, 1n << 62n]) {
      const images = createImages();
      const changed = images.store(images.store(image, leaf!.addr, clean), root!.addr, root!.value | tableBits);
      const asked = { op: "read", priv: true, instr: true } as const;
      const said = laneSays(laneMemory({ image: changed }), compileRegime({ context }), { context }, linuxPages[0]![0], asked);
      expect(said).toEqual(bigintWalk(changed.read, { context }, linuxPages[0]![0], asked).said);
      expect(said.fault).toBe(tableBits === 0n ? eventTypes.F_PERMISSION : TRANSLATED);
    }
  });
  it("leave big-endian tables, and roots that are not aligned to their size, to the other walker", () => {
    const { image, regime } = linuxMachine("s2");
    const stage2 = regime.stage2!;
    for (const other of [{ ...stage2, bigEndian: true }, { ...stage2, root: stage2.root + 8n }]) expect(laneSays(laneMemory({ image }), compileRegime({ stage2: other }), { stage2: other }, 0xfffe_0000n, READ)).toEqual({ fault: NOT_HERE });
  });
  it("end at level 3 even where tables point at themselves", () => {
    const { regime } = linuxMachine("s1");
    const { root } = regime.context!.halves[0]!;
    const image = imageOf(new Map(Array.from({ length: 512 }, (_, at) => [root + BigInt(at * 8), root | 0x743n])));
    expect(laneSays(laneMemory({ image }), compileRegime(regime), regime, 0x1234_5678_9abcn, READ)).toEqual({ fault: TRANSLATED, pa: root | 0xabcn, size: 12 });
  });
  it("allocate nothing", () => {
    const machines = (["s1", "s2", "nested"] as const).map((stages) => linuxMachine(stages));
    const made = machines.map(({ image, regime }) => [laneMemory({ image }), compileRegime(regime)] as const);
    const lows = Int32Array.from(linuxPages, ([address]) => signed(address));
    /** Bytes of heap that `walks` walks of each machine took, garbage included. */
    const taken = (walks: number): number => {
      const before = getHeapStatistics().used_heap_size;
      for (const [memory, compiled] of made) for (let at = 0; at < walks; at++) walkLanes(memory, compiled, 0, lows[at % lows.length]!, at & 7, into);
      return getHeapStatistics().used_heap_size - before;
    };
    taken(200_000);
    // A collection in between makes one of them negative, so it is the middle one that counts.
    const grown = Array.from({ length: 41 }, () => taken(10_000)).toSorted((a, b) => a - b)[20]!;
    // The least that an object takes is 16 bytes; asking for the statistics takes some thousand.
    expect(grown).toBeGreaterThanOrEqual(0);
    expect(grown).toBeLessThan(10_000);
  });
});

const FAULTS = new Map<number, string>(Object.entries(eventTypes).map(([name, number]) => [number, name]));
const kindOf = ({ fault, stage, class: of }: Said): string => {
  if (fault === TRANSLATED || fault === NOT_HERE) return fault === TRANSLATED ? "translated" : "elsewhere";
  return `${FAULTS.get(fault)} ${stage} ${of === TT ? "TT" : "IN"}`;
};
/** Answers so common that some hundred runs without one of them would say that the generator is wrong. */
const walked = (stage: 1 | 2): string[] => ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"].map((fault) => `${fault} ${stage} IN`);
const COMMON = {
  stage1: ["F_WALK_EABT 1 TT", ...walked(1)],
  stage2: ["F_WALK_EABT 2 IN", ...walked(2)],
  nested: ["F_WALK_EABT 2 TT", "F_TRANSLATION 1 IN", "F_ACCESS 1 IN", "F_PERMISSION 1 IN", "F_TRANSLATION 2 TT", "F_PERMISSION 2 IN"],
};

describe.each(["stage1", "stage2", "nested"] as const)("the law of walks on lanes: %s", (kind) => {
  it("they answer as the walks of bigints do, and leave to those only what hardware writes or big-endian tables hold", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(
        regimes[kind],
        fc.array(mappings, { minLength: 1, maxLength: 5 }),
        fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(turned, { maxLength: 3 }) }),
        fc.array(asks, { minLength: 8, maxLength: 12 }),
        fc.nat({ max: 2000 }),
        (regime, mapped, turns, asking, hole) => {
          const words = tablesOf(regime, mapped);
          perturb(words, turns);
          const ram = hole % 12 < 2 ? ramAround(words, hole) : undefined;
          const partly = hole % 12 === 1;
          const snapshot = { image: imageOf(words), ...(ram === undefined ? {} : { ram }) };
          const [read, memory, compiled] = [reader(snapshot), laneMemory(snapshot), compileRegime(regime)];
          for (const { which, offset, spoiled, asked } of asking) {
            const address = sought(regime, mapped[which % mapped.length]!, spoiled) ^ offset;
            const { said, updates } = bigintWalk(read, regime, address, asked);
            const lanes = laneSays(memory, compiled, regime, address, asked);
            seen.set(kindOf(lanes), (seen.get(kindOf(lanes)) ?? 0) + 1);
            if (lanes.fault !== NOT_HERE) expect(lanes).toEqual(said);
            if (updates) expect(lanes.fault).toBe(NOT_HERE);
            if (lanes.fault === NOT_HERE && !bigEndian(regime) && !partly) {
              // Where hardware would write if the access were allowed, and it is not, either walker may say so.
              expect(updating(regime)).toBe(true);
              expect(updates || said.fault !== TRANSLATED).toBe(true);
            }
          }
        },
      ),
      { numRuns: 600 },
    );
    const least = kind === "nested" ? 0.1 : 0.2;
    const walks = [...seen.values()].reduce((sum, times) => sum + times, 0);
    expect(seen.get("translated")! / walks).toBeGreaterThan(least);
    expect([...seen.keys()]).toEqual(expect.arrayContaining([...COMMON[kind], "translated", "elsewhere"]));
  });
});
