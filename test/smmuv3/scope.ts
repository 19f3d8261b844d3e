/** A small scope for laws: four streams, two VMIDs, six table pages with two entries each, two data pages. */
import fc from "fast-check";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Step } from "../../src/base/step.ts";
import { boot, cfgiAll, cfgiRange, cfgiSte, register, store, STREAM_TABLE, stage2Ste, sync, tlbiAll, tlbiIpa, tlbiVmid } from "./fixture.ts";

export const SIDS = [0, 1, 2, 3] as const;
const TABLES = [0, 1, 2, 3, 4, 5].map((table) => 0x5000_0000n + BigInt(table) * 0x1000n);
const DATA = [0x6000_0000n, 0x7fc0_0000n];
/** One address below each pair of entries at the three levels. */
export const scopePages: readonly bigint[] = [0n, 1n].flatMap((one) => [0n, 1n].flatMap((two) => [0n, 1n].map((three) => (one << 30n) | (two << 21n) | (three << 12n))));

const table = fc.constantFrom(...TABLES);
const leaf = fc.record({ pa: fc.constantFrom(...DATA), type: fc.constantFrom(1n, 3n), rights: fc.constantFrom(0x40n, 0xc0n, 0n), flag: fc.constantFrom(0x400n, 0x400n, 0x400n, 0n) });
const descriptor: fc.Arbitrary<bigint> = fc.oneof(
  fc.constant(0n),
  { weight: 3, arbitrary: table.map((next) => next | 3n) },
  { weight: 3, arbitrary: leaf.map(({ pa, type, rights, flag }) => pa | type | rights | flag) },
);
const entryStore = fc.record({ page: table, index: fc.nat({ max: 1 }), value: descriptor }).map(({ page, index, value }) => store(page + BigInt(index * 8), value));

/** Streams use the first two pages as roots, under two VMIDs, from level 1 or 2. */
const ste = fc
  .record({ root: fc.constantFrom(TABLES[0]!, TABLES[1]!), vmid: fc.constantFrom(1n, 2n), level: fc.constantFrom(1n, 1n, 0n) })
  .map(({ root, vmid, level }) => stage2Ste({ S2TTB: root, S2VMID: vmid, S2SL0: level, S2T0SZ: level === 1n ? 25n : 34n }));
const others = [Ste.encode({ V: 1n, Config: "abort" }), Ste.encode({ V: 1n, Config: "bypass" }), Ste.encode({})];
const steStore = fc
  .record({ sid: fc.constantFrom(...SIDS), words: fc.oneof({ weight: 3, arbitrary: ste }, fc.constantFrom(...others)), word: fc.constantFrom(0, 2, 3) })
  .map(({ sid, words, word }) => store(STREAM_TABLE + BigInt(sid * 64 + word * 8), words[word]!));
/** All words of an entry, so that complete ones are common. */
const wholeSte = fc.record({ sid: fc.constantFrom(...SIDS), words: ste }).map(({ sid, words }) => [2, 3, 0].map((word) => store(STREAM_TABLE + BigInt(sid * 64 + word * 8), words[word]!)));

const address = fc.constantFrom(...scopePages);
const invalidation: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom(...SIDS).map(cfgiSte),
  fc.constantFrom(cfgiAll, tlbiAll, cfgiRange(2, 0n)),
  fc.constantFrom(1, 2).map(tlbiVmid),
  fc.record({ vmid: fc.constantFrom(1, 2), at: address, leaf: fc.constantFrom(0n, 1n) }).map(({ vmid, at, leaf: Leaf }) => tlbiIpa(vmid, at, { Leaf })),
  fc.record({ vmid: fc.constantFrom(1, 2), at: address, num: fc.constantFrom(0n, 1n, 31n), level: fc.constantFrom(0n, 2n, 3n) }).map(({ vmid, at, num, level }) => tlbiIpa(vmid, at, { TG: "4K", Num: num, Scale: 4n, TTL: level })),
);

/** One step that a kernel might give, right or wrong. */
export const anyStep: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 5, arbitrary: entryStore.map((step) => [step]) },
  { weight: 2, arbitrary: steStore.map((step) => [step]) },
  { weight: 2, arbitrary: wholeSte },
  { weight: 3, arbitrary: invalidation.map((step) => [step]) },
  { weight: 2, arbitrary: fc.constant([sync]) },
  { weight: 1, arbitrary: fc.constantFrom([register(offsets.CR0, 0n)], [register(offsets.CR0, 1n)], [register(offsets.CR0, 1n)]) },
);

/**
 * A booted machine with something in every table: mostly roots above level-2 tables above leaves, each stream translating.
 * The tables are stored before SMMUEN or after it.
 */
export const populated: fc.Arbitrary<readonly Step[]> = fc
  .record({ next: fc.array(fc.nat({ max: 3 }), { minLength: 8, maxLength: 8 }), leaves: fc.array(leaf, { minLength: 4, maxLength: 4 }), stes: fc.tuple(ste, ste, ste, ste), late: fc.boolean() })
  .map(({ next, leaves, stes, late }) => {
    const below = next.map((choice, at) => store(TABLES[at >> 1]! + BigInt((at & 1) * 8), (TABLES[(at < 4 ? 2 : 4) + (choice % 2)]! | 3n) * BigInt(choice > 0)));
    const pages = leaves.map(({ pa, rights, flag }, at) => store(TABLES[4 + (at >> 1)]! + BigInt((at & 1) * 8), pa | 3n | rights | flag));
    const entries = stes.flatMap((words, sid) => [2, 3, 0].map((word) => store(STREAM_TABLE + BigInt(sid * 64 + word * 8), words[word]!)));
    const booted = boot(2);
    return late ? [...booted, ...below, ...pages, ...entries] : [...booted.slice(0, -1), ...below, ...pages, ...entries, ...booted.slice(-1)];
  });

/** Such a machine, and then up to `length` steps. */
export const program = (length: number): fc.Arbitrary<readonly Step[]> =>
  fc.tuple(populated, fc.array(anyStep, { maxLength: length })).map(([start, steps]) => [...start, ...steps.flat()]);
