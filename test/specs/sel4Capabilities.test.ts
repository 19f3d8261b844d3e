/**
 * Capability layouts of specs/sel4 against two others: the masks below, written by hand from seL4's structures_64.bf and
 * structures.bf (block by block, most significant field first, counting down), and words that seL4's own accessors made
 * (libsel4/tools/bitfield_gen.py on those files at commit 1326364b, compiled for the host, fields drawn at random, then
 * at their greatest, and read back). For the talk's three, whose source is not public, the same generator ran on blocks
 * written from the slides.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capabilities, capabilityTypeOf, capabilityTypes, CapabilityWord, FrameCap } from "../../specs/sel4/capabilities.ts";
import type { CapabilityField } from "../../specs/sel4/capabilityLayout.ts";
import { capabilitiesOf } from "../../specs/sel4/capabilityLayout.ts";
import { MdbNode } from "../../specs/sel4/mdbNode.ts";
import { talkCapabilities, talkCapabilityTypes } from "../../specs/sel4/talkCapabilities.ts";

/** A layout without its field names in the type. */
interface AnyLayout {
  readonly name: string;
  readonly fields: Readonly<Record<string, CapabilityField>>;
  readonly masks: readonly bigint[];
  readonly encode: (values: Readonly<Record<string, bigint | string>>) => bigint[];
  readonly decode: (words: readonly bigint[]) => Readonly<Record<string, bigint | string>>;
  readonly get: (words: readonly bigint[], field: string) => bigint | string;
  readonly lanes: (field: string) => { readonly read: (lanes: Uint32Array, base: number) => number; readonly write: (lanes: Uint32Array, base: number, value: number) => void };
  readonly reserved: (words: readonly bigint[]) => string[];
  readonly draw: () => string;
}
const plain = (layout: object): AnyLayout => layout as AnyLayout;
const upstream = [...Object.values(capabilities), MdbNode].map(plain);
const talk = Object.values(talkCapabilities).map(plain);
const named = (records: readonly AnyLayout[], name: string): AnyLayout => records.find((record) => record.name === name)!;

/** By field: word, bits of that word, and how far the value is shifted down besides (`field_high` that is not in place). */
type Masks = Readonly<Record<string, Readonly<Record<string, readonly [word: number, mask: bigint, dropped?: number]>>>>;
const type = { capType: [0, 0xf800_0000_0000_0000n] } as const;
const low48 = 0xffff_ffff_ffffn;
const all = 0xffff_ffff_ffff_ffffn;
const asid = 0xffff_0000_0000_0000n;

