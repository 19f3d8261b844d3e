/**
 * Whole configurations for both machines: registers, one stream table entry made from the layout's own fields, and
 * tables along the paths of the transactions. Values sit on boundaries, and most configurations are almost legal.
 */
import fc from "fast-check";
import { LeafDescriptor } from "../../specs/smmuv3/stage2.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Access } from "../../src/base/transaction.ts";
import { type Asked, type MachineConfiguration, SID } from "./smmu.ts";

export interface Scene {
  readonly configuration: MachineConfiguration;
  readonly transactions: readonly Asked[];
}

const STREAM_TABLE = 0x4200_0000n;
const TABLES = 0x4400_0000n;
const TABLE_PAGES = 24;
/** Where leaves point, if not beside memory. */
export const DATA = { addr: 0x4600_0000n, size: 0x0400_0000n };
/** Physical addresses where nothing answers, just beyond each output size. */
const HOLES = [1n << 32n, 1n << 36n, 1n << 40n, 1n << 42n, 1n << 43n, 1n << 44n, 1n << 47n];

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const often = <T>(weight: number, usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: rare });

const always = (value: bigint): fc.Arbitrary<bigint> => fc.constant(value);
const hole = oneOf(...HOLES);
const data = fc.nat(Number(DATA.size >> 12n) - 1).map((page) => DATA.addr + (BigInt(page) << 12n));
const table = fc.nat(TABLE_PAGES - 1).map((page) => TABLES + (BigInt(page) << 12n));

// Stream table entries: legal pairs of S2SL0 and S2T0SZ, then up to two fields changed to a boundary of their width.

const inputSizes: fc.Arbitrary<[bigint, bigint]> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(always(0n), fc.bigInt(30n, 39n)) },
  { weight: 3, arbitrary: fc.tuple(always(1n), fc.bigInt(21n, 33n)) },
  { weight: 3, arbitrary: fc.tuple(always(2n), fc.bigInt(19n, 24n)) },
  // Roots of two and four entries, and anything.
  { weight: 2, arbitrary: oneOf<[bigint, bigint]>([1n, 32n], [1n, 33n], [2n, 23n], [2n, 24n]) },
  { weight: 2, arbitrary: fc.tuple(fc.bigInt(0n, 3n), fc.bigInt(15n, 40n)) },
);
const fieldNames = Object.keys(Ste.fields) as (keyof typeof Ste.fields)[];
const MOST = (1n << 64n) - 1n;
const change = fc.record({ field: oneOf(...fieldNames), to: fc.oneof(oneOf(0n, 1n, MOST), fc.bigInt(0n, MOST)) });

/** A field of a word set to a value, cut to its width. */
const put = (words: bigint[], name: keyof typeof Ste.fields, value: bigint): void => {
  const { at, ...spec } = Ste.fields[name];
  const word = "word" in spec ? spec.word : 0;
  const mask = ((1n << BigInt(at[0] - at[1] + 1)) - 1n) << BigInt(at[1]);
  words[word] = (words[word]! & ~mask) | ((value << BigInt(at[1])) & mask);
};

