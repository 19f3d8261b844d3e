/** What an invocation gets to work with: the tables, the unchanging plan, and where steps for the SMMU go. */
import type { Step } from "../base/step.ts";
import type { Driver } from "./driver.ts";
import type { Invocation, Request } from "./invocation.ts";
import type { Plan } from "./plan.ts";
import type { Profile, Safeguard } from "./profile.ts";
import type { KernelTables } from "./state.ts";

/** A system call as an invocation list has it, or an invocation by its label. */
export interface Message {
  readonly cptr: bigint;
  readonly label: string;
  readonly words: readonly bigint[];
  /** Extra capabilities, as cptrs in the caller's CSpace; at most three (seL4_MsgMaxExtraCaps). */
  readonly caps: readonly bigint[];
  /** An interrupt is pending after so many preemption points of this call. */
  readonly preempt?: number;
}

/** What a thread left in its message registers and IPC buffer: a message, or where a capability is to go. */
export interface Parcel {
  readonly words: readonly bigint[];
  /** Cptrs. */
  readonly caps: readonly bigint[];
  /** True for a receiver: `words` are index and depth, `caps` is the root of the slot for a capability. */
  readonly receives: boolean;
}

/** What is no small integer, and therefore no part of the tables: only a kernel that runs a list has it. */
export interface Contents {
  /** By thread. */
  readonly messages: Map<number, Parcel>;
  /** By thread: its last system call, while a restart would repeat it. */
  readonly calls: Map<number, Message>;
  /** Registers of threads and of VCPUs, by number; 0 unless written. */
  readonly registers: Map<number, Map<number, bigint>>;
  readonly virtualRegisters: Map<number, Map<number, bigint>>;
  /** Preemption points that the running call passes before an interrupt is pending at one; none is when undefined. */
  preemptAfter: number | undefined;
}

/** Told how an invocation ended: performed, or by an error of the kernel's own, which is then no error of the caller. */
export interface Watched {
  readonly performed: () => void;
  readonly failed: (error: unknown) => void;
}

export interface Kernel {
  readonly plan: Plan;
  readonly profile: Profile;
  readonly tables: KernelTables;
  readonly driver: Driver;
  /** Appends steps to what this invocation gives the SMMU. */
  readonly emit: (steps: readonly Step[]) => void;
  readonly contents?: Contents;
  /** Told of an invocation before it is performed: for who holds a kernel to its answers. */
  readonly watch?: (definition: Invocation, request: Request) => Watched;
}

export const noContents = (): Contents => ({ messages: new Map(), calls: new Map(), registers: new Map(), virtualRegisters: new Map(), preemptAfter: undefined });

/**
 * The kernel follows a null pointer, which its own page tables do not map: it takes a data abort and stops for good (seL4
 * src/arch/arm/c_traps.c, kernel faults are not handled). Thrown where that happens; what was done before stays done.
 */
export class KernelHalt extends Error {
  override readonly name = "KernelHalt";
}
/** A long operation stopped at a preemption point (seL4 src/model/preemption.c); the same call goes on where it stopped. */
export class Preempted extends Error {
  override readonly name = "Preempted";
}
/** Another thread may run here. seL4 looks for an interrupt at every hundredth point only; here it may be at any. */
export const preemptionPoint = ({ contents }: Kernel): void => {
  if (contents?.preemptAfter === undefined) return;
  if (contents.preemptAfter === 0) throw new Preempted();
  contents.preemptAfter -= 1;
};
export const halt = (kernel: Kernel, why: string): never => {
  kernel.tables.processor.at(0).halted = 1;
  throw new KernelHalt(why);
};

/** True unless this is the mutant without that safeguard. */
export const keeps = (kernel: Kernel, safeguard: Safeguard): boolean => kernel.profile.without !== safeguard;
