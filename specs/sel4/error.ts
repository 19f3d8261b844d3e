/**
 * seL4_Error: what a refused invocation answers, with the numbers of the wire.
 * Source: seL4 libsel4/include/sel4/errors.h; message words as src/object/tcb.c `setMRs_syscall_error` lays them.
 */
export const errors = {
  seL4_NoError: { number: 0, words: [] },
  seL4_InvalidArgument: { number: 1, words: ["argument number"] },
  seL4_InvalidCapability: { number: 2, words: ["capability number: 0 the invoked one, 1 the first extra"] },
  seL4_IllegalOperation: { number: 3, words: [] },
  seL4_RangeError: { number: 4, words: ["least", "greatest, inclusive"] },
  seL4_AlignmentError: { number: 5, words: [] },
  seL4_FailedLookup: { number: 6, words: ["1 if the source was looked up", "lookup fault", "…its words"] },
  seL4_TruncatedMessage: { number: 7, words: [] },
  seL4_DeleteFirst: { number: 8, words: [] },
  seL4_RevokeFirst: { number: 9, words: [] },
  seL4_NotEnoughMemory: { number: 10, words: ["bytes left"] },
} as const;

export type ErrorName = keyof typeof errors;

/** Lookup faults as FailedLookup's second word gives them: fault type + 1 (seL4 src/api/faults.c `setMRs_lookup_failure`). */
export const lookupFaults = {
  invalidRoot: 1n,
  missingCapability: 2n,
  depthMismatch: 3n,
  guardMismatch: 4n,
} as const;
