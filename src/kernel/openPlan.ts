/**
 * A plan that makes room for whatever is asked: any slot, any address, any object that Retype makes. It grows together
 * with the plain state that it belongs to, and nothing in it is ever taken away or renumbered, so that a kernel may run
 * any list of invocations on any first state. It is not for exploring: there the plan says what the scope is.
 */
import { leastState, NONE, type Plain } from "../base/state.ts";
import { hex, type Pa, streamId } from "../base/words.ts";
import { MIN_UNTYPED_BITS, SLOT_BITS } from "../../specs/sel4/object.ts";
import { ASID_POOL, CNODE, ENDPOINT, FRAME, kinds, NOTIFICATION, PAGE_TABLE, THREAD, UNTYPED, VCPU, VSPACE } from "./capability.ts";
import { levelShift, type Plan, type PlanLists, sameCdTable, type SlotPlace } from "./plan.ts";
import { kernelShape, type KernelShape } from "./state.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
/** The lists of an open plan, for who writes a first state. */
export type OpenLists = Mutable<PlanLists>;

/** Positions by key; a new key is appended by `add`, which answers its position. */
const positions = <K>(first: Iterable<readonly [K, number]> = []) => {
  const known = new Map(first);
  return (key: K, add: () => number): number => {
    let at = known.get(key);
    if (at === undefined) known.set(key, (at = add()));
    return at;
  };
};
const push = <T>(list: T[], item: T): number => list.push(item) - 1;

/** Where a row of the slot table is, as a key. */
const keyOf = (place: SlotPlace): string => {
  switch (place.in) {
    case "cnode":
      return `cnode ${place.cnode} ${place.index}`;
    case "thread":
      return `thread ${place.thread} ${place.index}`;
    case "sidNode":
      return `sid ${place.sid}`;
    case "cbNode":
      return `cb ${place.cb}`;
    default:
      return `irq ${place.irq}`;
  }
};

