/**
 * Object types and sizes, aarch64 (seL4 libsel4/include/sel4/objecttype.h, arch constants.h). A size is in bits of
 * bytes: an object of 12 bits is 4 KiB. Retype's type numbers are those of a non-MCS hypervisor build.
 */
export const objectTypes = {
  untyped: { number: 0n, sizeBits: undefined },
  tcb: { number: 1n, sizeBits: 11 },
  endpoint: { number: 2n, sizeBits: 4 },
  notification: { number: 3n, sizeBits: 5 },
  cnode: { number: 4n, sizeBits: undefined },
  hugePage: { number: 5n, sizeBits: 30 },
  vspace: { number: 6n, sizeBits: 12 },
  smallPage: { number: 7n, sizeBits: 12 },
  largePage: { number: 8n, sizeBits: 21 },
  pageTable: { number: 9n, sizeBits: 12 },
  vcpu: { number: 10n, sizeBits: 12 },
} as const;

/** Bytes of a capability slot are 2^5, so a CNode of radix r is an object of r + 5 bits. */
export const SLOT_BITS = 5;
export const WORD_BITS = 64;
/** Retype makes at most this many objects at once (CONFIG_RETYPE_FAN_OUT_LIMIT). */
export const RETYPE_FAN_OUT_LIMIT = 256n;
/** Greatest untyped, in bits (seL4_MaxUntypedBits, 64-bit). */
export const MAX_UNTYPED_BITS = 47n;
export const MIN_UNTYPED_BITS = 4n;
/** Last user address of the 44-bit hypervisor configuration (seL4_UserTop, constants.h). */
export const USER_TOP = 0xfff_ffff_ffffn;

/** Capability rights word (libsel4 shared_types.bf). */
export const RIGHT_WRITE = 1n;
export const RIGHT_READ = 2n;
