/** What happens between transactions while caches are warm: stores to what was read, commands that name it or just miss it. */
import fc from "fast-check";
import { Command, CommandCfgi, CommandCfgiCd, CommandCfgiRange, CommandSync, CommandTlbi, type CommandName, opcodes } from "../../../specs/smmuv3/command.ts";
import { offsets } from "../../../specs/smmuv3/registers.ts";
import type { Access, Transaction } from "../../../src/base/transaction.ts";
import { iova, streamId } from "../../../src/base/words.ts";
import type { HistoryStep } from "../../../src/smmuv3/history.ts";
import { always, flag, MOST, oneOf, often, put, weighted, word } from "./choosing.ts";
import { isScenes, SIDS, STREAM_TABLE, STREAM_TABLE_2 } from "./places.ts";
import type { Scene } from "./scene.ts";
import { DISTANCES, MANY } from "./tables.ts";

const again = fc.record({
  kind: fc.constant("again" as const),
  which: fc.nat(5),
  op: oneOf<Access>("read", "write"),
  /** Another stream than the first time. */
  sid: weighted<number | undefined>([5, always(undefined)], [1, oneOf(...SIDS)]),
  /** Pages from the first address. */
  away: weighted([5, always(0n)], [3, oneOf(...DISTANCES, 511n, 512n)], [1, fc.bigInt(0n, 0xffffn)]),
  offset: fc.bigInt(0n, 0x3ffn).map((at) => at * 4n),
});
type Again = typeof again extends fc.Arbitrary<infer A> ? A : never;

const INVALIDATIONS = ["TLBI_NH_ALL", "TLBI_NH_ASID", "TLBI_NH_VA", "TLBI_NH_VAA", "TLBI_S12_VMALL", "TLBI_S2_IPA", "TLBI_NSNH_ALL"] as const satisfies readonly CommandName[];
const invalidation = fc.record({
  kind: fc.constant("invalidation" as const),
  name: oneOf<(typeof INVALIDATIONS)[number]>(...INVALIDATIONS),
  which: fc.nat(5),
  vmid: often<bigint | undefined>(5, always(undefined), fc.bigInt(0n, 3n)),
  asid: often<bigint | undefined>(5, always(undefined), fc.bigInt(0n, 3n)),
  away: often(3, always(0n), fc.bigInt(0n, 0x1ffn)),
  /** TLBI_S2_IPA of the IPA, or of the address. */
  ipa: flag(3, true),
  range: weighted([2, always({ TG: 0n, Num: 0n, Scale: 0n, TTL: 0n })], [3, fc.record({ TG: fc.bigInt(0n, 3n), Num: often(1, always(0n), fc.bigInt(0n, 31n)), Scale: often(3, fc.bigInt(0n, 4n), fc.bigInt(0n, 20n)), TTL: fc.bigInt(0n, 3n) })]),
  leaf: fc.bigInt(0n, 1n),
});
type Invalidation = typeof invalidation extends fc.Arbitrary<infer I> ? I : never;

const configuration = fc.record({
  kind: fc.constant("configuration" as const),
  name: oneOf<"CFGI_STE" | "CFGI_STE_RANGE" | "CFGI_CD" | "CFGI_CD_ALL" | "SYNC">("CFGI_STE", "CFGI_STE_RANGE", "CFGI_CD", "CFGI_CD_ALL", "SYNC"),
  // PCI has 16 bits; what is above them may be looked at or not.
  sid: weighted([10, oneOf<number>(...SIDS)], [1, fc.nat(0xffff)], [2, oneOf(0x100, 0x1_0000, 0x100_0000, 0x8000_0000).chain((above) => oneOf(...SIDS.map((sid) => sid + above)))]),
  range: weighted([3, fc.bigInt(0n, 5n)], [1, always(31n)], [1, fc.bigInt(0n, 30n)]),
  leaf: fc.bigInt(0n, 1n),
});
type Configuration = typeof configuration extends fc.Arbitrary<infer C> ? C : never;

type Change = "zero" | "valid" | "rights" | "access flag" | "output" | "bit" | "other";
const store = fc.record({
  kind: fc.constant("store" as const),
  /** Which of the words that the scene has. */
  which: fc.nat(0xffff),
  change: oneOf<Change>("zero", "valid", "rights", "access flag", "output", "bit", "other"),
  bit: fc.bigInt(0n, 63n),
});
type Store = typeof store extends fc.Arbitrary<infer S> ? S : never;

