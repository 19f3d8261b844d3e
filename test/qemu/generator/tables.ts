/** Translation tables along the way of one address: what is meant, and the flaws on it. */
import fc from "fast-check";
import { LeafDescriptor } from "../../../specs/smmuv3/stage2.ts";
import { always, flag, often, oneOf, weighted, word } from "./choosing.ts";
import { HOLES } from "./places.ts";

/** What of a regime decides where descriptors lie. */
export interface Regime {
  readonly granule: 12 | 14 | 16;
  readonly start: number;
  readonly inputBits: number;
  /** The root as its pointer stands. */
  readonly root: bigint;
  /** Several root tables may lie side by side. */
  readonly concatenated: boolean;
}

type FlawKind = "invalid" | "reserved" | "hole" | "wide" | "access flag" | "no rights" | "read only" | "write only" | "beyond" | "leaf" | "table";
/** What only a leaf can have; others are at their level. */
const OF_LEAVES = new Set<FlawKind>(["access flag", "no rights", "read only", "write only", "beyond"]);
export interface Flaw {
  readonly level: number;
  readonly kind: FlawKind;
  /** An address bit beyond some output sizes; "beyond" is beyond all that are implemented, too. */
  readonly bit: bigint;
  readonly hole: bigint;
}
const flaw: fc.Arbitrary<Flaw> = fc.record({
  level: weighted([3, always(3)], [2, always(2)], [2, always(1)], [1, always(0)]),
  kind: oneOf<FlawKind>("invalid", "reserved", "hole", "wide", "beyond", "beyond", "access flag", "access flag", "no rights", "read only", "write only", "leaf", "table"),
  bit: oneOf(32n, 33n, 36n, 40n, 42n, 43n, 44n, 45n, 47n),
  hole: oneOf(...HOLES),
});
/** How tables lead from an address to its target. */
export interface Way {
  readonly flaws: readonly Flaw[];
  /** Level of the leaf. */
  readonly leaf: number;
  /** Rights of the leaf: AP[2:1], or S2AP. */
  readonly rights: bigint;
  readonly memory: bigint;
  readonly shareability: bigint;
  readonly executeNever: bigint;
  readonly contiguous: bigint;
  /** Bits 63:59 of table descriptors, and bits that walks do not look at. */
  readonly hierarchy: bigint;
  readonly noise: bigint;
  /** Pages beside the address, so far away, that are mapped beside its target. */
  readonly neighbours: readonly bigint[];
}
/** How far addresses lie from those that the tables are for: next to them, and at the ends of contiguous runs. */
export const DISTANCES = [1n, 4n, 15n, 16n] as const;
/** More pages than a TLB keeps. */
export const MANY = 300;
const many = Array.from({ length: MANY }, (_, at) => BigInt(at + 1));
const wayWith = (flawed: number, rights: fc.Arbitrary<bigint>): fc.Arbitrary<Way> =>
  fc.record({
    flaws: often(flawed, always<Flaw[]>([]), fc.array(flaw, { minLength: 1, maxLength: 2 })),
    leaf: weighted([5, always(3)], [2, always(2)], [1, always(1)]),
    rights,
    memory: often(3, always(15n), fc.bigInt(0n, 15n)),
    shareability: fc.bigInt(0n, 3n),
    executeNever: often(3, always(0n), fc.bigInt(0n, 3n)),
    contiguous: often(8, always(0n), always(1n)),
    hierarchy: often(6, always(0n), fc.bigInt(0n, 31n)),
    noise: often(3, always(0n), word),
    neighbours: weighted<readonly bigint[]>([30, always([])], [20, always(DISTANCES)], [3, always(many)]),
  });
/** The way of a transaction through stage 1, or through stage 2 to its data. */
export const firstWay = wayWith(3, often(3, always(1n), fc.bigInt(0n, 3n)));
export const dataWay = wayWith(3, often(3, always(3n), fc.bigInt(0n, 3n)));
/** The way through stage 2 to something that stage 1 is made of. */
export const structureWay = wayWith(30, often(40, always(3n), fc.bigInt(0n, 3n)));
export const elsewhere = flag(3);

const ADDRESS = (1n << 48n) - 1n;
const below = (bits: bigint): bigint => (1n << bits) - 1n;
const shiftOf = (level: number, granule: number): bigint => BigInt(granule + (3 - level) * (granule - 3));

/** Bits that leaves and tables of both stages leave to software or to hardware: 58:55, and 11:2 of a table. */
const ignored = (noise: bigint): bigint => noise & (0xfn << 55n);

const leafWord = (stage: 1 | 2, target: bigint, level: number, way: Way, flaws: readonly FlawKind[]): bigint => {
  const rights = flaws.includes("no rights") ? 0n : flaws.includes("read only") ? (stage === 1 ? 3n : 1n) : flaws.includes("write only") ? 2n : way.rights;
  const common = LeafDescriptor.encode({
    Type: level === 3 ? "page" : "block",
    MemAttr: way.memory,
    S2AP: rights,
    SH: way.shareability,
    AF: flaws.includes("access flag") ? 0n : 1n,
    XN: way.executeNever,
    Contiguous: way.contiguous,
  })[0]!;
  // Bit 11 is nG in stage 1; bits 51:48 of a leaf are DBM and RES0, and the bits below a block's size are RES0.
  const rest = (way.noise & ((1n << 11n) | (0xfn << 48n))) | ignored(way.noise);
  return target | common | rest;
};

