/**
 * SIGINT and SIGTERM: the first asks whatever explores to stop, and what was found is kept; one that comes later ends the
 * program at once. A command that explores nothing asks for neither, and is ended by them as any program is.
 */
import { INTERRUPTED } from "./exit.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** npm hands a terminal's interrupt on to a program that had it already: so soon, a second one is the first. */
const SAME_MILLISECONDS = 1000;

let first: number | undefined;
const stops = new Set<() => void>();

const hear = (): void => {
  const now = performance.now();
  if (first !== undefined && now - first > SAME_MILLISECONDS) process.exit(INTERRUPTED);
  first ??= now;
  for (const stop of stops) stop();
};

/** Calls `stop` when the user interrupts, at once where that was before; answers how to leave it alone again. */
export const onInterrupt = (stop: () => void): (() => void) => {
  // Heard to the end from then on, so that no second signal cuts off what the first has asked to be written.
  for (const signal of SIGNALS) if (!process.listeners(signal).includes(hear)) process.on(signal, hear);
  stops.add(stop);
  if (first !== undefined) stop();
  return () => void stops.delete(stop);
};
