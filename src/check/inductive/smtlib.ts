/**
 * The obligations as SMT-LIB 2, one file for each invocation and clause, over sorts without a size: what is unsatisfiable
 * there fails for no number of streams, banks, address spaces, pages, frames and slots. The invariant is written here by
 * hand, a second time; how an invocation changes things is derived from the kernel's runs (transitions.ts).
 *
 * An unsatisfiable file says: no state in which the invariant holds, and no choice of rows, has the clause fail after the invocation. What
 * is not here: the clause about the steps in between, and revocation from a control capability, which is a list of deletions.
 */
import { NONE } from "../../base/state.ts";
import { CB, FRAME, SID } from "../../kernel/capability.ts";
import type { ClauseName } from "./clauses.ts";
import type { Case, Derived, Transition } from "./transitions.ts";
import type { Declared } from "./footprint.ts";
import { kindNames, type Roles, variables } from "./vocabulary.ts";

const SIGNATURE: readonly (readonly [name: string, args: string, result: string])[] = [
  ["isBound", "Stream", "Bool"],
  ["bound", "Stream", "Bank"],
  ["hasSpace", "Bank", "Bool"],
  ["space", "Bank", "Space"],
  ["live", "Space", "Bool"],
  ["mapped", "Space Page", "Bool"],
  ["frame", "Space Page", "Frame"],
  ["rights", "Space Page", "Rights"],
  ["aborts", "Stream", "Bool"],
  ["odd", "Stream", "Bool"],
  ["entryBank", "Stream", "Bank"],
  ["entrySpace", "Stream", "Space"],
  ["kept", "Stream", "Bool"],
  ["keptOpen", "Stream", "Bool"],
  ["cached", "Bank Page Frame Rights", "Bool"],
  ["path", "Bank Space", "Bool"],
  ["cachedOdd", "", "Bool"],
  ["memory_mapped", "Space Page", "Bool"],
  ["memory_frame", "Space Page", "Frame"],
  ["memory_rights", "Space Page", "Rights"],
  ["memoryOdd", "Space Page", "Bool"],
  ["waiting", "", "Bool"],
  ["issuedStream", "Stream", "Bool"],
  ["issuedBank", "Bank", "Bool"],
  ["kind", "Slot", "Kind"],
  ["slotSid", "Slot", "Stream"],
  ["slotCb", "Slot", "Bank"],
  ["slotVs", "Slot", "Space"],
  ["slotFrame", "Slot", "Frame"],
  ["slotRights", "Slot", "Rights"],
  ["slotMapped", "Slot", "Bool"],
  ["slotSpace", "Slot", "Space"],
  ["slotPage", "Slot", "Page"],
];
const declare = (name: string, args: string, result: string): string => `(declare-fun ${name} (${args}) ${result})`;
const names = SIGNATURE.map(([name]) => name).toSorted((a, b) => b.length - a.length);
/** The same formula of the state afterwards. */
const afterwards = (formula: string): string => formula.replaceAll(/[A-Za-z_][A-Za-z_0-9]*/g, (word) => (names.includes(word) ? `${word}_after` : word));

const sees = "(and (isBound s) (hasSpace (bound s)))";
/** The universal clauses, each over its rows. */
const universalClauses: readonly (readonly [ClauseName, string])[] = [
  ["stream entry", `(forall ((s Stream)) (and (not (odd s)) (= (aborts s) (not ${sees})) (=> ${sees} (and (= (entryBank s) (bound s)) (= (entrySpace s) (space (bound s)))))))`],
  ["kept entries", `(forall ((s Stream)) (and (not (keptOpen s)) (=> (kept s) (not ${sees}))))`],
  [
    "cached translations",
    "(and (not cachedOdd) (forall ((b Bank) (v Space)) (=> (path b v) (and (hasSpace b) (= (space b) v)))) (forall ((b Bank) (p Page) (f Frame) (r Rights)) (=> (cached b p f r) (and (hasSpace b) (mapped (space b) p) (= (frame (space b) p) f) (= (rights (space b) p) r)))))",
  ],
  [
    "tables in memory",
    "(forall ((v Space) (p Page)) (=> (live v) (and (not (memoryOdd v p)) (= (memory_mapped v p) (mapped v p)) (=> (mapped v p) (and (= (memory_frame v p) (frame v p)) (= (memory_rights v p) (rights v p)))))))",
  ],
  ["commands done", "(not waiting)"],
  ["live spaces", "(and (forall ((c Slot)) (=> (= (kind c) Vs) (live (slotVs c)))) (forall ((b Bank)) (=> (hasSpace b) (live (space b)))) (forall ((v Space) (p Page)) (=> (mapped v p) (live v))))"],
  ["issued objects", "(and (forall ((c Slot)) (and (=> (= (kind c) Sid) (issuedStream (slotSid c))) (=> (= (kind c) Cb) (issuedBank (slotCb c))))) (forall ((s Stream)) (=> (isBound s) (issuedBank (bound s)))))"],
];
/** The witnessed clauses: `body` of the rows in `over`. */
const witnessedClauses: readonly (readonly [ClauseName, over: string, body: string])[] = [
  [
    "mapped frames",
    "((v Space) (p Page))",
    "(=> (mapped v p) (exists ((x Slot)) (and (= (kind x) FrameCap) (= (slotFrame x) (frame v p)) (slotMapped x) (= (slotSpace x) v) (= (slotPage x) p) (or (= (rights v p) KO) (= (slotRights x) RW) (= (slotRights x) (rights v p))))))",
  ],
  ["bound streams", "((s Stream))", "(=> (isBound s) (exists ((x Slot)) (and (= (kind x) Sid) (= (slotSid x) s))))"],
  ["assigned banks", "((b Bank))", "(=> (hasSpace b) (or (exists ((x Slot)) (and (= (kind x) Cb) (= (slotCb x) b))) (exists ((x Stream)) (and (isBound x) (= (bound x) b)))))"],
];