const entry = fc
  .record({
    valid: often(15, always(1n), always(0n)),
    config: fc.oneof({ weight: 10, arbitrary: always(6n) }, { weight: 1, arbitrary: always(4n) }, { weight: 1, arbitrary: fc.bigInt(0n, 3n) }, { weight: 1, arbitrary: oneOf(5n, 7n) }),
    inputSize: inputSizes,
    outputSize: often(3, always(4n), fc.bigInt(0n, 7n)),
    vmid: fc.bigInt(0n, 0xffffn),
    root: often(4, table, fc.oneof(hole, fc.tuple(table, fc.bigInt(1n, 0xffn)).map(([page, at]) => page | (at << 4n)), always(0xff_ffff_ffff_f000n), fc.bigInt(0n, 3n).map((at) => (1n << (48n + at)) | TABLES))),
    records: often(4, always(1n), always(0n)),
    accessFlagOff: often(4, always(0n), always(1n)),
    changes: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: fc.array(change, { maxLength: 2 }) }),
    // Bits of the entry that no field names, and fields that stage 2 ignores.
    noise: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(fc.record({ word: fc.nat(7), bit: fc.bigInt(0n, 63n) }), { maxLength: 2 })),
  })
  .map(({ valid, config, inputSize: [start, size], outputSize, vmid, root, records, accessFlagOff, changes, noise }) => {
    const words = Array.from({ length: Ste.words }, () => 0n);
    const fields = { V: valid, Config: config, S2VMID: vmid, S2T0SZ: size, S2SL0: start, S2PS: outputSize, S2AA64: 1n, S2R: records, S2AFFD: accessFlagOff, S2TTB: root >> 4n } as const;
    for (const [name, value] of Object.entries(fields)) put(words, name as keyof typeof fields, value);
    for (const { word, bit } of noise) words[word]! ^= 1n << bit;
    for (const { field, to } of changes) put(words, field, to);
    // QEMU 10.0 ends itself on S2AA64=0 with stage 2 on, and on some CDs: no AArch32 tables, and no CD that is valid.
    if ((words[0]! & 4n) !== 0n) put(words, "S2AA64", 1n);
    if ((words[0]! & 2n) !== 0n) put(words, "S1ContextPtr", 0n);
    // Nor a root in the window of PCIe at 512 GiB or the devices below it, which answer.
    words[3]! &= ~(3n << 38n);
    return words;
  });

// Descriptors: what stands at each level along the path of a transaction.

const attributes = fc.record({
  access: often(3, always(3n), fc.bigInt(0n, 3n)),
  accessed: often(6, always(1n), always(0n)),
  memory: fc.bigInt(0n, 15n),
  shareability: fc.bigInt(0n, 3n),
  executeNever: fc.bigInt(0n, 3n),
  contiguous: often(6, always(0n), always(1n)),
  /** Bits for software and hardware that no walk looks at. */
  upper: often(4, always(0n), fc.bigInt(0n, 0x1ffn)),
});
const descriptor = fc.record({
  /** Bits 1:0 above level 3 and at level 3. */
  type: fc.oneof({ weight: 12, arbitrary: always(3n) }, { weight: 3, arbitrary: always(1n) }, { weight: 1, arbitrary: oneOf(0n, 2n) }),
  lastType: often(6, always(3n), fc.bigInt(0n, 2n)),
  next: often(14, table, fc.oneof(hole, table.map((page) => page | (1n << 44n)), table.map((page) => page | (1n << 36n)))),
  target: often(5, data, fc.oneof(hole, data.map((page) => page | (1n << 33n)), data.map((page) => page | (1n << 45n)))),
  attributes,
});
type DescriptorChoice = typeof descriptor extends fc.Arbitrary<infer D> ? D : never;

const descriptorWord = ({ type, lastType, next, target, attributes: a }: DescriptorChoice, level: number): bigint => {
  const bits = level === 3 ? lastType : type;
  if (bits === 3n && level < 3) return next | 3n;
  const rest = LeafDescriptor.encode({ S2AP: a.access, AF: a.accessed, MemAttr: a.memory, SH: a.shareability, XN: a.executeNever, Contiguous: a.contiguous });
  return target | rest[0]! | (a.upper << 55n) | bits;
};

// Transactions: addresses near the ends of the input range, and their paths.

type Where = "inside" | "last" | "beyond" | "zero" | "upper half" | "any" | "beyond OAS";
const path = fc.record({
  op: oneOf<Access>("read", "write"),
  where: fc.oneof({ weight: 6, arbitrary: oneOf<Where>("inside") }, { weight: 2, arbitrary: oneOf<Where>("last", "beyond", "zero", "upper half") }, { weight: 1, arbitrary: oneOf<Where>("any", "beyond OAS") }),
  bits: fc.bigInt(0n, MOST),
  offset: fc.oneof(oneOf(0n, 0xffcn), fc.bigInt(0n, 0x3ffn).map((at) => at * 4n)),
  /** Which reading of the root's base the descriptor is for: S2TTB as it stands, or aligned. */
  asGiven: fc.boolean(),
  levels: fc.tuple(descriptor, descriptor, descriptor, descriptor),
});
type Path = typeof path extends fc.Arbitrary<infer P> ? P : never;

