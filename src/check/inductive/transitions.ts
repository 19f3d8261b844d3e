/**
 * The transition relation of each invocation, derived from its runs on the small plans: for each field of a row, a table
 * from facts to what the field is afterwards, as one of the words of vocabulary.ts. Facts that make no difference in any
 * run are dropped. Where runs with the same facts need different words, the field is not a function of the row and of
 * the rows named, and the obligation is left out.
 */
import { NONE } from "../../base/state.ts";
import { CB, SID, VSPACE } from "../../kernel/capability.ts";
import { held } from "./coreState.ts";
import type { Run } from "./induction.ts";
import { type Output, rowOutputs, slotOutputs } from "./outputs.ts";
import { rowFacts } from "./rowFacts.ts";
import { FREE_SLOTS } from "./smallPlan.ts";
import { type Fact, facts, type Names, newRights, noRow, others, rightsFacts, type RowKind, type RowOf, rowsOf, type Seen } from "./vocabulary.ts";

/** A row of a derived table: where these facts are so and not, the word. */
export interface Case {
  readonly facts: readonly { readonly smt: string; readonly is: boolean }[];
  readonly word: string;
}
export interface Derived {
  readonly output: Pick<Output, "name" | "row" | "kind" | "of">;
  /** Undefined where no table of these facts says it. */
  readonly cases: readonly Case[] | undefined;
}

/** Observations of one output: by facts, the words that fit every run with those facts, as a set of bits. */
class Observed {
  readonly words = new Map<string, number>();
  note(key: string, fits: number): void {
    this.words.set(key, (this.words.get(key) ?? -1) & fits);
  }
}

/** Drops facts, the last first, while each group still has a word. */
const reduced = (words: ReadonlyMap<string, number>, count: number): { readonly kept: readonly number[]; readonly groups: ReadonlyMap<string, number> } | undefined => {
  if ([...words.values()].includes(0)) return undefined;
  let kept = Array.from({ length: count }, (_, index) => index);
  let groups = words;
  for (let index = count - 1; index >= 0; index--) {
    const at = kept.indexOf(index);
    const merged = new Map<string, number>();
    let fits = true;
    for (const [key, word] of groups) {
      const shorter = key.slice(0, at) + key.slice(at + 1);
      const both = (merged.get(shorter) ?? -1) & word;
      fits &&= both !== 0;
      merged.set(shorter, both);
    }
    if (!fits) continue;
    groups = merged;
    kept = kept.filter((fact) => fact !== index);
  }
  return { kept, groups };
};
const casesOf = (words: ReadonlyMap<string, number>, all: readonly Fact[], wordOf: (bits: number) => string): Case[] | undefined => {
  const found = reduced(words, all.length);
  return found === undefined ? undefined : [...found.groups].map(([key, bits]) => ({ facts: found.kept.map((fact, at) => ({ smt: all[fact]!.smt, is: key[at] === "1" })), word: wordOf(bits) }));
};
const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

const bitsOf = (list: readonly Fact[], seen: Seen, row: RowOf): string => list.map(({ is }) => (is(seen, row) ? "1" : "0")).join("");

export interface Transition {
  readonly names: Names;
  readonly derived: readonly Derived[];
  /** Where it is not refused; undefined where no table of these facts says it. */
  readonly performed: readonly Case[] | undefined;
  /** No run gave the SMMU a step. */
  readonly silent: boolean;
}

/** Collects the runs of one invocation. */
export class Derivation {
  private readonly names: Names;
  private readonly common: readonly Fact[];
  private readonly guards: readonly Fact[];
  private readonly outputs: readonly { readonly output: Output; readonly facts: readonly Fact[]; readonly own: number; readonly observed: Observed }[];
  private readonly refusals = new Observed();
  private readonly known = new Set<string>();
  /** No run gave the SMMU a step. */
  silent = true;

  constructor(names: Names, target: number, deletes: boolean) {
    this.names = names;
    const ends = deletes ? others(names, target) : [];
    this.guards = facts(names);
    this.common = [...this.guards, ...ends];
    this.outputs = [...rowOutputs(names), ...slotOutputs(names)].map((output) => {
      const own = [...rowFacts(output.row, names), ...(output.name === "newRights" ? rightsFacts : [])];
      return { output, own: own.length, facts: [...own, ...this.common], observed: new Observed() };
    });
  }