const upstreamMasks: Masks = {
  null_cap: type,
  untyped_cap: { ...type, capPtr: [0, low48], capFreeIndex: [1, 0xffff_ffff_ffff_0000n], capIsDevice: [1, 0x40n], capBlockSize: [1, 0x3fn] },
  endpoint_cap: {
    ...type,
    capCanGrantReply: [0, 0x0400_0000_0000_0000n],
    capCanGrant: [0, 0x0200_0000_0000_0000n],
    capCanReceive: [0, 0x0100_0000_0000_0000n],
    capCanSend: [0, 0x0080_0000_0000_0000n],
    capEPPtr: [0, low48],
    capEPBadge: [1, all],
  },
  notification_cap: { ...type, capNtfnCanReceive: [0, 0x0400_0000_0000_0000n], capNtfnCanSend: [0, 0x0200_0000_0000_0000n], capNtfnPtr: [0, low48], capNtfnBadge: [1, all] },
  reply_cap: { ...type, capReplyCanGrant: [0, 0x2n], capReplyMaster: [0, 0x1n], capTCBPtr: [1, all] },
  cnode_cap: { ...type, capCNodeGuardSize: [0, 0x07e0_0000_0000_0000n], capCNodeRadix: [0, 0x001f_8000_0000_0000n], capCNodePtr: [0, 0x7fff_ffff_ffffn, 1], capCNodeGuard: [1, all] },
  thread_cap: { ...type, capTCBPtr: [0, low48] },
  irq_control_cap: type,
  irq_handler_cap: { ...type, capIRQ: [1, 0xfffn] },
  zombie_cap: { ...type, capZombieType: [0, 0x7fn], capZombieID: [1, all] },
  domain_cap: type,
  frame_cap: {
    ...type,
    capFSize: [0, 0x0600_0000_0000_0000n],
    capFMappedAddress: [0, 0x01ff_ffff_ffff_fe00n],
    capFVMRights: [0, 0x180n],
    capFIsDevice: [0, 0x40n],
    capFMappedASID: [1, asid],
    capFBasePtr: [1, low48],
  },
  page_table_cap: { ...type, capPTIsMapped: [0, 0x1_0000_0000_0000n], capPTMappedAddress: [0, 0xffff_fff0_0000n], capPTMappedASID: [1, asid], capPTBasePtr: [1, low48] },
  vspace_cap: { ...type, capVSIsMapped: [0, 0x0400_0000_0000_0000n], capVSMappedCB: [0, 0x03fc_0000_0000_0000n], capVSMappedASID: [1, asid], capVSBasePtr: [1, low48] },
  asid_control_cap: type,
  asid_pool_cap: { ...type, capASIDBase: [0, 0x07ff_f800_0000_0000n], capASIDPool: [0, 0x1f_ffff_ffffn, 11] },
  vcpu_cap: { ...type, capVCPUPtr: [0, 0x07ff_ffff_ffff_f800n] },
  sid_control_cap: type,
  sid_cap: { ...type, capSID: [1, 0xfffn] },
  cb_control_cap: type,
  cb_cap: { ...type, capBindSID: [1, 0xf_ff00n], capCB: [1, 0xffn] },
  smc_cap: { ...type, capSMCBadge: [1, all] },
  sgi_signal_cap: { ...type, capSGIIRQ: [0, 0x0780_0000_0000_0000n], capSGITarget: [1, 0xffff_ffffn] },
  mdb_node: { mdbPrev: [0, all], mdbNext: [1, 0xffff_ffff_fffcn], mdbRevocable: [1, 0x2n], mdbFirstBadged: [1, 0x1n] },
};

const talkMasks: Masks = {
  sid_cap: { ...type, capDevID: [1, 0xf_0000_0000n], capSID: [1, 0xffff_ffffn] },
  cb_cap: { ...type, capDevID: [1, 0xf000_0000_0000n], capBindSID: [1, 0xfff_ffff_f000n], capCB: [1, 0xfffn] },
  page_upper_directory_cap: {
    ...type,
    capPUDIsMapped: [0, 0x0400_0000_0000_0000n],
    capPUDMappedAddress: [0, 0x03ff_0000_0000_0000n, 38],
    capPUDMappedCB: [0, 0xfff0_0000_0000n],
    capPUDSMMUID: [0, 0xf_0000_0000n],
    capPUDMappedASID: [1, asid],
    capPUDBasePtr: [1, low48],
  },
};

type Row = readonly [name: string, values: Readonly<Record<string, bigint>>, word0: bigint, word1: bigint];

