/**
 * counters: what the kernel notes about capabilities is what the capabilities say. Of a stream, a bank and an ASID: that
 * it is somebody's. Of an untyped: how much was made of it. Where a profile counts an address space's banks: that count.
 */
import { NONE } from "../../base/state.ts";
import { CB, SID, UNTYPED, VSPACE } from "../../kernel/capability.ts";
import type { Booted } from "../../system/boot.ts";
import { memoryOf } from "./memory.ts";
import { ofParts, type Part, rowsOf, slotText } from "./parts.ts";

const differ = (noted: boolean, held: boolean, name: string, what: string): string | undefined => {
  if (noted === held) return undefined;
  return noted ? `${name} ${what}, and nobody holds a capability to it` : `somebody holds a capability to ${name}, of which the kernel does not note that it ${what}`;
};

/** smmuStateSIDTable, smmuStateCBTable. */
const issued = ({ plan }: Booted): Part[] => [
  ...plan.sids.map(({ name }, object): Part => ({ tables }) => differ(tables.sid.at(object).issued === 1, tables.slot.any({ kind: SID, object }), name, "is issued")),
  ...plan.cbs.map(({ name }, object): Part => ({ tables }) => differ(tables.cb.at(object).issued === 1, tables.slot.any({ kind: CB, object }), `bank ${name}`, "is issued")),
];

const named = ({ plan }: Booted): Part[] =>
  plan.vspaces.map(({ name }, object): Part => ({ tables }) => {
    const { asid } = tables.vspace.at(object);
    return differ(asid !== NONE && tables.asid.at(asid).vspace === object, tables.slot.any({ kind: VSPACE, object }), `address space ${name}`, "has an ASID");
  });

/** Bytes that the kernel takes for free are not part of anything. */
const handedOut = (booted: Booted): Part[] =>
  booted.plan.untypeds.length === 0
    ? []
    : rowsOf(booted).map(({ row }): Part => (kernel) => {
        const { plan, tables } = kernel;
        const { slot } = tables;
        const untyped = slot.at(row);
        if (untyped.kind !== UNTYPED) return undefined;
        const { base, unit } = plan.untypeds[untyped.object]!;
        const child = slot.having({ parent: row }).find((at) => {
          const memory = memoryOf(plan, slot.at(at).kind, slot.at(at).object);
          return memory !== undefined && memory.end > base + BigInt(untyped.watermark) * unit;
        });
        return child === undefined ? undefined : `${slotText(kernel, row)} would hand out the memory of ${slotText(kernel, child)} again`;
      });

/** asid_map_vspace.bind_cb and smmuStateCBAsidTable, where a profile has them; eight bits wrap. */
const banks = ({ plan, profile }: Booted): Part[] =>
  profile.bankCounter === 0
    ? []
    : [
        ...plan.asids.map(({ number }, asid): Part => ({ tables }) => {
          const [noted, users] = [tables.asid.at(asid).banks, tables.cb.having({ asid }).length];
          return noted === users % profile.bankCounter ? undefined : `ASID ${number} counts ${noted} bank(s), and ${users} use it`;
        }),
        ...plan.cbs.map(({ name, node }, cb): Part => ({ tables }) =>
          (tables.cb.at(cb).asid !== NONE) === (tables.slot.at(node).kind === VSPACE) ? undefined : `bank ${name} has ${tables.slot.at(node).kind === VSPACE ? "an address space and no ASID" : "an ASID and no address space"}`,
        ),
      ];

export const counters = ofParts({
  name: "counters",
  sentence: "A stream, a bank and an ASID are taken exactly as long as somebody holds them, and an untyped counts as handed out whatever was made of it.",
  needs: { words: "a stream or a bank is issued", met: ({ kernel: { tables } }) => tables.sid.some((sid) => sid.issued === 1) || tables.cb.some((cb) => cb.issued === 1) },
  parts: (booted) => [...issued(booted), ...named(booted), ...handedOut(booted), ...banks(booted)],
});