  add(run: Run): void {
    const seen = seenIn(run);
    const common = bitsOf(this.common, seen, noRow);
    this.refusals.note(bitsOf(this.guards, seen, noRow), run.refused ? 1 : 2);
    if (run.refused) return;
    this.silent &&= run.machine.id === run.shop.machineOf(run.before).id;
    const { slots } = run.setting.around;
    const rights = this.names.maps ? newRights(this.names, seen) : NONE;
    const place = [...slots.map(({ kind, object, asid, page, parent }) => `${kind} ${object} ${asid} ${page} ${parent}`), run.setting.request.words[0]].join();
    this.note(seen, common, `rows ${JSON.stringify([run.before, run.after])} ${run.machine.id} ${place} ${rights}${copies(run)}`, (row) => row !== "slot");
    this.note(seen, common, `slots ${common} ${JSON.stringify([slots, seen.slotsAfter])} ${run.setting.request.words.join()}`, (row) => row === "slot");
    if (this.names.maps) this.note(seen, common, `rights ${slots[0]?.rights} ${run.setting.request.words[1]} ${rights}`, (_, name) => name === "newRights");
  }

  private note(seen: Seen, common: string, key: string, which: (row: RowKind, name: string) => boolean): void {
    if (this.known.has(key)) return;
    this.known.add(key);
    const rows = new Map<RowKind, RowOf[]>();
    const bits = new Map<string, string>();
    for (const { output, facts: all, own, observed } of this.outputs) {
      if (!which(output.row, output.name)) continue;
      let each = rows.get(output.row);
      if (each === undefined) rows.set(output.row, (each = rowsOf(output.row, seen)));
      for (const [index, row] of each.entries()) {
        const after = output.after(seen, row);
        if (after === undefined) continue;
        const name = `${output.row} ${index} ${own}`;
        let mine = bits.get(name);
        if (mine === undefined) bits.set(name, (mine = bitsOf(all.slice(0, own), seen, row)));
        let fits = 0;
        const terms = output.untouched?.(seen, row) === true ? output.terms.slice(0, 1) : output.terms;
        for (const [at, term] of terms.entries()) if (term.of(seen, row) === after) fits |= 1 << at;
        observed.note(mine + common, fits);
      }
    }
  }

  /** What a run, perhaps of a larger plan, does otherwise than the tables say; nothing where they say nothing. */
  contradictions(run: Run, isDerived: (output: Output) => boolean): string[] {
    if (run.refused) return [];
    const seen = seenIn(run);
    return this.outputs.flatMap(({ output, facts: all, observed }) => {
      this.tables.set(output, this.tables.get(output) ?? reduced(observed.words, all.length));
      const table = this.tables.get(output);
      if (table === undefined || !isDerived(output)) return [];
      return rowsOf(output.row, seen).flatMap((row) => {
        const after = output.after(seen, row);
        const bits = table.groups.get(bitsOf(table.kept.map((fact) => all[fact]!), seen, row));
        if (after === undefined || bits === undefined) return [];
        const said = output.terms[lowest(bits)]!.of(seen, row);
        return said === after || (output.kind === "bound" && after === false) ? [] : [`${output.name} is ${String(after)}, not ${String(said)}`];
      });
    });
  }
  private readonly tables = new Map<Output, ReturnType<typeof reduced>>();

  finish(): Transition {
    const performed = casesOf(this.refusals.words, this.guards, (bits) => ((bits & 2) === 0 ? "refused" : "performed"));
    return {
      names: this.names,
      silent: this.silent,
      performed: performed?.filter(({ word }) => word === "performed"),
      derived: this.outputs.map(({ output, facts: all, observed }) => ({ output, cases: casesOf(observed.words, all, (bits) => output.terms[lowest(bits)]!.smt) })),
    };
  }
}

const copies = ({ setting: { around }, shop: { small } }: Run): string =>
  around.copyParent === undefined ? "" : [...small.plan.sids, ...small.plan.cbs].map(({ node }) => [CB, VSPACE].flatMap((kind) => [0, 1, 2].map((object) => around.copyParent!(kind, object, node))).join()).join();

const seenIn = (run: Run): Seen => {
  const { shop, setting, before, after, machine } = run;
  const { tables, small, reader } = shop;
  const slotsAfter = FREE_SLOTS.map((row) => {
    const { kind, object, rights, asid, address, parent, revocable } = tables.slot.at(row);
    return held(kind, object, { rights, asid, page: address, parent, revocable });
  });
  const { unissued } = setting.around;
  const list = (count: number, is: (row: number) => boolean): boolean[] => Array.from({ length: count }, (_, row) => is(row));
  const { streams, banks } = small.size;
  return {
    run,
    before,
    after,
    facts: reader.facts(machine),
    slots: setting.around.slots,
    slotsAfter,
    issued: { streams: list(streams, (row) => !(unissued?.kind === SID && unissued.object === row)), banks: list(banks, (row) => !(unissued?.kind === CB && unissued.object === row)) },
    issuedAfter: { streams: list(streams, (row) => tables.sid.at(row).issued === 1), banks: list(banks, (row) => tables.cb.at(row).issued === 1) },
  };
};