/** What seL4's generated accessors make of fields: the second word of each pair is words[1]. */
const generated: readonly Row[] = [
  ["mdb_node", { mdbNext: 0x4de452e6b438n, mdbRevocable: 0x1n, mdbFirstBadged: 0x0n, mdbPrev: 0xd23f0824128b2f33n }, 0xd23f0824128b2f33n, 0x00004de452e6b43an],
  ["mdb_node", { mdbNext: 0xe811892f9028n, mdbRevocable: 0x0n, mdbFirstBadged: 0x1n, mdbPrev: 0x36f675cc81e74ef5n }, 0x36f675cc81e74ef5n, 0x0000e811892f9029n],
  ["mdb_node", { mdbNext: 0xfffffffffffcn, mdbRevocable: 0x1n, mdbFirstBadged: 0x1n, mdbPrev: 0xffffffffffffffffn }, 0xffffffffffffffffn, 0x0000ffffffffffffn],
  ["null_cap", {}, 0x0000000000000000n, 0x0000000000000000n],
  ["untyped_cap", { capFreeIndex: 0xa35a099950d8n, capIsDevice: 0x1n, capBlockSize: 0xfn, capPtr: 0x6ece1738f7d9n }, 0x10006ece1738f7d9n, 0xa35a099950d8004fn],
  ["untyped_cap", { capFreeIndex: 0xddb66cad4a26n, capIsDevice: 0x0n, capBlockSize: 0x23n, capPtr: 0xb33839263059n }, 0x1000b33839263059n, 0xddb66cad4a260023n],
  ["untyped_cap", { capFreeIndex: 0xffffffffffffn, capIsDevice: 0x1n, capBlockSize: 0x3fn, capPtr: 0xffffffffffffn }, 0x1000ffffffffffffn, 0xffffffffffff007fn],
  ["endpoint_cap", { capEPBadge: 0x953f48f1a09f76b5n, capCanGrantReply: 0x1n, capCanGrant: 0x0n, capCanSend: 0x1n, capCanReceive: 0x0n, capEPPtr: 0x973e0becd7b0n }, 0x2480973e0becd7b0n, 0x953f48f1a09f76b5n],
  ["endpoint_cap", { capEPBadge: 0x2217beaddbc496cbn, capCanGrantReply: 0x0n, capCanGrant: 0x1n, capCanSend: 0x0n, capCanReceive: 0x1n, capEPPtr: 0xba94d0eda82fn }, 0x2300ba94d0eda82fn, 0x2217beaddbc496cbn],
  ["endpoint_cap", { capEPBadge: 0xffffffffffffffffn, capCanGrantReply: 0x1n, capCanGrant: 0x1n, capCanSend: 0x1n, capCanReceive: 0x1n, capEPPtr: 0xffffffffffffn }, 0x2780ffffffffffffn, 0xffffffffffffffffn],
  ["notification_cap", { capNtfnBadge: 0x1a61dbe22e44158bn, capNtfnCanReceive: 0x1n, capNtfnCanSend: 0x0n, capNtfnPtr: 0x35d25f557203n }, 0x340035d25f557203n, 0x1a61dbe22e44158bn],
  ["notification_cap", { capNtfnBadge: 0xb64ce4228c38fb29n, capNtfnCanReceive: 0x0n, capNtfnCanSend: 0x1n, capNtfnPtr: 0x52434b9b5dfn }, 0x3200052434b9b5dfn, 0xb64ce4228c38fb29n],
  ["notification_cap", { capNtfnBadge: 0xffffffffffffffffn, capNtfnCanReceive: 0x1n, capNtfnCanSend: 0x1n, capNtfnPtr: 0xffffffffffffn }, 0x3600ffffffffffffn, 0xffffffffffffffffn],
  ["reply_cap", { capReplyCanGrant: 0x0n, capReplyMaster: 0x1n, capTCBPtr: 0x7731af10506bf2efn }, 0x4000000000000001n, 0x7731af10506bf2efn],
  ["reply_cap", { capReplyCanGrant: 0x1n, capReplyMaster: 0x0n, capTCBPtr: 0x3f98e2774cbd87adn }, 0x4000000000000002n, 0x3f98e2774cbd87adn],
  ["reply_cap", { capReplyCanGrant: 0x1n, capReplyMaster: 0x1n, capTCBPtr: 0xffffffffffffffffn }, 0x4000000000000003n, 0xffffffffffffffffn],
  ["cnode_cap", { capCNodeRadix: 0x27n, capCNodeGuardSize: 0x14n, capCNodeGuard: 0x14f4733f3e7d1bfbn, capCNodePtr: 0x2055930d6eaen }, 0x5293902ac986b757n, 0x14f4733f3e7d1bfbn],
  ["cnode_cap", { capCNodeRadix: 0x21n, capCNodeGuardSize: 0x7n, capCNodeGuard: 0x72e6cc3ababced20n, capCNodePtr: 0xbcfc49b64a08n }, 0x50f0de7e24db2504n, 0x72e6cc3ababced20n],
  ["cnode_cap", { capCNodeRadix: 0x3fn, capCNodeGuardSize: 0x3fn, capCNodeGuard: 0xffffffffffffffffn, capCNodePtr: 0xfffffffffffen }, 0x57ffffffffffffffn, 0xffffffffffffffffn],
  ["thread_cap", { capTCBPtr: 0x4acefaecbd38n }, 0x60004acefaecbd38n, 0x0000000000000000n],
  ["thread_cap", { capTCBPtr: 0x7bc1e398f10n }, 0x600007bc1e398f10n, 0x0000000000000000n],
  ["thread_cap", { capTCBPtr: 0xffffffffffffn }, 0x6000ffffffffffffn, 0x0000000000000000n],
  ["irq_control_cap", {}, 0x7000000000000000n, 0x0000000000000000n],
  ["irq_handler_cap", { capIRQ: 0x8e8n }, 0x8000000000000000n, 0x00000000000008e8n],
  ["irq_handler_cap", { capIRQ: 0xcffn }, 0x8000000000000000n, 0x0000000000000cffn],
  ["irq_handler_cap", { capIRQ: 0xfffn }, 0x8000000000000000n, 0x0000000000000fffn],
  ["zombie_cap", { capZombieID: 0xeeeacbe226e87555n, capZombieType: 0x2n }, 0x9000000000000002n, 0xeeeacbe226e87555n],
  ["zombie_cap", { capZombieID: 0xf646e1f40a097c97n, capZombieType: 0x50n }, 0x9000000000000050n, 0xf646e1f40a097c97n],
  ["zombie_cap", { capZombieID: 0xffffffffffffffffn, capZombieType: 0x7fn }, 0x900000000000007fn, 0xffffffffffffffffn],
  ["domain_cap", {}, 0xa000000000000000n, 0x0000000000000000n],
  ["frame_cap", { capFMappedASID: 0xea9en, capFBasePtr: 0x135e92b1d3f2n, capFSize: 0x3n, capFMappedAddress: 0x42425051c1ccn, capFVMRights: 0x3n, capFIsDevice: 0x1n }, 0x0e8484a0a38399c0n, 0xea9e135e92b1d3f2n],
  ["frame_cap", { capFMappedASID: 0x31bn, capFBasePtr: 0x72d174c9df6an, capFSize: 0x2n, capFMappedAddress: 0xbd81f1d69ed6n, capFVMRights: 0x1n, capFIsDevice: 0x0n }, 0x0d7b03e3ad3dac80n, 0x031b72d174c9df6an],
  ["frame_cap", { capFMappedASID: 0xffffn, capFBasePtr: 0xffffffffffffn, capFSize: 0x3n, capFMappedAddress: 0xffffffffffffn, capFVMRights: 0x3n, capFIsDevice: 0x1n }, 0x0fffffffffffffc0n, 0xffffffffffffffffn],
  ["page_table_cap", { capPTMappedASID: 0x80bn, capPTBasePtr: 0x6dcbb394fb36n, capPTIsMapped: 0x0n, capPTMappedAddress: 0x8f33fe300000n }, 0x18008f33fe300000n, 0x080b6dcbb394fb36n],
  ["page_table_cap", { capPTMappedASID: 0xa9a5n, capPTBasePtr: 0xeb5248db40afn, capPTIsMapped: 0x1n, capPTMappedAddress: 0x563dab200000n }, 0x1801563dab200000n, 0xa9a5eb5248db40afn],
  ["page_table_cap", { capPTMappedASID: 0xffffn, capPTBasePtr: 0xffffffffffffn, capPTIsMapped: 0x1n, capPTMappedAddress: 0xfffffff00000n }, 0x1801fffffff00000n, 0xffffffffffffffffn],
  ["vspace_cap", { capVSMappedASID: 0xaf07n, capVSBasePtr: 0xb2297631a992n, capVSIsMapped: 0x0n, capVSMappedCB: 0x78n }, 0x49e0000000000000n, 0xaf07b2297631a992n],
  ["vspace_cap", { capVSMappedASID: 0xa300n, capVSBasePtr: 0x2399c4aaeac1n, capVSIsMapped: 0x1n, capVSMappedCB: 0x83n }, 0x4e0c000000000000n, 0xa3002399c4aaeac1n],
  ["vspace_cap", { capVSMappedASID: 0xffffn, capVSBasePtr: 0xffffffffffffn, capVSIsMapped: 0x1n, capVSMappedCB: 0xffn }, 0x4ffc000000000000n, 0xffffffffffffffffn],
  ["asid_control_cap", {}, 0x5800000000000000n, 0x0000000000000000n],
  ["asid_pool_cap", { capASIDBase: 0x479cn, capASIDPool: 0x103cdf158000n }, 0x6a3ce002079be2b0n, 0x0000000000000000n],
  ["asid_pool_cap", { capASIDBase: 0xf9e7n, capASIDPool: 0x287672fdf000n }, 0x6fcf38050ece5fben, 0x0000000000000000n],
  ["asid_pool_cap", { capASIDBase: 0xffffn, capASIDPool: 0xfffffffff800n }, 0x6ffff81fffffffffn, 0x0000000000000000n],
  ["vcpu_cap", { capVCPUPtr: 0x771f8ca81811n }, 0x7bb8fc6540c08800n, 0x0000000000000000n],
  ["vcpu_cap", { capVCPUPtr: 0x977ee2257159n }, 0x7cbbf7112b8ac800n, 0x0000000000000000n],
  ["vcpu_cap", { capVCPUPtr: 0xffffffffffffn }, 0x7ffffffffffff800n, 0x0000000000000000n],
  ["sid_control_cap", {}, 0x8800000000000000n, 0x0000000000000000n],
  ["sid_cap", { capSID: 0x2d9n }, 0x9800000000000000n, 0x00000000000002d9n],
  ["sid_cap", { capSID: 0x609n }, 0x9800000000000000n, 0x0000000000000609n],
  ["sid_cap", { capSID: 0xfffn }, 0x9800000000000000n, 0x0000000000000fffn],
  ["cb_control_cap", {}, 0xa800000000000000n, 0x0000000000000000n],
  ["cb_cap", { capBindSID: 0xa4dn, capCB: 0x4dn }, 0xb800000000000000n, 0x00000000000a4d4dn],
  ["cb_cap", { capBindSID: 0xd40n, capCB: 0x5n }, 0xb800000000000000n, 0x00000000000d4005n],
  ["cb_cap", { capBindSID: 0xfffn, capCB: 0xffn }, 0xb800000000000000n, 0x00000000000fffffn],
  ["smc_cap", { capSMCBadge: 0x3b1287fff52ddf5dn }, 0xc800000000000000n, 0x3b1287fff52ddf5dn],
  ["smc_cap", { capSMCBadge: 0x153e7c2a26a2c0bdn }, 0xc800000000000000n, 0x153e7c2a26a2c0bdn],
  ["smc_cap", { capSMCBadge: 0xffffffffffffffffn }, 0xc800000000000000n, 0xffffffffffffffffn],
  ["sgi_signal_cap", { capSGITarget: 0x2d1c9af0n, capSGIIRQ: 0x6n }, 0xdb00000000000000n, 0x000000002d1c9af0n],
  ["sgi_signal_cap", { capSGITarget: 0x3bbbe9ean, capSGIIRQ: 0xfn }, 0xdf80000000000000n, 0x000000003bbbe9ean],
  ["sgi_signal_cap", { capSGITarget: 0xffffffffn, capSGIIRQ: 0xfn }, 0xdf80000000000000n, 0x00000000ffffffffn],
];
const generatedForTalk: readonly Row[] = [
  ["page_upper_directory_cap", { capPUDMappedASID: 0xb438n, capPUDBasePtr: 0x270e269e0d37n, capPUDIsMapped: 0x0n, capPUDMappedAddress: 0x80000000000n, capPUDMappedCB: 0x2bn, capPUDSMMUID: 0x8n }, 0x382002b800000000n, 0xb438270e269e0d37n],
  ["page_upper_directory_cap", { capPUDMappedASID: 0x475n, capPUDBasePtr: 0x75cc81e74ef5n, capPUDIsMapped: 0x1n, capPUDMappedAddress: 0x548000000000n, capPUDMappedCB: 0xb8fn, capPUDSMMUID: 0x9n }, 0x3d52b8f900000000n, 0x047575cc81e74ef5n],
  ["page_upper_directory_cap", { capPUDMappedASID: 0xffffn, capPUDBasePtr: 0xffffffffffffn, capPUDIsMapped: 0x1n, capPUDMappedAddress: 0xffc000000000n, capPUDMappedCB: 0xfffn, capPUDSMMUID: 0xfn }, 0x3fffffff00000000n, 0xffffffffffffffffn],
  ["sid_cap", { capDevID: 0x6n, capSID: 0xd3ac94afn }, 0x9800000000000000n, 0x00000006d3ac94afn],
  ["sid_cap", { capDevID: 0x3n, capSID: 0x39263059n }, 0x9800000000000000n, 0x0000000339263059n],
  ["sid_cap", { capDevID: 0xfn, capSID: 0xffffffffn }, 0x9800000000000000n, 0x0000000fffffffffn],
  ["cb_cap", { capDevID: 0x5n, capBindSID: 0xf29d0da9n, capCB: 0x4cfn }, 0xb800000000000000n, 0x00005f29d0da94cfn],
  ["cb_cap", { capDevID: 0x4n, capBindSID: 0xf9ebdaccn, capCB: 0x7b0n }, 0xb800000000000000n, 0x00004f9ebdacc7b0n],
  ["cb_cap", { capDevID: 0xfn, capBindSID: 0xffffffffn, capCB: 0xfffn }, 0xb800000000000000n, 0x0000ffffffffffffn],
];

