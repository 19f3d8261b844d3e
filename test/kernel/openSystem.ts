/**
 * A kernel that runs lists, for tests, in the one-line form of test/kernel/sequences/README.md: a system call as
 * `actor cptr label words… + cptrs…`, its answer as `error words…` and what reached whom.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hex } from "../../src/base/words.ts";
import { type Answer, type Delivered, invoke } from "../../src/kernel/api.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { profiles } from "../../src/kernel/profile.ts";
import { decodeFirstState } from "../../src/system/firstState.ts";
import { openFirstState } from "../../src/system/openKernel.ts";

const boot = readFileSync(join(import.meta.dirname, "../../specs/first-states/boot.yaml"), "utf8");

const delivered = ({ to, badge, words, caps }: Delivered): string => [` -> ${to} ${badge}`, ...(words.length > 0 ? [":", ...words] : []), ...(caps.length > 0 ? ["+", ...caps] : [])].join(" ");

/** An answer as one line. */
export const told = ({ error, words, received, restarted = {}, ...rest }: Omit<Answer, "words" | "restarted"> & { words: readonly (bigint | string)[]; restarted?: Answer["restarted"] }): string => {
  const own = [error.replace(/^seL4_/, ""), ...words.map((word) => (typeof word === "bigint" ? hex(word) : word))].join(" ");
  const reached = [rest.delivered, received].map((message) => (message === undefined ? "" : delivered(message))).join("");
  return own + reached + Object.entries(restarted).map(([who, answer]) => ` ; ${who} again: ${told(answer)}`).join("");
};

export interface OpenSystem {
  readonly kernel: Kernel;
  /** Makes one system call and tells the answer. */
  readonly say: (line: string) => string;
}

/** The kernel in the first state `boot`. */
export const openSystem = (profile = "sel4-smmuv2", text = boot): OpenSystem => {
  const { value: document, diagnostics } = decodeFirstState(text, "boot.yaml");
  const { value: opened, diagnostics: found } = document === undefined ? { value: undefined, diagnostics } : openFirstState(document, profiles.find(({ name }) => name === profile)!);
  if (opened === undefined) throw new Error(found.map(({ message }) => message).join("; "));
  const { kernel } = opened;
  const actors = kernel.plan.subjects.map(({ name }) => name);
  return {
    kernel,
    say: (line) => {
      const [call, caps] = line.split(" + ");
      const [actor, cptr, label, ...words] = call!.split(" ");
      return told(invoke(kernel, actors.indexOf(actor!), { cptr: BigInt(cptr!), label: label!, words: words.map(BigInt), caps: caps?.split(" ").map(BigInt) ?? [] }));
    },
  };
};
