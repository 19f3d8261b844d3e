/** A history with what the architecture and QEMU 10.0 make of it. */
import { qemuVirtIdentification } from "../../../specs/smmuv3/registers.ts";
import type { History } from "../../../src/smmuv3/history.ts";
import type { PlayerOptions, Readable, ResetOptions } from "../player.ts";

/**
 * One outcome as a line (test/qemu/outcomeLine.ts). Where the architecture leaves a choice, as a rule because something may
 * or may not be cached, the list has all of them. First is the one of a machine that keeps what transactions used, and that
 * only, until it is invalidated.
 */
export type ExpectedOutcome = string | readonly [string, ...string[]];

export interface Scenario {
  /** The rule that it shows. */
  readonly name: string;
  readonly history: History;
  /** One a transaction, and one a command that is not consumed, in order. */
  readonly architecture: readonly ExpectedOutcome[];
  /** `dies`: the process ends at the last transaction. */
  readonly qemu: readonly string[] | "dies";
  /** What registers read afterwards, where it matters; those of GERROR as if it had been 0 at first. */
  readonly registers?: { readonly architecture: Registers; readonly qemu: Registers };
  /** QEMU with one stage only. */
  readonly player?: PlayerOptions;
  readonly reset?: ResetOptions;
}
export type Registers = Readonly<Partial<Record<Readable, bigint>>>;

/** A scenario in which QEMU does what the architecture says. */
export const agreed = (name: string, history: History, outcomes: readonly string[], rest: Partial<Scenario> = {}): Scenario => ({ name, history, architecture: outcomes, qemu: outcomes, ...rest });
export const differing = (name: string, history: History, architecture: readonly ExpectedOutcome[], qemu: Scenario["qemu"], rest: Partial<Scenario> = {}): Scenario => ({ name, history, architecture, qemu, ...rest });

/** What the identification registers read on the machine of a scenario. */
export const identificationOf = ({ player }: Scenario): Readonly<Record<keyof typeof qemuVirtIdentification, number>> => {
  const { IDR0, IDR3, ...rest } = qemuVirtIdentification;
  if (player?.stage === undefined) return qemuVirtIdentification;
  // S1P or S2P is not there; XNX comes with stage 2.
  return player.stage === "1" ? { ...rest, IDR0: IDR0 & ~1, IDR3: IDR3 & ~0x10 } : { ...rest, IDR0: IDR0 & ~2, IDR3 };
};
