/** A trace in one sentence: who did what, and what a device then reaches. All of it comes from the trace. */
import type { Trace, TraceStep } from "./trace.ts";

const listed = (items: readonly string[]): string => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`);

/** The row that a step changed first, which says best what it was about. */
const aimed = ({ op, changed }: TraceStep): string => (changed[0] === undefined ? op : `${op} (${changed[0].what})`);

/** What one actor did in a row. */
interface Turn {
  readonly actor: string;
  readonly did: readonly string[];
}
const turnsOf = (steps: readonly TraceStep[]): readonly Turn[] =>
  steps.reduce<readonly Turn[]>((turns, step) => {
    const last = turns.at(-1);
    if (last?.actor !== step.actor) return [...turns, { actor: step.actor, did: [aimed(step)] }];
    return [...turns.slice(0, -1), { actor: last.actor, did: [...last.did, aimed(step)] }];
  }, []);

/** A long trace is told by its length and its last turns. */
const MOST_TOLD = 12;

const deeds = (steps: readonly TraceStep[]): string => {
  if (steps.length === 0) return "From boot on";
  const told = turnsOf(steps.slice(-MOST_TOLD)).map(({ actor, did }) => `${actor} does ${listed(did)}`);
  const before = steps.length > MOST_TOLD ? `${steps.length - MOST_TOLD} invocations are made, then ` : "";
  return `${before}${told.join(", then ")}`;
};

const stream = ({ smmu, sid }: Trace["witness"]): string => (sid.startsWith("-") ? `any stream of SMMU ${smmu} that nobody was given` : `stream ${sid} of SMMU ${smmu}`);

/** The transaction that shows the break; undefined where there is none, as with a property that only says what is wrong. */
const reached = (witness: Trace["witness"]): string | undefined => {
  const { iova, op, pa, via } = witness;
  const cached = via.find(({ what }) => what.startsWith("cached"));
  const how = cached === undefined ? "" : ` by a ${cached.what}`;
  if (iova !== undefined && pa !== undefined) return `a ${op} by ${stream(witness)} at IOVA ${iova} reaches ${pa}${how}`;
  if (pa !== undefined) return `the SMMU may walk ${pa} for ${stream(witness)}${how}`;
  return via.length === 0 ? undefined : `${stream(witness)} is open`;
};

const toldWitness = (what: string | undefined): string => (what === undefined ? "" : `; now ${what}`);

/** Without a full stop, as messages are. */
export const summaryOf = ({ steps, witness, message }: Pick<Trace, "steps" | "witness" | "message">): string => `${deeds(steps)}${toldWitness(reached(witness))}: ${message}`;