/** Commands with anything in them, of known opcodes as a rule. */
const odd = fc.record({ kind: fc.constant("odd" as const), code: often(4, oneOf<number>(...Object.values(opcodes).map(({ code }) => code)), fc.nat(0xff)), words: fc.tuple(word, word), plain: flag(1) });
type Odd = typeof odd extends fc.Arbitrary<infer O> ? O : never;
/** Registers of the SMMU as a whole. The command queue stays on. */
interface Control {
  readonly kind: "register";
  readonly name: "GERRORN" | "CR0" | "CR1" | "CR2" | "GBPA" | "IRQ_CTRL" | "STRTAB_BASE" | "STRTAB_BASE_CFG" | "IDR1" | "STATUSR" | "CR0ACK";
  readonly value: bigint;
  readonly size: 4 | 8;
  readonly page1: boolean;
}
const writing = (name: Control["name"], value: fc.Arbitrary<bigint>, size: fc.Arbitrary<4 | 8>): fc.Arbitrary<Control> => fc.record({ kind: fc.constant("register" as const), name: fc.constant(name), value, size, page1: flag(8) });
const narrow = always<4 | 8>(4);
const anyWidth = often<4 | 8>(3, always<4 | 8>(4), always<4 | 8>(8));
const whole = fc.bigInt(0n, 0xffff_ffffn);
const control: fc.Arbitrary<Control> = weighted<Control>(
  [16, writing("GERRORN", oneOf(0n, 0n, 1n, 1n, 4n, 5n), narrow)],
  [4, writing("CR0", often(4, oneOf(0xcn, 0xdn, 0xdn, 0x9n), whole.map((value) => (value & ~0xfn) | 0xdn)), narrow)],
  [1, writing("CR0", always(0xcn), always<4 | 8>(8))],
  [1, writing("CR2", oneOf(0n, 2n, 7n), narrow)],
  [2, writing("GBPA", oneOf(0x8010_0000n, 0x8000_1000n, 0x10_0000n, 0xffff_ffffn), narrow)],
  [2, writing("STRTAB_BASE_CFG", often(3, fc.bigInt(3n, 17n), fc.bigInt(0n, 15n).map((size) => 0x1_0000n | (8n << 6n) | size)), anyWidth)],
  [2, writing("STRTAB_BASE", oneOf(STREAM_TABLE, STREAM_TABLE | 0x3fn, STREAM_TABLE | (1n << 62n), STREAM_TABLE + 0x1000n, STREAM_TABLE_2, STREAM_TABLE | (1n << 45n)), anyWidth)],
  [1, fc.oneof(writing("IDR1", whole, narrow), writing("STATUSR", whole, anyWidth), writing("CR0ACK", whole, narrow), writing("CR1", whole, anyWidth), writing("IRQ_CTRL", oneOf(0n, 5n, 7n), anyWidth))],
);
const PAGE_1 = 0x1_0000;
/** The consumer of events catches up, where nobody does at once. */
interface Drain {
  readonly kind: "drain";
  /** Besides the index: OVACKFLG, and reserved bits. */
  readonly upper: bigint;
}
const drain: fc.Arbitrary<Drain> = often(2, always(0n), oneOf(1n << 31n, 1n << 20n)).map((upper) => ({ kind: "drain", upper }));

/** A transaction, a change of something on its way, the transaction again, an invalidation, and once more. */
const episode = fc.record({
  kind: fc.constant("episode" as const),
  first: again,
  /** Which word of its way. */
  place: fc.nat(15),
  store,
  second: oneOf<Access>("read", "write"),
  between: fc.oneof(invalidation, configuration),
  third: oneOf<Access>("read", "write"),
});
type Episode = typeof episode extends fc.Arbitrary<infer E> ? E : never;

/** As many pages as a TLB keeps, about. */
const LEAST_PAGES = 200;
const LEAST = BigInt(LEAST_PAGES);
const sweep = fc.record({ kind: fc.constant("sweep" as const), first: again, pages: fc.integer({ min: LEAST_PAGES, max: MANY }) });
type Sweep = typeof sweep extends fc.Arbitrary<infer S> ? S : never;

export type Later = Again | Sweep | Episode | Invalidation | Configuration | Store | Odd | Control | Drain;
export const later: fc.Arbitrary<Later> = weighted<Later>([140, again], [14, sweep], [80, episode], [80, invalidation], [50, configuration], [90, store], [10, odd], [30, control], [10, drain]);

/** A step of a history; a drain is made when it is known how many events there are. */
export type Drafted = HistoryStep | Drain;

const commandOf = (words: readonly bigint[]): HistoryStep => ({ kind: "command", words: [words[0]!, words[1]!] });
const opcode = (name: CommandName): { Op: bigint } => ({ Op: BigInt(opcodes[name].code) });