const sets = [
  { set: "upstream", records: upstream, masks: upstreamMasks, rows: generated, types: capabilityTypes },
  { set: "talk", records: talk, masks: talkMasks, rows: generatedForTalk, types: talkCapabilityTypes },
] as const;

const width = ({ at: [hi, lo] }: CapabilityField): number => hi - lo + 1;
/** Any value that a field can hold; addresses whole. */
const valueOf = (field: CapabilityField): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(width(field))) - 1n }).map((stored) => stored << BigInt(field.dropped ?? (field.unit === undefined ? 0 : field.at[1])));
const valuesOf = ({ fields }: AnyLayout): fc.Arbitrary<Record<string, bigint>> =>
  fc.record(Object.fromEntries(Object.entries(fields).filter(([name]) => name !== "capType").map(([name, field]) => [name, valueOf(field)])), { noNullPrototype: true });
const word = fc.bigInt({ min: 0n, max: all });
/** Enumerators as their numbers, the type left out. */
const numbers = ({ fields }: AnyLayout, values: Readonly<Record<string, bigint | string>>): Record<string, bigint> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (name === "capType" ? [] : [[name, typeof value === "string" ? BigInt(fields[name]!.is![value]!) : value]])),
  );

describe.each(sets)("capabilities, $set", ({ records, masks, rows, types }) => {
  it("leaves none out of the second transcription, and none out of seL4's words", () => {
    const names = records.map(({ name }) => name).toSorted();
    expect(Object.keys(masks).toSorted()).toEqual(names);
    expect([...new Set(rows.map(([name]) => name))].toSorted()).toEqual(names);
  });

  it.each(records.map((record) => [record.name, record] as const))("%s has exactly these fields and bits", (name, record) => {
    const declared = Object.entries(record.fields).map(([field, { word: at = 0, at: [hi, lo], dropped, unit }]) => {
      const mask = ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo);
      // In place: the lowest stored bit of the value is the lowest bit of the field.
      if (unit !== undefined) expect(unit).toBe(2 ** lo);
      return [field, dropped === undefined ? [at, mask] : [at, mask, dropped]];
    });
    expect(Object.fromEntries(declared)).toEqual(masks[name]);
  });

  it.each(rows)("%s as seL4's accessors make it: %o", (name, values, word0, word1) => {
    const record = named(records, name);
    expect(record.encode(values)).toEqual([word0, word1]);
    expect(numbers(record, record.decode([word0, word1]))).toEqual(values);
    expect(record.reserved([word0, word1])).toEqual([]);
    if (name !== "mdb_node") expect(record.get([word0, word1], "capType")).toBe(name);
  });

  it.each(records.map((record) => [record.name, record] as const))("%s: fields go to words and back", (name, record) => {
    fc.assert(
      fc.property(valuesOf(record), (values) => {
        const words = record.encode(values);
        expect(numbers(record, record.decode(words))).toEqual(values);
        if (name !== "mdb_node") expect(words[0]! >> 59n).toBe(BigInt(types[name as keyof typeof types]));
        for (const field of Object.keys(values)) expect(numbers(record, { [field]: record.get(words, field) })).toEqual({ [field]: values[field] });
      }),
    );
  });

  it.each(records.map((record) => [record.name, record] as const))("%s: words go to fields and back, padding dropped", (name, record) => {
    fc.assert(
      fc.property(word, word, (word0, word1) => {
        const typed = name === "mdb_node" ? word0 : (word0 & (all >> 5n)) | (BigInt(types[name as keyof typeof types]) << 59n);
        const words = [typed, word1];
        expect(record.encode(record.decode(words))).toEqual(words.map((bits, at) => bits & record.masks[at]!));
      }),
    );
  });

  it.each(records.map((record) => [record.name, record] as const))("%s: 32-bit lanes say the same", (_, record) => {
    fc.assert(
      fc.property(valuesOf(record), word, word, (values, word0, word1) => {
        for (const [field, value] of Object.entries(values)) {
          if (width(record.fields[field]!) > 53) {
            expect(() => record.lanes(field)).toThrow(/a number holds 53/);
            continue;
          }
          const lanes = new BigUint64Array([word0, word1]);
          const plan = record.lanes(field);
          plan.write(new Uint32Array(lanes.buffer), 0, Number(value));
          expect(plan.read(new Uint32Array(lanes.buffer), 0)).toBe(Number(value));
          expect(numbers(record, { [field]: record.get([...lanes], field) })).toEqual({ [field]: value });
        }
      }),
    );
  });

  it.each(records.map((record) => [record.name, record] as const))("%s refuses what does not fit and what is misaligned", (name, record) => {
    for (const [field, spec] of Object.entries(record.fields)) {
      const top = BigInt(width(spec) + (spec.dropped ?? (spec.unit === undefined ? 0 : spec.at[1])));
      expect(() => record.encode({ [field]: 1n << top }), `${name}.${field}`).toThrow(RangeError);
      if (spec.dropped !== undefined || spec.unit !== undefined) expect(() => record.encode({ [field]: 1n }), `${name}.${field}`).toThrow(/not a multiple/);
    }
  });

  it.each(records.map((record) => [record.name, record] as const))("%s draws every field", (_, record) => {
    for (const field of Object.keys(record.fields)) expect(record.draw()).toContain(field);
  });
});

