/**
 * The recording view: tables that note which rows an effect reads and writes, told by what the rows are to the invocation.
 * An effect that goes beyond its declared footprint would make the cut of induction.ts wrong, so that is an obligation, too.
 */
import type { Table, Tables } from "../../base/state.ts";
import { CB, FRAME, SID, VSPACE } from "../../kernel/capability.ts";
import type { Request } from "../../kernel/invocation.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Core } from "./coreState.ts";
import { ARGUMENT, CB_CONTROL_ROW, CNODE_ROW, OTHER_WITNESS, SID_CONTROL_ROW, type SmallPlan, TARGET, WITNESS } from "./smallPlan.ts";

export interface Touched {
  /** What the rows are: "target", "SIDNode of another stream", … */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Rows of which it was only asked whether some have certain fields, and not what is in them. */
  readonly asks: readonly string[];
}

/** What is read or written beyond a declared footprint. To ask which rows have certain fields reads no more of them. */
export const beyond = (declared: Declared, { reads, writes }: Touched): string[] => [
  ...reads.filter((what) => !declared.reads.includes(what) && !declared.writes.includes(what)).map((what) => `reads ${what}`),
  ...writes.filter((what) => !declared.writes.includes(what)).map((what) => `writes ${what}`),
];
/** What an invocation may read, and what it may write; what it writes it may read. */
export interface Declared {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** What happened to a row in a run. */
const READ = 1;
const WRITTEN = 2;
const ASKED = 4;

type AnyRow = Record<string, number>;

export class Footprint {
  readonly tables: Tables<KernelShape>;
  private readonly reads = new Set<string>();
  private readonly writes = new Set<string>();
  private readonly asks = new Set<string>();
  /** Of the run that is on, by table. */
  private readonly marks = new Map<string, Uint8Array>();
  private readonly small: SmallPlan;
  private named: Named = { streams: new Set(), banks: new Set(), spaces: new Set() };

  constructor(small: SmallPlan, over: Tables<KernelShape>) {
    this.small = small;
    this.tables = Object.fromEntries(Object.entries(over).map(([name, table]) => [name, this.table(name, table as unknown as Table<AnyRow>)])) as unknown as Tables<KernelShape>;
  }

  private table(name: string, over: Table<AnyRow>): Table<AnyRow> {
    const marks = new Uint8Array(over.length);
    this.marks.set(name, marks);
    const rows = Array.from({ length: over.length }, (_, index) => {
      const row: AnyRow = {};
      for (const field of Object.keys(over.at(index)))
        Object.defineProperty(row, field, {
          enumerable: true,
          get: () => {
            marks[index]! |= READ;
            return over.at(index)[field]!;
          },
          set: (value: number) => {
            marks[index]! |= WRITTEN;
            over.at(index)[field] = value;
          },
        });
      return row;
    });
    return {
      length: rows.length,
      at: (index) => rows[index]!,
      forEach: (body) => {
        for (const [index, row] of rows.entries()) body(row, index);
      },
      some: (holds) => rows.some((row, index) => holds(row, index)),
      every: (holds) => rows.every((row, index) => holds(row, index)),
      any: (match, except) => {
        for (let index = 0; index < marks.length; index++) marks[index]! |= ASKED;
        return over.any(match, except);
      },
      having: (match) => {
        for (let index = 0; index < marks.length; index++) marks[index]! |= ASKED;
        return over.having(match);
      },
      walk: (first, next) => {
        let last = -1;
        for (let at = first; at !== -1; at = next(rows[at]!, at)) last = at;
        return last;
      },
    };
  }

  start(): void {
    this.reads.clear();
    this.writes.clear();
    this.asks.clear();
  }
  /** A run begins: what its request names decides what the rows are called. */
  begin(request: Request, core: Core, unissued?: { readonly kind: number; readonly object: number }): void {
    this.named = namedBy(this.tables, request, core);
    if (unissued !== undefined) (unissued.kind === SID ? this.named.streams : this.named.banks).add(unissued.object);
    // What naming read is not the invocation's.
    for (const marks of this.marks.values()) marks.fill(0);
  }
  end(): void {
    for (const [name, marks] of this.marks)
      for (const [row, mark] of marks.entries()) {
        if (mark === 0) continue;
        const what = this.what(name, row);
        if ((mark & READ) !== 0) this.reads.add(what);
        else if ((mark & ASKED) !== 0) this.asks.add(what);
        if ((mark & WRITTEN) !== 0) this.writes.add(what);
      }
  }
  /** Whether the last run wrote a row. */
  written(table: string, row: number): boolean {
    return (this.marks.get(table)![row]! & WRITTEN) !== 0;
  }
  finish(): Touched {
    return { reads: [...this.reads].toSorted(), writes: [...this.writes].toSorted(), asks: [...this.asks].filter((what) => !this.reads.has(what)).toSorted() };
  }

  private what(table: string, row: number): string {
    const { streams, banks, spaces } = this.named;
    const { plan } = this.small;
    switch (table) {
      case "slot": {
        const place = plan.slots[row]!;
        if (place.in === "sidNode") return streams.has(place.sid) ? "its stream's binding" : "another stream's binding";
        if (place.in === "cbNode") return banks.has(place.cb) ? "its bank's space" : "another bank's space";
        return slotNames.get(row) ?? "a slot";
      }
      case "entry":
        return spaces.has(plan.entries[row]!.vspace) ? "its space's entries" : "another space's entries";
      case "sid":
        return streams.has(row) ? "its stream" : "another stream";
      case "cb":
        return banks.has(row) ? "its bank" : "another bank";
      case "vspace":
      case "asid":
        return spaces.has(row) ? "its space's ASID" : "another space's ASID";
      default:
        return table;
    }
  }
}

const slotNames = new Map([
  [CNODE_ROW, "the CNode's capability"],
  [SID_CONTROL_ROW, "SIDControl"],
  [CB_CONTROL_ROW, "CBControl"],
  [TARGET, "the first slot"],
  [ARGUMENT, "the second slot"],
  [WITNESS, "another slot"],
  [OTHER_WITNESS, "another slot"],
]);

interface Named {
  readonly streams: Set<number>;
  readonly banks: Set<number>;
  readonly spaces: Set<number>;
}
/** What the slots of a request name, and what those are bound or assigned to. */
const namedBy = (tables: Tables<KernelShape>, { target, caps }: Request, core: Core): Named => {
  const named: Named = { streams: new Set(), banks: new Set(), spaces: new Set() };
  for (const row of [target, ...caps, TARGET]) {
    const { kind, object, asid } = tables.slot.at(row);
    if (kind === SID) named.streams.add(object);
    if (kind === CB) named.banks.add(object);
    if (kind === VSPACE) named.spaces.add(object);
    if (kind === FRAME && asid >= 0) named.spaces.add(asid);
  }
  for (const stream of named.streams) if (core.bound[stream]! >= 0) named.banks.add(core.bound[stream]!);
  for (const bank of named.banks) if (core.space[bank]! >= 0) named.spaces.add(core.space[bank]!);
  return named;
};
