/**
 * What an SMMU may keep between transactions, as the hooks that one transaction asks (design D6). Without hooks nothing is
 * kept. `retained.ts` keeps everything until it is invalidated, as QEMU does; `mayHistory.ts` tries whatever could be kept.
 */
import type { Stage1Memory, Stage2Memory } from "./attributes.ts";
import type { Overrides, Stage1, Stage2 } from "./configuration.ts";
import type { Context, Half } from "./context.ts";
import type { Granule, Stage2Rights } from "./descriptor.ts";
import type { Via } from "./memory.ts";
import type { Fetched } from "./streamTable.ts";
import type { Regime1, Stage1Rights, Trail } from "./walk.ts";

/** What the stream table entry and the context descriptor of a transaction say together. */
export type Configured =
  | { readonly class: "abort"; readonly via: readonly Via[] }
  | { readonly class: "bypass"; readonly via: readonly Via[]; readonly overrides: Overrides }
  | { readonly class: "stage2"; readonly stage2: Stage2; readonly via: readonly Via[]; readonly overrides: Overrides }
  | {
      readonly class: "stage1";
      readonly configuration: Stage1;
      readonly context: Context;
      /** Physical addresses of the roots, where an implementation translates them with the configuration (a quirk). */
      readonly roots?: readonly [bigint | undefined, bigint | undefined];
      readonly via: readonly Via[];
      readonly overrides: Overrides;
    };

/** Whose translation is kept. */
export interface Tag {
  readonly vmid: number;
  /** Undefined for translations of stage 2 alone. */
  readonly asid: number | undefined;
  /** Kept for every ASID of the VMID (nG=0). */
  readonly global?: true;
  /** The StreamWorld, where it is not EL1; the VMID counts in EL1 alone. */
  readonly world?: "EL2" | "EL2-E2H";
}
/** A kept translation: of stage 1, of stage 2, or of both together. */
export interface Kept {
  /** First input address, and bytes. */
  readonly input: bigint;
  readonly size: bigint;
  /** First physical address. */
  readonly pa: bigint;
  readonly level: number;
  readonly granule: Granule;
  readonly stage1?: { readonly rights: Stage1Rights; readonly regime: Regime1; readonly memory: Stage1Memory };
  readonly stage2?: { readonly rights: Stage2Rights; readonly executeByPrivilege: boolean; readonly memory: Stage2Memory };
  /** First IPA, where both stages translate. */
  readonly ipa?: bigint;
  /** Of stage 1: for every ASID (nG=0). */
  readonly global?: true;
  readonly via: readonly Via[];
}
/** Where in a TLB an address is looked for. */
export interface Sought {
  readonly granule: Granule;
  readonly inputBits: number;
  /** Where both stages translate: stage 2's granule, by which a kept translation may be cut. */
  readonly stage2Granule?: Granule;
}

/** Whose walk it is. */
export type Walker = { readonly stage: 1; readonly tag: Tag; readonly context: Context; readonly half: Half } | { readonly stage: 2; readonly tag: Tag; readonly regime: Stage2 };

export interface Caches {
  /** The configuration of a stream: kept, or decoded now. `decode` gives undefined where the transaction is refused. */
  readonly configured: (sid: number, ssid: number | undefined, decode: () => Configured | undefined) => Configured | undefined;
  readonly lookUp: (tag: Tag, sought: Sought, address: bigint) => Kept | undefined;
  readonly keep: (tag: Tag, kept: Kept) => void;
  readonly fetched?: Fetched;
  /** Where walks begin and what they leave; then the stages' own translations are kept and looked up, too. */
  readonly trail?: (walker: Walker, address: bigint) => Trail;
}

export const noCaches: Caches = { configured: (_sid, _ssid, decode) => decode(), lookUp: () => undefined, keep: () => undefined };
