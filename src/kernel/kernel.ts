/** What an invocation gets to work with: the tables, the unchanging plan, and where steps for the SMMU go. */
import type { Step } from "../base/step.ts";
import type { Driver } from "./driver.ts";
import type { Plan } from "./plan.ts";
import type { Profile, Safeguard } from "./profile.ts";
import type { KernelTables } from "./state.ts";

export interface Kernel {
  readonly plan: Plan;
  readonly profile: Profile;
  readonly tables: KernelTables;
  readonly driver: Driver;
  /** Appends steps to what this invocation gives the SMMU. */
  readonly emit: (steps: readonly Step[]) => void;
}

/** True unless this is the mutant without that safeguard. */
export const keeps = (kernel: Kernel, safeguard: Safeguard): boolean => kernel.profile.without !== safeguard;
