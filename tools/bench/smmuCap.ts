/**
 * SmmuCap, the common benchmark: components that hold stream IDs, context banks and frames of an abstract SMMU with a
 * lazily invalidated TLB. Other checkers run the same model (promela.ts beside this file), and states, edges and depth
 * are known exactly at five sizes, so that a speed can be compared and a wrong count is seen.
 */
import { below, leastState, type Plain, type Tables } from "../../src/base/state.ts";
import { operationsOf, type RecipeModel } from "../../src/check/engine/recipeModel.ts";

export interface Size {
  readonly components: number;
  readonly streams: number;
  readonly banks: number;
  readonly vspaces: number;
  readonly frames: number;
  /** Slots of each VSpace, and TLB entries of each bank. */
  readonly slots: number;
}
const size = (components: number, streams: number, banks: number, vspaces: number, frames: number, slots: number): Size => ({ components, streams, banks, vspaces, frames, slots });
export const sizes = { T: size(2, 2, 2, 2, 2, 1), T2: size(2, 2, 2, 2, 3, 1), S: size(2, 2, 2, 2, 2, 2), M: size(2, 3, 2, 2, 2, 2), L: size(2, 2, 2, 2, 3, 2) } as const;
export type SizeName = keyof typeof sizes;
/** A size by its name, or by its six numbers; undefined where it is neither, or beyond what a word of a state holds. */
export const sizeNamed = (name: string): Size | undefined => {
  if (Object.hasOwn(sizes, name)) return sizes[name as SizeName];
  if (!/^[1-9](,[1-9]){5}$/.test(name)) return undefined;
  const [components, streams, banks, vspaces, frames, slots] = name.split(",").map(Number) as [number, number, number, number, number, number];
  return { components, streams, banks, vspaces, frames, slots };
};

/** What every engine must reproduce; depth is the number of edges on the longest shortest path. */
export const counts: Readonly<Record<SizeName, { readonly states: number; readonly edges: number; readonly depth: number }>> = {
  T: { states: 9_608, edges: 93_440, depth: 20 },
  T2: { states: 54_088, edges: 604_832, depth: 21 },
  S: { states: 548_504, edges: 7_022_592, depth: 28 },
  M: { states: 1_097_008, edges: 15_245_840, depth: 28 },
  L: { states: 8_565_856, edges: 124_201_408, depth: 29 },
};

/** M1: Revoke forgets the TLB. M2: MoveCB of a bank with TLB entries. M3: Map without authority over the frame. */
export type Mutant = "M1" | "M2" | "M3";

export interface SmmuCapOptions {
  readonly mutant?: Mutant;
  /** Rows that nothing ever writes, spread over the state: makes it wide without changing a count. */
  readonly padding?: number;
}

const shapeOf = ({ components, streams, banks, vspaces, frames, slots }: Size, padding: number) => {
  // A field of padding before each table drives its neighbours into different words.
  const pad = { rows: Math.ceil(padding / 3), fields: { unused: below(256) } };
  return {
    /** The bank that a stream's table entry points at, plus one; 0: unbound. */
    stream: { rows: streams, fields: { bank: below(banks + 1) } },
    pad0: pad,
    /** VSpace that the bank walks, plus one; and who holds the bank's capability. */
    bank: { rows: banks, fields: { vspace: below(vspaces + 1), owner: below(components) } },
    pad1: pad,
    /** Frame that a slot maps, plus one. */
    entry: { rows: vspaces * slots, fields: { frame: below(frames + 1) } },
    pad2: pad,
    /** Cached translation of a slot in a bank, frame plus one. */
    cached: { rows: banks * slots, fields: { frame: below(frames + 1) } },
    /** Whether a component that does not own the frame holds it too. */
    grant: { rows: frames * (components - 1), fields: { held: below(2) } },
  };
};
export type SmmuCapShape = ReturnType<typeof shapeOf>;
type T = Tables<SmmuCapShape>;

