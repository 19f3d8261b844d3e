/** What a scene's streams are made of, as it grows in memory: entries, context descriptors, and the tables of transactions. */
import fc from "fast-check";
import { Cd } from "../../../specs/smmuv3/cd.ts";
import { Ste } from "../../../specs/smmuv3/ste.ts";
import type { Access, Transaction } from "../../../src/base/transaction.ts";
import { iova, streamId } from "../../../src/base/words.ts";
import { always, bitsOf, flag, MOST, oneOf, often, weighted, word } from "./choosing.ts";
import { contextChoice, contextWords, firstRegime } from "./context.ts";
import { contextPointer, entryChoice, entryWords, secondRegime, stagesOf } from "./entry.ts";
import { CONTEXTS, DATA, ELSEWHERE, GUEST, GUEST_TABLES, HOST_TABLES, isScenes, SIDS, TABLE_SPACING } from "./places.ts";
import { dataWay, elsewhere, firstWay, lay, structureWay, type Way } from "./tables.ts";

export const streamChoice = fc.record({
  entry: entryChoice,
  context: contextChoice,
  /** What the stream has in common with the first one. */
  same: weighted<"nothing" | "context" | "entry">([3, always("nothing")], [1, always("context")], [1, always("entry")]),
  /** How far IPAs are from what they stand for: one that fits stage 2's input, as a rule. */
  distance: fc.nat(11),
  misfit: flag(20),
});
export type StreamChoice = typeof streamChoice extends fc.Arbitrary<infer S> ? S : never;

type Where = "inside" | "last" | "zero" | "beyond" | "wrong half" | "any" | "beyond OAS";
export const transactionChoice = fc.record({
  stream: fc.nat(2),
  op: oneOf<Access>("read", "write"),
  upper: flag(2),
  where: weighted<Where>([10, always("inside")], [2, oneOf<Where>("last", "zero")], [2, oneOf<Where>("beyond", "wrong half", "any", "beyond OAS")]),
  bits: word,
  /** The top byte is another. */
  tag: often(4, always(0n), fc.bigInt(0n, 0xffn)),
  offset: fc.oneof(oneOf(0n, 0xffcn), fc.bigInt(0n, 0x3ffn).map((at) => at * 4n)),
  first: firstWay,
  data: dataWay,
  structures: fc.array(structureWay, { minLength: 6, maxLength: 6 }),
  elsewhere,
  page: fc.nat(Number(DATA.size >> 12n) - 1),
  page2: fc.nat(Number(DATA.size >> 12n) - 1),
});
export type TransactionChoice = typeof transactionChoice extends fc.Arbitrary<infer T> ? T : never;

export interface Stream {
  readonly sid: number;
  readonly entry: readonly bigint[];
  readonly context: readonly bigint[];
  /** An IPA is this much above what it stands for. */
  readonly distance: bigint;
}
/** A transaction with what commands may name of it. */
export interface Meant {
  readonly transaction: Transaction;
  readonly vmid: bigint;
  readonly asid: bigint;
  /** The IPA that it comes to, where both stages translate; else its own address. */
  readonly ipa: bigint;
}

/** Memory as a scene grows. Stores outside of what is a scene's are dropped. */
export const createMemory = () => {
  const words = new Map<bigint, bigint>();
  const used = { guest: 0, host: 0 };
  return {
    words,
    store: (at: bigint, value: bigint): void => void (isScenes(at) && at % 8n === 0n && words.set(at, value & MOST)),
    guestTable: (): bigint => GUEST_TABLES.addr + BigInt(used.guest++ % GUEST_TABLES.count) * TABLE_SPACING,
    hostTable: (): bigint => HOST_TABLES.addr + BigInt(used.host++ % HOST_TABLES.count) * TABLE_SPACING,
    /** Room for 16 tables side by side, aligned to them all. */
    hostRoot: (): bigint => {
      used.host = Math.ceil(used.host / 16) * 16;
      const root = HOST_TABLES.addr + BigInt(used.host % HOST_TABLES.count) * TABLE_SPACING;
      used.host += 16;
      return root;
    },
  };
};
export type Memory = ReturnType<typeof createMemory>;

const DISTANCES = [0n, -GUEST, -0x4000_0000n, 1n << 32n, 1n << 36n, (1n << 39n) - 0x4000_0000n] as const;
const distanceOf = ({ distance, misfit }: StreamChoice, entry: readonly bigint[]): bigint => {
  if (!stagesOf(entry).second) return 0n;
  const reach = 1n << BigInt(secondRegime(entry).inputBits);
  const fitting = misfit ? DISTANCES : DISTANCES.filter((each) => DATA.addr + DATA.size + each <= reach);
  return (fitting.length > 0 ? fitting : DISTANCES)[distance % Math.max(fitting.length, 1)]!;
};