const addressOf = ({ where, bits, offset }: Path, inputBits: bigint): bigint => {
  const size = 1n << inputBits;
  const within = { inside: bits & (size - 1n), last: size - 1n, beyond: size, zero: 0n, "upper half": size / 2n, any: bits, "beyond OAS": 1n << 44n }[where];
  return (within & ~0xfffn) | offset;
};

/** Where the descriptor of a root may be looked for, under every reading of its alignment and of the index. */
const rootPlaces = (words: readonly bigint[], index: bigint, asGiven: boolean): bigint[] => {
  const base = words[3]! & 0xffff_ffff_fff0n;
  const bases = [base, base & ~0x3fn, base & ~0xfffn];
  return (asGiven ? bases : bases.toReversed()).flatMap((each) => [each + (index & 0x1fffn) * 8n, each + (index & 511n) * 8n]);
};

/** The descriptors of a path, by address. At places of the root other than the first one, the valid bit is the other way. */
const storesOf = (words: readonly bigint[], { levels, asGiven }: Path, iova: bigint): [bigint, bigint][] => {
  const stores: [bigint, bigint][] = [];
  const start = 2 - Number((words[2]! >> 38n) & 3n);
  let next = 0n;
  for (let level = Math.max(start, 0); level <= 3; level++) {
    const index = iova >> BigInt(12 + 9 * (3 - level));
    const value = descriptorWord(levels[level]!, level);
    const places = level === start ? new Set(rootPlaces(words, index, asGiven)) : [next + (index & 511n) * 8n];
    stores.push(...[...places].map((address, at): [bigint, bigint] => [address, at === 0 ? value : value ^ 1n]));
    if (level === 3 || (value & 3n) !== 3n) break;
    next = value & 0xffff_ffff_f000n;
  }
  // What lies outside the pool of tables is not memory to write to.
  return stores.filter(([address]) => address >= TABLES && address < DATA.addr);
};

const registers = fc.record({
  enabled: often(30, fc.constant<boolean>(true), fc.constant<boolean>(false)),
  gbpa: oneOf(0x1000, 0x10_1000),
  cr2: oneOf(0, 2),
  log2Size: fc.oneof({ weight: 10, arbitrary: fc.integer({ min: 6, max: 16 }) }, { weight: 1, arbitrary: oneOf(0, 5, 17, 18) }),
  /** Bytes, in table sizes over 16, by which the base is off its alignment. */
  misaligned: often(8, always(0n), fc.bigInt(1n, 15n)),
  reachable: often(40, fc.constant<boolean>(true), fc.constant<boolean>(false)),
});

/** Entries for every reading of a base that is not aligned: only that of the base as given is valid, or only that is not. */
const entryStores = (base: bigint, log2Size: number, words: readonly bigint[]): [bigint, bigint][] => {
  const size = 64n << BigInt(log2Size);
  const bases = [base, base & ~(size - 1n), base & ~(size / 2n - 1n), base & ~((64n << 16n) - 1n)];
  return [...new Set(bases)].flatMap((from, reading) => words.map((word, at): [bigint, bigint] => [from + BigInt(SID * 64 + at * 8), at === 0 && reading > 0 ? word ^ 1n : word]));
};

/** Configurations, each with one to three transactions of its stream. */
export const scene: fc.Arbitrary<Scene> = fc.record({ registers, words: entry, paths: fc.array(path, { minLength: 1, maxLength: 3 }) }).map(({ registers: r, words, paths }) => {
  const streamTable = r.reachable ? STREAM_TABLE + (((64n << BigInt(r.log2Size)) / 16n) * r.misaligned & ~63n) : 1n << 43n;
  const inputBits = 64n - ((words[2]! >> 32n) & 63n);
  const transactions = paths.map((each): Asked => ({ op: each.op, iova: addressOf(each, inputBits) & (MOST) }));
  const stores = new Map([...(r.reachable ? entryStores(streamTable, r.log2Size, words) : []), ...paths.flatMap((each, at) => storesOf(words, each, transactions[at]!.iova))]);
  return { configuration: { stores, enabled: r.enabled, gbpa: r.gbpa, cr2: r.cr2, streamTable, streamTableCfg: r.log2Size }, transactions };
});