export const smmuCap = (given: Size, { mutant, padding = 0 }: SmmuCapOptions = {}): RecipeModel<SmmuCapShape> => {
  const { components, streams, banks, vspaces, frames, slots } = given;
  const own = (index: number): number => index % components;
  /** Row of `grant`: the components other than the owner, counted on from it. */
  const grantRow = (frame: number, component: number): number => frame * (components - 1) + ((component - own(frame) - 1 + components) % components);
  const holds = ({ grant }: T, frame: number, component: number): boolean => own(frame) === component || grant.at(grantRow(frame, component)).held === 1;
  const bankOf = (cached: number): number => Math.floor(cached / slots);
  const vspaceOf = (entry: number): number => Math.floor(entry / slots);

  const operation = operationsOf<SmmuCapShape>();
  const [s, b, v, l, f, c] = [below(streams), below(banks), below(vspaces), below(slots), below(frames), below(components)];
  const operations = [
    operation({
      label: "BindCB",
      args: { s, b },
      refusals: [
        { name: "the stream is bound", when: ({ stream }, a) => stream.at(a.s).bank !== 0 },
        { name: "the bank is another's", when: ({ bank }, a) => bank.at(a.b).owner !== own(a.s) },
      ],
      effect: ({ stream }, a) => void (stream.at(a.s).bank = a.b + 1),
    }),
    operation({
      label: "UnbindCB",
      args: { s },
      refusals: [{ name: "the stream is not bound", when: ({ stream }, a) => stream.at(a.s).bank === 0 }],
      effect: ({ stream }, a) => void (stream.at(a.s).bank = 0),
    }),
    operation({
      label: "AssignVSpace",
      args: { b, v },
      refusals: [
        { name: "the bank has a VSpace", when: ({ bank }, a) => bank.at(a.b).vspace !== 0 },
        { name: "the bank is another's", when: ({ bank }, a) => bank.at(a.b).owner !== own(a.v) },
      ],
      effect: ({ bank }, a) => void (bank.at(a.b).vspace = a.v + 1),
    }),
    operation({
      label: "UnassignVSpace",
      args: { b },
      refusals: [{ name: "the bank has no VSpace", when: ({ bank }, a) => bank.at(a.b).vspace === 0 }],
      effect: ({ bank }, a) => void (bank.at(a.b).vspace = 0),
    }),
    operation({
      label: "Map",
      args: { v, l, f },
      refusals: [
        { name: "the slot is mapped", when: ({ entry }, a) => entry.at(a.v * slots + a.l).frame !== 0 },
        { name: "no authority over the frame", when: (tables, a) => mutant !== "M3" && !holds(tables, a.f, own(a.v)) },
      ],
      effect: ({ entry }, a) => void (entry.at(a.v * slots + a.l).frame = a.f + 1),
    }),
    operation({
      label: "Unmap",
      args: { v, l },
      refusals: [{ name: "the slot is not mapped", when: ({ entry }, a) => entry.at(a.v * slots + a.l).frame === 0 }],
      effect: ({ entry }, a) => void (entry.at(a.v * slots + a.l).frame = 0),
    }),
    operation({
      label: "InvalidateTLB",
      args: { b },
      refusals: [{ name: "nothing is cached", when: ({ cached }, a) => !cached.some((row, at) => bankOf(at) === a.b && row.frame !== 0) }],
      effect: ({ cached }, a) =>
        cached.forEach((row, at) => {
          if (bankOf(at) === a.b) row.frame = 0;
        }),
    }),
    operation({
      label: "Access",
      args: { s, l },
      refusals: [
        { name: "the stream is not bound", when: ({ stream }, a) => stream.at(a.s).bank === 0 },
        { name: "the bank has no VSpace", when: ({ stream, bank }, a) => bank.at(stream.at(a.s).bank - 1).vspace === 0 },
        { name: "a hit", when: ({ stream, cached }, a) => cached.at((stream.at(a.s).bank - 1) * slots + a.l).frame !== 0 },
        { name: "a fault", when: ({ stream, bank, entry }, a) => entry.at((bank.at(stream.at(a.s).bank - 1).vspace - 1) * slots + a.l).frame === 0 },
      ],
      effect: ({ stream, bank, entry, cached }, a) => {
        const through = stream.at(a.s).bank - 1;
        cached.at(through * slots + a.l).frame = entry.at((bank.at(through).vspace - 1) * slots + a.l).frame;
      },
    }),
    operation({
      label: "Grant",
      args: { f, c },
      refusals: [{ name: "the component holds the frame", when: (tables, a) => holds(tables, a.f, a.c) }],
      effect: ({ grant }, a) => void (grant.at(grantRow(a.f, a.c)).held = 1),
    }),
    operation({
      label: "Revoke",
      args: { f, c },
      refusals: [
        { name: "the component owns the frame", when: (_, a) => own(a.f) === a.c },
        { name: "the component does not hold the frame", when: (tables, a) => !holds(tables, a.f, a.c) },
      ],
      effect: ({ grant, entry, cached, bank }, a) => {
        grant.at(grantRow(a.f, a.c)).held = 0;
        entry.forEach((row, at) => {
          if (own(vspaceOf(at)) === a.c && row.frame === a.f + 1) row.frame = 0;
        });
        if (mutant === "M1") return;
        cached.forEach((row, at) => {
          if (row.frame === a.f + 1 && bank.at(bankOf(at)).owner === a.c) row.frame = 0;
        });
      },
    }),
    operation({
      label: "MoveCB",
      args: { b, c },
      refusals: [
        { name: "the component holds the bank", when: ({ bank }, a) => bank.at(a.b).owner === a.c },
        { name: "the bank has a VSpace", when: ({ bank }, a) => bank.at(a.b).vspace !== 0 },
        { name: "something is cached", when: ({ cached }, a) => mutant !== "M2" && cached.some((row, at) => bankOf(at) === a.b && row.frame !== 0) },
        { name: "a stream is bound", when: ({ stream }, a) => stream.some((row) => row.bank === a.b + 1) },
      ],
      effect: ({ bank }, a) => void (bank.at(a.b).owner = a.c),
    }),
  ];

  const shape = shapeOf(given, padding);
  const initial = leastState(shape) as unknown as Record<"bank", { owner: number }[]>;
  for (let index = 0; index < banks; index++) initial.bank[index]!.owner = own(index);
  return {
    name: "SmmuCap",
    parameters: { ...given, ...(mutant === undefined ? {} : { mutant }), padding },
    shape,
    initial: initial as unknown as Plain<SmmuCapShape>,
    operations,
    properties: [
      {
        name: "isolation",
        sentence: "A bound stream reaches, by the tables or by the TLB, only frames that its owner holds.",
        holds: (tables) =>
          tables.stream.every(({ bank: bound }, index) => {
            if (bound === 0) return true;
            const reaches = (frame: number): boolean => frame === 0 || holds(tables, frame - 1, own(index));
            const { vspace } = tables.bank.at(bound - 1);
            return (
              tables.cached.every((row, at) => bankOf(at) !== bound - 1 || reaches(row.frame)) &&
              (vspace === 0 || tables.entry.every((row, at) => vspaceOf(at) !== vspace - 1 || reaches(row.frame)))
            );
          }),
      },
    ],
  };
};