/** Opens a plan over a state, which it appends rows to. Both are the caller's own copies. */
export const openPlan = (given: PlanLists, state: Plain<KernelShape>): { readonly plan: Plan; readonly lists: OpenLists } => {
  const lists: OpenLists = Object.fromEntries(Object.entries(given).map(([name, list]) => [name, Array.isArray(list) ? [...(list as unknown[])] : list])) as unknown as OpenLists;
  // Objects may be smaller than the pages that a scaled untyped hands out.
  lists.untypeds = lists.untypeds.map((untyped) => ({ ...untyped, unit: 1n << MIN_UNTYPED_BITS }));
  const shape = kernelShape({ ...given, open: true } as Plan);
  const least = leastState(Object.fromEntries(Object.entries(shape).map(([name, { fields }]) => [name, { rows: 1, fields }])) as unknown as KernelShape);
  const grow = (table: keyof KernelShape): void => void (state[table] as object[]).push({ ...least[table][0] });

  const slotAt = positions(lists.slots.map((place, row) => [keyOf(place), row] as const));
  const slot = (place: SlotPlace): number =>
    slotAt(keyOf(place), () => {
      grow("slot");
      return push(lists.slots, place);
    });

  const entryIn = positions(lists.entries.map(({ vspace, level, address }, row) => [`${vspace} ${level} ${address}`, row] as const));
  const entryAt = (vspace: number, level: number, address: number): number => {
    const shift = levelShift(level);
    const first = (lists.addresses[address]! >> shift) << shift;
    return entryIn(`${vspace} ${level} ${first}`, () => {
      grow("entry");
      return push(lists.entries, { vspace, level, index: Number((first >> shift) & 511n), address: first });
    });
  };

  const pageIn = positions(lists.pages.map(({ pa, bits }, page) => [`${pa} ${bits}`, page] as const));
  const page = (address: Pa, bits: number, untyped: number, name: string): number =>
    pageIn(`${address} ${bits}`, () => push(lists.pages, { pa: address, bits, device: untyped !== NONE && lists.untypeds[untyped]!.device, untyped, name }));

  /** Appends an object of a kind to its list, with the rows that its state needs. */
  const make = (kind: number, address: Pa, bits: number, untyped: number): number => {
    const name = `${kinds[kind]!} at ${hex(address)}`;
    switch (kind) {
      case FRAME:
      case PAGE_TABLE:
        return page(address, bits, untyped, name);
      case CNODE:
        return push(lists.cnodes, { name, radix: bits - SLOT_BITS, firstRow: NONE, indices: [], spare: [], address });
      case VSPACE:
        grow("vspace");
        return push(lists.vspaces, { name, page: page(address, bits, untyped, name) });
      case UNTYPED:
        return push(lists.untypeds, { name, base: address, size: 1n << BigInt(bits), unit: 1n << MIN_UNTYPED_BITS, device: untyped !== NONE && lists.untypeds[untyped]!.device });
      case ASID_POOL:
        grow("asidPool");
        return push(lists.asidPools, { name, address });
      case ENDPOINT:
        return push(lists.endpoints, { name, address });
      case NOTIFICATION:
        grow("notification");
        return push(lists.notifications, { name, address });
      case THREAD:
        grow("thread");
        return push(lists.threads, { name, address });
      case VCPU:
        grow("vcpu");
        return push(lists.vcpus, { name, address });
      default:
        return NONE;
    }
  };
  const objects = positions<string>([
    ...lists.cnodes.flatMap(({ address, radix }, index) => (address === undefined ? [] : [[`${CNODE} ${address} ${radix + SLOT_BITS}`, index] as const])),
    ...lists.untypeds.map(({ base, size }, index) => [`${UNTYPED} ${base} ${size.toString(2).length - 1}`, index] as const),
    ...lists.vspaces.map(({ page: root }, index) => [`${VSPACE} ${lists.pages[root]!.pa} 12`, index] as const),
  ]);

  const found = <T>(list: T[], holds: (item: T) => boolean, add: () => number): number => {
    const at = list.findIndex(holds);
    return at < 0 ? add() : at;
  };
  const plan: Plan = {
    ...lists,
    open: true,
    entryAt,
    below: (row) => {
      const { vspace, level, address } = lists.entries[row]!;
      const shift = levelShift(level);
      return lists.entries.flatMap((entry, at) => (entry.vspace === vspace && entry.level > level && entry.address >> shift === address >> shift ? [at] : []));
    },
    slotRow: (cnode, index) => slot({ in: "cnode", cnode, index }),
    threadSlot: (thread, index) => slot({ in: "thread", thread, index }),
    irqSlot: (irq) => slot({ in: "irq", irq }),
    guardOf: (guard) => found(lists.guards, ({ size, value }) => size === guard.size && value === guard.value, () => push(lists.guards, guard)),
    addressOf: (iova) => found(lists.addresses, (address) => address === iova, () => push(lists.addresses, iova)),
    badgeOf: (badge) => found(lists.badges, (known) => known === badge, () => push(lists.badges, badge)),
    irqOf: (irq) =>
      found(lists.irqs, (known) => known === irq, () => {
        grow("irq");
        return push(lists.irqs, irq);
      }),
    asidOf: (number) =>
      found(lists.asids, (asid) => asid.number === number, () => {
        grow("asid");
        return push(lists.asids, { number });
      }),
    sidOf: (smmu, number) =>
      found(lists.sids, (sid) => sid.smmu === smmu && sid.sid === number, () => {
        grow("sid");
        return push(lists.sids, { name: `stream ${hex(number)}`, smmu, sid: streamId(number), mask: 0, node: slot({ in: "sidNode", sid: lists.sids.length }) });
      }),
    cbOf: (smmu, number) =>
      found(lists.cbs, (cb) => cb.smmu === smmu && cb.number === number, () => {
        grow("cb");
        return push(lists.cbs, { name: `bank ${number}`, smmu, number, vmid: number + 1, node: slot({ in: "cbNode", cb: lists.cbs.length }) });
      }),
    cdTableOf: (table) => found(lists.cdTables, (known) => sameCdTable(known, table), () => push(lists.cdTables, table)),
    objectOf: (kind, address, bits, untyped) => objects(`${kind} ${address} ${bits}`, () => make(kind, address, bits, untyped)),
  };  return { plan, lists };
};