describe("capability types", () => {
  it("are the tags of seL4's union, odd for the architecture", () => {
    const generic = Object.entries(capabilityTypes).filter(([, tag]) => tag % 2 === 0);
    expect(generic.map(([name]) => name)).toEqual(["null_cap", "untyped_cap", "endpoint_cap", "notification_cap", "reply_cap", "cnode_cap", "thread_cap", "irq_control_cap", "irq_handler_cap", "zombie_cap", "domain_cap"]);
    expect(generic.map(([, tag]) => tag)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    const arm = Object.entries(capabilityTypes).filter(([, tag]) => tag % 2 === 1);
    expect(Object.fromEntries(arm)).toEqual({
      frame_cap: 1, page_table_cap: 3, vspace_cap: 9, asid_control_cap: 11, asid_pool_cap: 13, vcpu_cap: 15, sid_control_cap: 17, sid_cap: 19, cb_control_cap: 21, cb_cap: 23, smc_cap: 25, sgi_signal_cap: 27,
    });
    expect(Object.keys(capabilities).toSorted()).toEqual(Object.keys(capabilityTypes).toSorted());
    for (const [name, { tag, name: own }] of Object.entries(capabilities)) expect([own, tag]).toEqual([name, capabilityTypes[name as keyof typeof capabilityTypes]]);
  });

  it("are read from word 0", () => {
    expect(capabilityTypeOf([0xb800_0000_0000_0000n, 0n])).toBe("cb_cap");
    expect(capabilityTypeOf([0n, all])).toBe("null_cap");
    // 7 was the page upper directory, 22 is MCS's: this configuration has neither.
    expect([7n, 22n].map((tag) => capabilityTypeOf([tag << 59n, 0n]))).toEqual([undefined, undefined]);
    expect(CapabilityWord.get([31n << 59n, 0n], "capType")).toBe(31n);
  });

  it("of another capability are refused", () => {
    expect(() => capabilities.sid_cap.encode({ capType: "cb_cap", capSID: 1n })).toThrow(/sid_cap: its type is not cb_cap/);
    expect(capabilities.sid_cap.encode({ capType: "sid_cap", capSID: 1n })).toEqual([0x9800_0000_0000_0000n, 1n]);
  });

  it("a field is in place or shifted down, not both", () => {
    expect(() => capabilitiesOf({ a_cap: 1 })("a_cap", "here", { p: { at: [47, 12], unit: 4096, dropped: 12, doc: "both" } })).toThrow(/not both/);
  });
});

describe("capabilities by hand", () => {
  it("the kernel's copy of CB 5, bound to stream 0x10", () => {
    // 23 << 59 is 0xb8 in the top byte; 0x10 << 8 | 5.
    expect(capabilities.cb_cap.encode({ capBindSID: 0x10n, capCB: 5n })).toEqual([0xb800_0000_0000_0000n, 0x1005n]);
  });
  it("a user's CB capability names MAX_SID, as no stream", () => {
    expect(capabilities.cb_cap.decode([0xb800_0000_0000_0000n, 0x8005n])).toMatchObject({ capBindSID: 128n, capCB: 5n });
  });
  it("a 4 KiB frame at 0x4020_1000, mapped at 0x1_0000 in ASID 1, read-write", () => {
    // Word 0: type 1 << 59, address << 9, rights 1 << 7. Word 1: ASID << 48, address.
    const words = [0x0800_0000_0000_0000n | 0x200_0000n | 0x80n, 0x0001_0000_4020_1000n];
    expect(FrameCap.encode({ capFSize: "small", capFMappedAddress: 0x1_0000n, capFVMRights: "readWrite", capFMappedASID: 1n, capFBasePtr: 0x4020_1000n })).toEqual(words);
    // 3, not 2, is read-only.
    expect(FrameCap.get([words[0]! | 0x180n, words[1]!], "capFVMRights")).toBe("readOnly");
  });
  it("a CNode of 4096 slots at 0x4000_0000, guard 0 of size 52", () => {
    // 10 << 59, 52 << 53, 12 << 47, address >> 1.
    expect(capabilities.cnode_cap.encode({ capCNodeRadix: 12n, capCNodeGuardSize: 52n, capCNodePtr: 0x4000_0000n })).toEqual([0x5000_0000_0000_0000n + 0x0680_0000_0000_0000n + 0x0006_0000_0000_0000n + 0x2000_0000n, 0n]);
  });
  it("a slot whose neighbours are at 0x1000 and 0x2000, revocable", () => {
    expect(MdbNode.encode({ mdbPrev: 0x1000n, mdbNext: 0x2000n, mdbRevocable: 1n })).toEqual([0x1000n, 0x2002n]);
  });
});
