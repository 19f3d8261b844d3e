/**
 * A profile is a named record of design choices (design D7); a mutant is a profile with one safeguard removed, so that
 * each property can be shown to catch what it is there for. The kernel asks the profile at the very place where the
 * safeguard acts.
 */
export interface Profile {
  readonly name: string;
  readonly machine: "smmuv3";
  /** How many banks may use one VSpace (seL4: the 8-bit `bind_cb` counter of the ASID pool entry). */
  readonly bindLimit: number;
  /** SID and CB capabilities issued by a control capability can be revoked. Upstream: false (structures.h `Arch_isCapRevocable`). */
  readonly issuedRevocable: boolean;
  /** Present in a mutant only. */
  readonly without?: Safeguard;
}

/** The safeguards that can be removed, each with what the kernel then forgets. */
export const safeguards = {
  "unmap-invalidates": "Page_Unmap clears the entry but issues no TLB invalidation",
  "unbind-clears-ste": "UnbindCB drops the binding but leaves the stream table entry",
  "revoke-finalises-kernel-copies": "Revoke empties SIDNode and CBNode slots without reprogramming the SMMU",
  "frame-delete-invalidates": "deleting a mapped frame clears the entry but issues no TLB invalidation, so the page is retyped while cached",
  "table-delete-invalidates": "deleting a mapped page table clears the entry above but issues no invalidation, so the table is retyped while cached",
  "map-checks-rights": "Page_Map ignores the rights of the frame capability: a frame is mapped without the authority to write it",
  "unassign-aborts-streams": "UnassignVspace leaves the stream table entries of bound streams as they were",
  "vmid-cleared-between-vspaces": "neither UnassignVspace nor the next AssignVspace clears what the bank's VMID has cached",
  "retype-clears-memory": "Retype hands out memory without clearing it",
  "table-invalidates-everything-below": "removing a page table invalidates only the first address it covers",
  "ste-words-before-config": "BindCB and AssignVspace store the word with V and Config in the same CFGI as the others, so that one fetch may mix old and new ones",
  "map-breaks-before-make": "Page_Map over a valid entry issues no invalidation",
} as const;
export type Safeguard = keyof typeof safeguards;

/** seL4's refusals in seL4's order, but for the deviations (a)-(g) of design D7, each marked where it acts. */
export const cofferdam: Profile = { name: "cofferdam", machine: "smmuv3", bindLimit: 255, issuedRevocable: true };

export const mutantOf = (profile: Profile, without: Safeguard): Profile => ({ ...profile, without });