const literal = ({ smt, is }: Case["facts"][number]): string => (is ? smt : `(not ${smt})`);
const conjunction = (parts: readonly string[]): string => (parts.length === 0 ? "true" : parts.length === 1 ? parts[0]! : `(and ${parts.join(" ")})`);
const applied = ({ name, of }: Derived["output"]): string => (of === "" ? `${name}_after` : `(${name}_after ${of})`);

/** What a table says of the state afterwards. A row of facts that no run had says nothing. */
const formulaOf = ({ output, cases }: Derived): string => {
  const { row, kind } = output;
  const target = output.name === "newRights" ? "newRights" : applied(output);
  const lines = (cases ?? []).map(({ facts, word }) => `(=> ${conjunction(facts.map(literal))} ${kind === "bound" ? `(=> ${target} ${word})` : `(= ${target} ${word})`})`);
  if (lines.length === 0) return "true";
  return variables[row] === "" ? conjunction(lines) : `(forall ${variables[row]} ${conjunction(lines)})`;
};

export interface Exported {
  readonly invocation: string;
  /** `possible`: that the invocation can happen at all, so that nothing is shown from a contradiction. */
  readonly clause: ClauseName | "possible";
  readonly expected: "unsat" | "sat";
  readonly file: string;
  readonly text: string;
}
/** What a transition could not say, by field. */
export const missingIn = ({ derived, performed, silent }: Transition, footprint: Declared): string[] => [...derived.flatMap(({ output, cases }) => (cases === undefined && !untouched({ output }, footprint, silent) ? [output.name] : [])), ...(performed === undefined ? ["whether it is refused"] : [])];

const fileName = (invocation: string, clause: Exported["clause"]): string => `${invocation.toLowerCase().replaceAll(/[^a-z]+/g, "-")}--${clause.replaceAll(" ", "-")}.smt2`;

/** Which rows of the footprint each field is of; where none of them is written, the field is as it was. */
const ROWS_OF: Readonly<Record<string, readonly string[]>> = {
  isBound: ["its stream's binding", "another stream's binding"],
  bound: ["its stream's binding", "another stream's binding"],
  hasSpace: ["its bank's space", "another bank's space"],
  space: ["its bank's space", "another bank's space"],
  live: ["its space's ASID", "another space's ASID"],
  mapped: ["its space's entries", "another space's entries"],
  frame: ["its space's entries", "another space's entries"],
  rights: ["its space's entries", "another space's entries"],
  issuedStream: ["its stream", "another stream"],
  issuedBank: ["its bank", "another bank"],
};
const SLOT_FIELDS = new Set(SIGNATURE.flatMap(([name, args]) => (args === "Slot" ? [name] : [])));
/** A field that no run can have changed: of a kernel's row that is not written, or of a machine that was given nothing. */
export const untouched = ({ output: { name } }: Pick<Derived, "output">, { writes }: Declared, silent: boolean): boolean => {
  if (name === "newRights" || SLOT_FIELDS.has(name)) return false;
  const rows = ROWS_OF[name];
  return rows === undefined ? silent : !rows.some((row) => writes.includes(row));
};
const unchanged = ({ output }: Derived): string => {
  const { name, of, row } = output;
  const formula = of === "" ? `(= ${name}_after ${name})` : `(= (${name}_after ${of}) (${name} ${of}))`;
  return variables[row] === "" ? formula : `(forall ${variables[row]} ${formula})`;
};

/** Slots beyond the declared footprint are as they were. */
const slotFrame = ({ writes }: Declared): string[] => {
  const written = [...(writes.includes("the first slot") ? ["(= c c0)"] : []), ...(writes.includes("the second slot") ? ["(= c c1)"] : []), ...(writes.includes("another slot") ? ["(desc c)"] : [])];
  const same = SIGNATURE.flatMap(([name, args]) => (args === "Slot" ? [`(= (${name}_after c) (${name} c))`] : []));
  return [`(assert (forall ((c Slot)) (=> (not (or false ${written.join(" ")})) ${conjunction(same)})))`];
};