/** Makes a stream: its words, with pointers to where they are. The entry itself is the caller's to store. */
export const makeStream = (memory: Memory, choice: StreamChoice, at: number, first: Stream | undefined): Stream => {
  const sid = SIDS[at]!;
  if (first !== undefined && choice.same === "entry") return { ...first, sid };
  const root = memory.hostRoot();
  const place = CONTEXTS + BigInt(at) * 0x1000n + (choice.distance % 3 === 0 ? 0n : BigInt(choice.distance) * 64n);
  // What the pointers are depends on the distance, which depends on the entry's stage 2.
  const distance = distanceOf(choice, entryWords(choice.entry, root, 0n));
  if (first !== undefined && choice.same === "context") {
    const entry = entryWords(choice.entry, root, contextPointer(first.entry) - first.distance + distance < 0n ? 0n : (contextPointer(first.entry) - first.distance + distance) & ((1n << 52n) - 1n));
    return { sid, entry, context: first.context, distance };
  }
  const roots = [memory.guestTable() + distance, memory.guestTable() + distance] as const;
  const context = contextWords(choice.context, [roots[0], roots[1]]);
  for (const [index, value] of context.entries()) memory.store(place + BigInt(index * 8), value);
  return { sid, entry: entryWords(choice.entry, root, place + distance), context, distance };
};

const below = (bits: number | bigint): bigint => (1n << BigInt(bits)) - 1n;
const addressOf = ({ where, bits, upper, tag, offset }: TransactionChoice, inputBits: number, halves: boolean): bigint => {
  const size = 1n << BigInt(inputBits);
  const within = { inside: bits & (size - 1n), last: size - 1n, zero: 0n, beyond: size, "wrong half": size | (bits & (size - 1n)) | (1n << 55n), any: bits, "beyond OAS": 1n << 44n }[where];
  const extended = halves && upper && where !== "any" ? within | (MOST & ~(size - 1n)) : within;
  const tagged = halves ? extended ^ (tag << 56n) : extended;
  return ((tagged & ~0xfffn) | offset) & MOST;
};

/** Writes what leads an IPA to its place through a stream's stage 2. */
const laySecond = (memory: Memory, stream: Stream, ipa: bigint, target: bigint, way: Way): bigint | undefined => {
  const regime = secondRegime(stream.entry);
  if (ipa >> BigInt(regime.inputBits) !== 0n) return undefined;
  return lay(regime, ipa, target, way, {
    stage: 2,
    next: memory.hostTable,
    peek: (entry) => memory.words.get(entry),
    write: (entry, value, others) => {
      for (const other of others) if (!memory.words.has(other)) memory.store(other, value ^ 1n);
      memory.store(entry, value);
    },
  });
};

/** Writes what leads an address through a stream's stage 1, and what stage 2 makes of all that is read on the way. */
const layFirst = (memory: Memory, stream: Stream, choice: TransactionChoice, address: bigint, which: 0 | 1): bigint | undefined => {
  const { entry, distance } = stream;
  const { second } = stagesOf(entry);
  const page = BigInt(secondRegime(entry).granule);
  const moved = new Set<bigint>();
  const mapped = new Set<bigint>();
  let structures = 0;
  const reach = (ipa: bigint, away = false): void => {
    if (!second || mapped.has(ipa >> page)) return;
    mapped.add(ipa >> page);
    if (away) moved.add(ipa >> page);
    laySecond(memory, stream, ipa, ipa - distance + (away ? ELSEWHERE : 0n), choice.structures[structures++ % choice.structures.length]!);
  };
  reach(contextPointer(entry));
  for (const half of [0, 1] as const) if (bitsOf(Cd, stream.context, `EPD${half}`) === 0n) reach(firstRegime(stream.context, half).root);
  const target = DATA.addr + BigInt(choice.page) * 0x1000n + distance;
  const store = (at: bigint, value: bigint): void => {
    if (moved.has(at >> page)) {
      memory.store(at - distance + ELSEWHERE, value);
      memory.store(at - distance, value ^ 0x1_0000n);
    } else memory.store(at - distance, value);
  };
  const output = lay(firstRegime(stream.context, which), address, target, choice.first, {
    stage: 1,
    next: () => memory.guestTable() + distance,
    peek: (at) => memory.words.get(at - distance + (moved.has(at >> page) ? ELSEWHERE : 0n)),
    write: (at, value, others) => {
      for (const other of others) if (!memory.words.has(other - distance)) store(other, value ^ 1n);
      store(at, value);
    },
    fetched: (table, at) => {
      reach(table);
      reach(at, choice.elsewhere && table >> page !== at >> page);
    },
  });
  if (second && output !== undefined) laySecond(memory, stream, output, DATA.addr + BigInt(choice.page2) * 0x1000n, choice.data);
  return output;
};

/** A transaction of one of the streams, and its tables. */
export const makeTransaction = (memory: Memory, streams: readonly Stream[], choice: TransactionChoice): Meant => {
  const stream = streams[choice.stream % streams.length]!;
  const { first, second } = stagesOf(stream.entry);
  const which = choice.upper ? 1 : 0;
  const regime = first ? firstRegime(stream.context, which) : secondRegime(stream.entry);
  const address = addressOf(choice, first || second ? regime.inputBits : 32, first);
  const ipa = first ? layFirst(memory, stream, choice, address, which) : undefined;
  if (!first && second) laySecond(memory, stream, address, DATA.addr + BigInt(choice.page) * 0x1000n, choice.data);
  return {
    transaction: { sid: streamId(stream.sid), op: choice.op, iova: iova(address), size: 4 },
    vmid: bitsOf(Ste, stream.entry, "S2VMID"),
    asid: bitsOf(Cd, stream.context, "ASID"),
    ipa: (ipa ?? address) & below(52),
  };
};
