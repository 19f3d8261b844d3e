/**
 * What a kernel gives an SMMU, one step after another (design D5). The kernel compiles each invocation to a list of
 * these; the machine in src/smmuv3 executes them. Nothing else reaches the hardware, so what a step cannot say, a
 * kernel cannot do.
 */
import type { Pa } from "./words.ts";

/** 64-bit single-copy-atomic store to table memory. */
export interface Store {
  readonly kind: "store";
  readonly addr: Pa;
  readonly value: bigint;
  /** What the word is, for people: `STE[0x10].dw0`, `L3[5] of nic`. */
  readonly what: string;
}
/** The kernel's memset: every 64-bit word of [addr, addr+size) becomes the matching word of the repeated pattern. */
export interface Fill {
  readonly kind: "fill";
  readonly addr: Pa;
  /** Bytes; a multiple of the pattern. */
  readonly size: bigint;
  readonly pattern: readonly bigint[];
  readonly what: string;
}
/** Orders earlier stores before later steps (DSB, dma_wmb). It does not make a fetch of several words atomic. */
export interface Barrier {
  readonly kind: "barrier";
}
/** Register write; `offset` in bytes from the SMMU's base. */
export interface RegisterWrite {
  readonly kind: "register";
  readonly smmu: number;
  readonly offset: number;
  readonly value: bigint;
  readonly size: 4 | 8;
  /** Name of the register, for people. */
  readonly what?: string;
}
/** One 16-byte command for the command queue of SMMU `smmu`. */
export interface CommandIssue {
  readonly kind: "command";
  readonly smmu: number;
  readonly words: readonly [bigint, bigint];
  readonly what: string;
}
/** Issue CMD_SYNC to SMMU `smmu` and wait until it completes: the commands before it have then taken effect. */
export interface SyncWait {
  readonly kind: "sync";
  readonly smmu: number;
}
export type Step = Store | Fill | Barrier | RegisterWrite | CommandIssue | SyncWait;