export const exportInvocation = (invocation: string, kinds: Roles, footprint: Declared, transition: Transition): Exported[] => {
  const performed = transition.performed ?? [];
  const head = [
    `; ${invocation}`,
    "(set-logic ALL)",
    ...["Stream", "Bank", "Space", "Page", "Frame", "Slot"].map((sort) => `(declare-sort ${sort} 0)`),
    "(declare-datatypes ((Rights 0)) (((KO) (RW) (RO))))",
    "(declare-datatypes ((Kind 0)) (((Null) (Sid) (Cb) (Vs) (FrameCap))))",
    ...SIGNATURE.flatMap(([name, args, result]) => [declare(name, args, result), declare(`${name}_after`, args, result)]),
    "; what the invocation names: the first slot, the second, the words",
    "(declare-const c0 Slot)",
    "(declare-const c1 Slot)",
    "(assert (not (= c0 c1)))",
    "(declare-const newSid Stream)",
    "(declare-const newCb Bank)",
    "(declare-const page Page)",
    "(declare-const newRights Rights)",
    "(declare-const wordRead Bool)",
    "(declare-const wordWrite Bool)",
    "; descent from the first slot, of slots and of the kernel's copies",
    "(declare-fun desc (Slot) Bool)",
    "(declare-fun descStream (Stream) Bool)",
    "(declare-fun descBank (Bank) Bool)",
    ...premises(kinds, transition),
    "; the universal clauses, before",
    ...universalClauses.map(([, formula]) => `(assert ${formula})`),
    "; not refused",
    `(assert (or false ${performed.map(({ facts }) => conjunction(facts.map(literal))).join(" ")}))`,
    "; what changes",
    ...slotFrame(footprint),
    ...transition.derived.map((each) => `(assert ${untouched(each, footprint, transition.silent) ? unchanged(each) : formulaOf(each)}) ; ${each.output.name}`),
  ];
  const text = (lines: readonly string[]): string => `${[...head, ...lines, "(check-sat)"].join("\n")}\n`;
  const universalFiles = universalClauses.map(([clause, formula]): Exported => ({ invocation, clause, expected: "unsat", file: fileName(invocation, clause), text: text([`; afterwards: ${clause}`, `(assert (not ${afterwards(formula)}))`]) }));
  const witnessedFiles = witnessedClauses.map(([clause, over, body]): Exported => {
    const chosen = [...over.matchAll(/\((\w) (\w+)\)/g)];
    const constants = chosen.map(([, variable, sort]) => `(declare-const ${variable} ${sort})`);
    return { invocation, clause, expected: "unsat", file: fileName(invocation, clause), text: text([`; for some rows ${clause} held, and afterwards does not`, ...constants, `(assert ${body})`, `(assert (not ${afterwards(body)}))`]) };
  });
  const possible: Exported = { invocation, clause: "possible", expected: "sat", file: fileName(invocation, "possible"), text: text(["; it can happen"]) };
  return [...universalFiles, ...witnessedFiles, possible];
};

/** What the slots hold, and what descends from what: a copy names what its original does. */
const premises = ({ target, argument = NONE }: { readonly target: number; readonly argument?: number }, { names: { revokes, issues } }: Transition): string[] => {
  const kindOf = (slot: string, kind: number): string[] => (kind === NONE ? [] : [`(assert (= (kind ${slot}) ${kindNames[kind]}))`]);
  const same = target === SID ? "(and (= (kind c) Sid) (= (slotSid c) (slotSid c0)))" : target === CB ? "(and (= (kind c) Cb) (= (slotCb c) (slotCb c0)))" : target === FRAME ? "(and (= (kind c) FrameCap) (= (slotFrame c) (slotFrame c0)))" : "(and (= (kind c) Vs) (= (slotVs c) (slotVs c0)))";
  return [
    ...kindOf("c0", target),
    ...kindOf("c1", argument),
    ...(issues === SID ? ["(assert (not (issuedStream newSid)))"] : []),
    ...(issues === CB ? ["(assert (not (issuedBank newCb)))"] : []),
    ...(revokes
      ? [
          "(assert (not (desc c0)))",
          `(assert (forall ((c Slot)) (=> (desc c) ${same})))`,
          `(assert (forall ((s Stream)) (=> (descStream s) ${target === CB ? "(and (isBound s) (= (bound s) (slotCb c0)))" : "false"})))`,
          `(assert (forall ((b Bank)) (=> (descBank b) ${target === SID || target === CB || target === FRAME ? "false" : "(and (hasSpace b) (= (space b) (slotVs c0)))"})))`,
        ]
      : []),
  ];
};