/** How a way's tables are written: `next` is a new table, and where a descriptor goes is the caller's. */
export interface Writing {
  readonly stage: 1 | 2;
  readonly next: () => bigint;
  /** The descriptor in memory now. */
  readonly peek: (entry: bigint) => bigint | undefined;
  /** `others`: places that another reading of a misaligned root, or of concatenated tables, leads to. */
  readonly write: (entry: bigint, value: bigint, others: readonly bigint[]) => void;
  /** A descriptor is about to be read. */
  readonly fetched?: (table: bigint, entry: bigint, level: number) => void;
}

/** Places of a root's entry: the pointer as it stands, aligned to the table, to 64 bytes, to a page, and without concatenation. */
const rootPlaces = (regime: Regime, index: bigint): bigint[] => {
  const { root, granule, start, inputBits } = regime;
  const bytes = 8n << BigInt(Math.max(inputBits - Number(shiftOf(start, granule)), 0));
  const inTable = index & below(BigInt(granule - 3));
  const bases = [root & ~(bytes - 1n), root, root & ~0x3fn, root & ~0xfffn];
  return [...new Set(bases.flatMap((base) => [base + 8n * index, base + 8n * inTable]))];
};

/** Whether a valid descriptor stands there, which other ways use, too: another table, or a leaf. */
const isTable = (value: bigint, level: number): boolean => level < 3 && (value & 3n) === 3n;
const isValid = (value: bigint | undefined, level: number): value is bigint => value !== undefined && (value & 1n) === 1n && (level < 3 || (value & 3n) === 3n);

/** The leaf of a page `away` from another, in the same table. */
const besides = ({ granule }: Regime, entry: bigint, leaf: bigint, away: bigint, write: Writing["write"], peek: Writing["peek"]): void => {
  const place = entry + away * 8n;
  const mask = ~below(BigInt(granule));
  if ((place & mask) === (entry & mask) && peek(place) === undefined) write(place, leaf + (away << BigInt(granule)), []);
};

/** Writes what leads `input` to `target`, and gives where it really leads; undefined where a flaw ends the way. */
export const lay = (regime: Regime, input: bigint, target: bigint, way: Way, { stage, next, peek, write, fetched }: Writing): bigint | undefined => {
  const { granule, start, inputBits } = regime;
  const within = input & below(BigInt(inputBits));
  let table = 0n;
  for (let level = start; level <= 3; level++) {
    const index = within >> shiftOf(level, granule);
    const places = level === start ? rootPlaces(regime, index) : [table + 8n * (index & below(BigInt(granule - 3)))];
    const entry = places[0]!;
    fetched?.(level === start ? regime.root : table, entry, level);
    const size = below(shiftOf(level, granule));
    // A flaw is put where there is nothing yet, so that it does not cut other ways.
    const known = peek(entry);
    if (isValid(known, level)) {
      if (!isTable(known, level)) return (known & ADDRESS & ~size) | (input & size);
      table = known & ADDRESS & ~below(BigInt(granule));
      continue;
    }
    const isLast = level === 3 || level >= way.leaf;
    const flaws = way.flaws.filter((each) => each.level === level || (isLast && OF_LEAVES.has(each.kind)));
    const kinds = flaws.map(({ kind }) => kind);
    const put = (value: bigint): void => write(entry, value, places.slice(1));
    const isLeaf = level === 3 || (isLast && !kinds.includes("table")) || kinds.includes("leaf");
    const address = (usual: bigint): bigint => flaws.reduce((at, { kind, bit, hole }) => (kind === "hole" ? hole : kind === "wide" ? at | (1n << bit) : kind === "beyond" ? at | (1n << 44n) | (1n << bit) : at), usual);
    if (isLeaf) {
      const output = address(target) & ~size & ADDRESS;
      const leaf = leafWord(stage, output | (way.noise & size & ADDRESS & ~0xfffn), level, way, kinds);
      put(kinds.includes("invalid") ? leaf & ~1n : kinds.includes("reserved") ? (leaf & ~3n) | (level === 3 ? 1n : 2n) : leaf);
      if (kinds.some((kind) => kind === "invalid" || kind === "reserved")) return undefined;
      if (level === 3) for (const away of way.neighbours) besides(regime, entry, leaf, away, write, peek);
      return output | (input & size);
    }
    const lower = next();
    const value = address(lower) | 3n | (stage === 1 ? way.hierarchy << 59n : 0n) | ignored(way.noise) | (way.noise & 0xffcn & ~0xc00n);
    put(kinds.includes("invalid") || kinds.includes("reserved") ? value & ~1n : value);
    if (kinds.some((kind) => kind === "invalid" || kind === "reserved" || kind === "hole")) return undefined;
    table = lower;
  }
  return undefined;
};
