/**
 * A trace in the Informal Trace Format (https://apalache-mc.org/docs/adr/015adr-trace.html), which Apalache, Quint and
 * trace viewers read. A trace holds what changed, so a variable is a table that changes, with the fields of those of its
 * rows that do; what an invocation was is in the two variables that Quint's model-based testing reads.
 */
import { summaryOf } from "../traces/summary.ts";
import type { Trace, TraceStep } from "../traces/trace.ts";

type Value = number | string;
/** table -> row -> field -> value */
type Tables = Map<string, Map<string, Map<string, Value>>>;

const ACTION = "mbt::actionTaken";
const PICKS = "mbt::nondetPicks";
/** For traces that were written before they named the tables. */
const UNNAMED = "state";

const put = (tables: Tables, { table = UNNAMED, what, field }: TraceStep["changed"][number], value: Value, over: boolean): void => {
  const rows = tables.get(table) ?? new Map<string, Map<string, Value>>();
  const fields = rows.get(what) ?? new Map<string, Value>();
  if (over || !fields.has(field)) fields.set(field, value);
  tables.set(table, rows.set(what, fields));
};

/** What the fields that change are before they do. */
const firstTables = (steps: readonly TraceStep[]): Tables => {
  const tables: Tables = new Map();
  for (const change of steps.flatMap(({ changed }) => changed)) put(tables, change, change.old, false);
  return tables;
};

const valueText = (value: Value): object | string => (typeof value === "number" ? { "#bigint": String(value) } : value);
const mapText = <A>(map: ReadonlyMap<string, A>, each: (value: A) => unknown): object => ({ "#map": [...map].map(([key, value]) => [key, each(value)]) });

const stateOf = (tables: Tables, index: number, action: string, picks: ReadonlyMap<string, string>): object => ({
  "#meta": { index },
  ...Object.fromEntries([...tables].map(([table, rows]) => [table, mapText(rows, (fields) => mapText(fields, valueText))])),
  [ACTION]: action,
  [PICKS]: mapText(picks, (pick) => pick),
});

export const itfOf = (trace: Trace): string => {
  const tables = firstTables(trace.steps);
  const states = [stateOf(tables, 0, "init", new Map())];
  for (const [index, step] of trace.steps.entries()) {
    for (const change of step.changed) put(tables, change, change.new, true);
    states.push(stateOf(tables, index + 1, step.op, new Map([["actor", step.actor], ...Object.entries(step.args)])));
  }
  const meta = {
    format: "ITF",
    "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
    source: "cofferdam",
    status: "violation",
    description: `${trace.property}: ${summaryOf(trace)}`,
    property: trace.property,
    model: trace.model.hash,
    spec: trace.spec.hash,
  };
  return `${JSON.stringify({ "#meta": meta, vars: [...tables.keys(), ACTION, PICKS], states }, undefined, 2)}\n`;
};