const invalidationStep = ({ name, which, vmid, asid, away, ipa, range, leaf }: Invalidation, { transactions }: Scene): HistoryStep => {
  const meant = transactions[which % transactions.length]!;
  const address = (name === "TLBI_S2_IPA" && ipa ? meant.ipa : meant.transaction.iova) + (away << 12n);
  const words = CommandTlbi.encode({ ...opcode(name), VMID: vmid ?? meant.vmid, ASID: asid ?? meant.asid, Leaf: leaf, ...range });
  put(CommandTlbi, words, "Address", (address & MOST) >> 12n);
  return commandOf(words);
};
const configurationStep = ({ name, sid, range, leaf }: Configuration): HistoryStep => {
  if (name === "SYNC") return commandOf(CommandSync.encode(opcode(name)));
  if (name === "CFGI_STE_RANGE") return commandOf(CommandCfgiRange.encode({ ...opcode(name), SID: BigInt(sid), Range: range }));
  return commandOf((name === "CFGI_STE" ? CommandCfgi : CommandCfgiCd).encode({ ...opcode(name), SID: BigInt(sid), Leaf: leaf }));
};

const changed = (value: bigint, { change, bit }: Store, others: readonly bigint[], at: number): bigint => {
  switch (change) {
    case "zero":
      return 0n;
    case "valid":
      return value ^ 1n;
    case "rights":
      return value ^ (1n << (6n + (bit & 1n)));
    case "access flag":
      return value ^ (1n << 10n);
    case "output":
      return value ^ (1n << (12n + (bit % 8n)));
    case "bit":
      return value ^ (1n << bit);
    case "other":
      return others[(at + 1) % others.length]!;
  }
};

const againStep = ({ which, sid, away, op, offset }: Again, { transactions }: Scene): HistoryStep => {
  const { transaction } = transactions[which % transactions.length]!;
  const page = (transaction.iova & ~0xfffn) + (away << 12n);
  return { kind: "transaction", transaction: { sid: streamId(sid ?? transaction.sid), op, iova: iova((page | offset) & MOST), size: 4 } };
};

/** The steps of choices on a scene, in order. `ways`: the words that each of its transactions reads. */
export const draft = (scene: Scene, ways: readonly (readonly bigint[])[], choices: readonly Later[]): Drafted[] => {
  const words = new Map(scene.boot.flatMap((step) => (step.kind === "store" ? [[step.addr, step.value] as const] : [])));
  const addresses = [...words.keys()];
  const change = (choice: Store, addr: bigint | undefined): Drafted[] => {
    if (addr === undefined || !isScenes(addr)) return [];
    const value = changed(words.get(addr) ?? 0n, choice, [...words.values()], choice.which) & MOST;
    words.set(addr, value);
    return [{ kind: "store", addr, value }];
  };
  const step = (choice: Later): Drafted[] => {
    switch (choice.kind) {
      case "again":
        return [againStep(choice, scene)];
      case "sweep":
        // Where pages are mapped one by one; elsewhere a sweep is one answer again and again.
        if (!words.has((ways[choice.first.which % ways.length]!.at(-1) ?? 0n) + LEAST * 8n)) return [];
        return Array.from({ length: choice.pages }, (_, page) => againStep({ ...choice.first, op: "read", away: BigInt(page) }, scene));
      case "episode": {
        const { first, place, second, between, third } = choice;
        const way = ways[first.which % ways.length]!;
        // The last words are those of the last tables, which matter most.
        const changes = change(choice.store, way.at(-1 - (place % Math.max(way.length, 1))));
        return [againStep(first, scene), ...changes, againStep({ ...first, op: second }, scene), ...step({ ...between, ...("which" in between ? { which: first.which } : {}) }), againStep({ ...first, op: third }, scene)];
      }
      case "invalidation":
        return [invalidationStep(choice, scene)];
      case "configuration":
        return [configurationStep(choice)];
      case "store":
        return change(choice, addresses[choice.which % addresses.length]);
      case "odd": {
        const filled = choice.plain ? [0n, 0n] : [...choice.words];
        put(Command, filled, "Op", BigInt(choice.code));
        return [commandOf(filled)];
      }
      case "register":
        return [{ kind: "register", offset: offsets[choice.name] + (choice.page1 ? PAGE_1 : 0), value: choice.value & ((1n << BigInt(choice.size * 8)) - 1n), size: choice.size }];
      case "drain":
        return [choice];
    }
  };
  return addresses.length === 0 ? [] : choices.flatMap(step);
};

/** A transaction after everything that might be kept was invalidated. */
export const coldly = (transaction: Transaction): HistoryStep[] => [
  commandOf(CommandCfgiRange.encode({ ...opcode("CFGI_STE_RANGE"), Range: 31n })),
  commandOf(CommandTlbi.encode(opcode("TLBI_NSNH_ALL"))),
  { kind: "transaction", transaction },
];
