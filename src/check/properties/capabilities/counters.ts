/**
 * counters: what the kernel notes about capabilities is what the capabilities say. Of a stream, a bank and an ASID: that
 * it is somebody's. Of an untyped: how much was made of it. Where a profile counts an address space's banks: that count.
 */
import { NONE } from "../../../base/state.ts";
import { CB, NULL, PAGE_TABLE, SID, UNTYPED, VSPACE } from "../../../kernel/capability.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Booted } from "../../../system/boot.ts";
import { ENTRY_TABLE } from "../../../kernel/state.ts";
import { memoryOf } from "./memory.ts";
import type { Part } from "../property.ts";
import { ofParts, ofRows, slotText } from "./parts.ts";

const part = (wrong: Part["wrong"]): Part => ({ wrong });
const differ = (noted: boolean, held: boolean, name: string, what: string): string | undefined => {
  if (noted === held) return undefined;
  return noted ? `${name} ${what}, and nobody holds a capability to it` : `somebody holds a capability to ${name}, of which the kernel does not note that it ${what}`;
};

/** smmuStateSIDTable, smmuStateCBTable. */
const issued = ({ plan }: Booted): Part[] => [
  ...plan.sids.map(({ name }, object) => part(({ tables }) => differ(tables.sid.at(object).issued === 1, tables.slot.any({ kind: SID, object }), name, "is issued"))),
  ...plan.cbs.map(({ name }, object) => part(({ tables }) => differ(tables.cb.at(object).issued === 1, tables.slot.any({ kind: CB, object }), `bank ${name}`, "is issued"))),
];

const named = ({ plan }: Booted): Part[] =>
  plan.vspaces.map(({ name }, object) =>
    part(({ tables }) => {
      const { asid } = tables.vspace.at(object);
      return differ(asid !== NONE && tables.asid.at(asid).vspace === object, tables.slot.any({ kind: VSPACE, object }), `address space ${name}`, "has an ASID");
    }),
  );

/** The other way round: what is found by an ASID is the address space that has it. */
const naming = ({ plan }: Booted): Part[] =>
  plan.asids.map(({ number }, asid) =>
    part(({ tables }) => {
      const { vspace } = tables.asid.at(asid);
      return vspace === NONE || tables.vspace.at(vspace).asid === asid ? undefined : `ASID ${number} names address space ${plan.vspaces[vspace]!.name}, which has it no more`;
    }),
  );

/** What is bound or assigned is somebody's: otherwise it is issued anew as it stands, and its next holder finds another's binding in it. */
const bound = ({ plan }: Booted): Part[] => [
  ...plan.sids.map(({ name, node }, object) => part(({ tables: { slot } }) => (slot.at(node).kind === NULL || slot.any({ kind: SID, object }) ? undefined : `${name} is bound, and nobody holds a capability to it`))),
  ...plan.cbs.map(({ name, node }, object) => part(({ tables: { slot } }) => (slot.at(node).kind === NULL || slot.any({ kind: CB, object }) ? undefined : `bank ${name} has an address space, and nobody holds a capability to it`))),
];

/** A table that is in use is so by all its capabilities: through one that does not say so it would be mapped a second time. */
const inUse = (kernel: Kernel, row: number): string | undefined => {
  const { plan, tables } = kernel;
  const { kind, object, asid } = tables.slot.at(row);
  if (kind !== PAGE_TABLE) return undefined;
  const uses = tables.entry.having({ kind: ENTRY_TABLE, page: object }).some((entry) => tables.vspace.at(plan.entries[entry]!.vspace).asid !== asid);
  return uses ? `an address space goes by the table of ${slotText(kernel, row)}, which does not say so` : undefined;
};

/** Bytes that the kernel takes for free are not part of anything. */
const handedOut = (kernel: Kernel, row: number): string | undefined => {
  const { plan, tables: { slot } } = kernel;
  const child = slot.at(row);
  if (child.kind === NULL || child.parent === NONE) return undefined;
  const untyped = slot.at(child.parent);
  if (untyped.kind !== UNTYPED) return undefined;
  const { base, unit } = plan.untypeds[untyped.object]!;
  const memory = memoryOf(plan, child.kind, child.object);
  return memory === undefined || memory.end <= base + BigInt(untyped.watermark) * unit ? undefined : `${slotText(kernel, child.parent)} would hand out the memory of ${slotText(kernel, row)} again`;
};

/** asid_map_vspace.bind_cb and smmuStateCBAsidTable, where a profile has them; eight bits wrap. */
const banks = ({ plan, profile }: Booted): Part[] =>
  profile.bankCounter === 0
    ? []
    : [
        ...plan.asids.map(({ number }, asid) =>
          part(({ tables }) => {
            const [noted, users] = [tables.asid.at(asid).banks, tables.cb.having({ asid }).length];
            return noted === users % profile.bankCounter ? undefined : `ASID ${number} counts ${noted} bank(s), and ${users} use it`;
          }),
        ),
        ...plan.cbs.map(({ name, node }, cb) =>
          part(({ tables }) => {
            const uses = tables.slot.at(node).kind === VSPACE;
            return (tables.cb.at(cb).asid !== NONE) === uses ? undefined : `bank ${name} has ${uses ? "an address space and no ASID" : "an ASID and no address space"}`;
          }),
        ),
      ];

export const counters = ofParts({
  name: "counters",
  sentence: "A stream, a bank and an ASID are taken exactly as long as somebody holds them, what is bound is taken, a page table in use is so by all its capabilities, and an untyped counts as handed out whatever was made of it.",
  needs: { words: "a stream or a bank is issued", met: ({ kernel: { tables } }) => tables.sid.some((sid) => sid.issued === 1) || tables.cb.some((cb) => cb.issued === 1) },
  parts: (booted) => [...issued(booted), ...bound(booted), ...named(booted), ...naming(booted), ...(booted.plan.untypeds.length === 0 ? [] : ofRows(booted, handedOut)), ...ofRows(booted, inUse), ...banks(booted)],
});
