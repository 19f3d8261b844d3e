/**
 * A kernel that runs on a state of its own and makes room for whatever it is asked (kernel/openPlan.ts), from a first
 * state that is written down (firstState.ts) or from a layout as it boots. Each component is a thread.
 */
import type { Checked } from "../base/diagnostic.ts";
import { leastState, mutableCopy, NONE, type Plain, viewOf } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { pa, type Pa } from "../base/words.ts";
import {
  ASID_CONTROL,
  ASID_POOL,
  CB,
  CB_CONTROL,
  CNODE,
  DOMAIN,
  ENDPOINT,
  FRAME,
  IRQ_CONTROL,
  IRQ_HANDLER,
  NOTIFICATION,
  PAGE_TABLE,
  READ_ONLY,
  READ_WRITE,
  SID,
  SID_CONTROL,
  THREAD,
  UNTYPED,
  VCPU,
  VSPACE,
} from "../kernel/capability.ts";
import { driverOf } from "../kernel/driverOf.ts";
import { type Kernel, noContents } from "../kernel/kernel.ts";
import { type OpenLists, openPlan } from "../kernel/openPlan.ts";
import { fixedPlan, type Guard, type Plan, type PlanLists, rootGuard } from "../kernel/plan.ts";
import type { Profile } from "../kernel/profile.ts";
import { ASID_LOW_BITS, kernelShape, type KernelShape, type KernelTables, type SlotRow } from "../kernel/state.ts";
import { startThread, THREAD_SLOTS } from "../kernel/thread.ts";
import type { Booted } from "./boot.ts";
import { createFindings, type Findings } from "./findings.ts";
import type { FirstState, FirstStateCapability, FirstStateDocument, FirstStateRecord } from "./firstState.ts";
import type { KeyPath } from "./place.ts";

export interface OpenKernel {
  readonly kernel: Kernel;
  readonly state: Plain<KernelShape>;
  /** What the kernel has given the SMMU since it was last taken. */
  readonly takeSteps: () => readonly Step[];
}

const ALL_RIGHTS = 15;
const SLOT_BITS = 5;
const MEMORY = 0x4000_0000n;
const DEFAULT_RADIX = 8;
const THREAD_BITS = 11;
const PAGE_BITS = 12;

const noLists = (profile: Profile, smmus: PlanLists["smmus"]): PlanLists => ({
  smmus,
  subjects: [],
  cnodes: [],
  slots: [],
  guards: [{ size: 0, value: 0n }],
  badges: [0n],
  pages: [],
  untypeds: [],
  vspaces: [],
  asids: [],
  asidPools: [],
  endpoints: [],
  notifications: [],
  threads: [],
  vcpus: [],
  irqs: [],
  addresses: [],
  entries: [],
  entryAt: () => NONE,
  below: () => [],
  sids: [],
  cbs: [],
  cdTables: [],
  bankCounts: Math.max(1, profile.bankCounter),
});

const kernelOver = (plan: Plan, state: Plain<KernelShape>, profile: Profile): OpenKernel => {
  let steps: Step[] = [];
  const kernel: Kernel = { plan, profile, tables: viewOf(state), driver: driverOf(plan, profile), emit: (given) => void steps.push(...given), contents: noContents() };
  return {
    kernel,
    state,
    takeSteps: () => {
      const taken = steps;
      steps = [];
      return taken;
    },
  };
};

/** Physical memory of a written state: each object at the next place that is aligned to its size. */
const memory = () => {
  let next = MEMORY;
  return (bits: number): Pa => {
    const size = 1n << BigInt(bits);
    const at = (next + size - 1n) & -size;
    next = at + size;
    return pa(at);
  };
};

/** A component's root CNode is named by itself; other objects by kind and name. */
const rootKey = (component: string): string => `cnode ${component}`;

class Builder {
  readonly plan: Plan;
  readonly state: Plain<KernelShape>;
  private readonly lists: OpenLists;
  readonly tables: KernelTables;
  private readonly firstState: FirstState;
  private readonly findings: Findings;
  private readonly place = memory();
  /** Objects by kind and name, and the row that holds the original capability. */
  private readonly objects = new Map<string, number>();
  private readonly originals = new Map<string, number>();

  private readonly profile: Profile;

  constructor({ firstState, places }: FirstStateDocument, profile: Profile) {
    this.profile = profile;
    this.firstState = firstState;
    this.findings = createFindings(places);
    const streamBits = firstState["stream-bits"] ?? 16;
    const smmus = Array.from({ length: firstState.smmus ?? 1 }, (_, smmu) => ({ path: `smmu${smmu}`, streamTable: this.place(streamBits + 6), log2Size: streamBits }));
    const lists = noLists(profile, smmus);
    this.state = mutableCopy(leastState(kernelShape(fixedPlan(lists))));
    this.tables = viewOf(this.state);
    ({ plan: this.plan, lists: this.lists } = openPlan(lists, this.state));
  }

  build(): void {
    const components = Object.entries(this.firstState.components);
    for (const [name, { radix = DEFAULT_RADIX }] of components) {
      this.object(CNODE, rootKey(name), radix + SLOT_BITS);
      const thread = this.object(THREAD, `thread ${name}`, THREAD_BITS);
      this.lists.subjects.push({ name, trusted: false, cnode: this.objects.get(rootKey(name))!, thread });
    }
    for (const [name, { cspace, radix = DEFAULT_RADIX }] of components)
      for (const [slot, capability] of Object.entries(cspace)) {
        const path = ["components", name, "cspace", slot];
        if (Number(slot) >= 2 ** radix) this.findings.errorAtKey("no-such-slot", path, `slot ${slot} is beyond the ${2 ** radix} of \`${name}\``, "give the component a greater `radix`");
        else this.put(name, this.plan.slotRow(this.objects.get(rootKey(name))!, Number(slot)), capability, path);
      }
    this.adopt();
    for (const { name, thread } of this.plan.subjects) {
      this.grant(this.plan.threadSlot(thread!, THREAD_SLOTS.cspace), rootKey(name), (row) => this.cnode(row, rootKey(name), undefined));
      startThread(this, thread!);
    }
  }

  failed(): boolean {
    return this.findings.failed();
  }
  list() {
    return this.findings.list();
  }

  private object(kind: number, key: string, bits: number, base?: Pa): number {
    const known = this.objects.get(key);
    if (known !== undefined) return known;
    const made = this.plan.objectOf(kind, base ?? this.place(bits), bits, NONE);
    this.objects.set(key, made);
    this.rename(kind, made, key.replace(/^cnode /, ""));
    return made;
  }

  /** The name that the file gives, instead of one by the address. */
  private rename(kind: number, object: number, name: string): void {
    const { cnodes, vspaces, endpoints, notifications, threads, vcpus, pages } = this.lists;
    const lists: Readonly<Record<number, { name: string }[]>> = { [CNODE]: cnodes, [VSPACE]: vspaces, [ENDPOINT]: endpoints, [NOTIFICATION]: notifications, [THREAD]: threads, [VCPU]: vcpus, [FRAME]: pages, [PAGE_TABLE]: pages };
    const list = lists[kind];
    if (list !== undefined) list[object] = { ...list[object]!, name };
  }

  /** The first capability to an object is the original; the others are derived from it. */
  private grant(row: number, key: string, fill: (slot: SlotRow) => void): void {
    const slot = this.tables.slot.at(row);
    fill(slot);
    const original = this.originals.get(key);
    if (original === undefined) this.originals.set(key, row);
    const badged = original !== undefined && slot.badge !== this.tables.slot.at(original).badge;
    slot.parent = original ?? NONE;
    slot.revocable = Number(original === undefined || badged);
  }

  private cnode(slot: SlotRow, key: string, written: FirstStateRecord | undefined): void {
    slot.kind = CNODE;
    slot.object = this.objects.get(key)!;
    const root = rootGuard(this.plan.cnodes[slot.object]!.radix);
    const isRoot = Object.hasOwn(this.firstState.components, key.slice("cnode ".length));
    const guard: Guard = { size: written?.["guard-size"] ?? (isRoot ? root.size : 0), value: BigInt(written?.guard ?? 0) };
    slot.guard = this.plan.guardOf(guard);
  }

  private plain(row: number, kind: number): void {
    const slot = this.tables.slot.at(row);
    slot.kind = kind;
    slot.revocable = 1;
  }

  private put(component: string, row: number, capability: FirstStateCapability, path: KeyPath): void {
    switch (capability) {
      case "cnode":
        return this.grant(row, rootKey(component), (slot) => this.cnode(slot, rootKey(component), undefined));
      case "thread":
        return this.named(row, THREAD, `thread ${component}`, THREAD_BITS);
      case "irq-control":
        return this.plain(row, IRQ_CONTROL);
      case "asid-control":
        return this.plain(row, ASID_CONTROL);
      case "sid-control":
        return this.plain(row, SID_CONTROL);
      case "cb-control":
        return this.plain(row, CB_CONTROL);
      case "domain":
        return this.plain(row, DOMAIN);
      default:
        return this.putRecord(row, capability, path);
    }
  }

  private named(row: number, kind: number, key: string, bits: number, fill: (slot: SlotRow) => void = () => {}): void {
    const object = this.object(kind, key, bits);
    this.grant(row, key, (slot) => {
      slot.kind = kind;
      slot.object = object;
      fill(slot);
    });
  }

  private putRecord(row: number, written: FirstStateRecord, path: KeyPath): void {
    const { cnode, thread, untyped, vspace, endpoint, notification, frame, vcpu, irq, sid, cb } = written;
    const components = this.firstState.components;
    if (cnode !== undefined) {
      const key = rootKey(cnode);
      if (!this.objects.has(key)) {
        if (written.radix === undefined) return this.findings.error("no-radix", path, `\`${cnode}\` is no component, and the CNode has no radix`, "give `radix`");
        this.object(CNODE, key, written.radix + SLOT_BITS);
      }
      return this.grant(row, key, (slot) => this.cnode(slot, key, written));
    }
    if (thread !== undefined) {
      if (!Object.hasOwn(components, thread)) return this.findings.error("no-such-component", [...path, "thread"], `there is no component \`${thread}\``);
      return this.named(row, THREAD, `thread ${thread}`, THREAD_BITS);
    }
    if (untyped !== undefined) return this.untyped(row, untyped, written, path);
    if (vspace !== undefined) return this.vspace(row, vspace, written.asid);
    if (written["asid-pool"] !== undefined) return this.numbered(row, ASID_POOL, `asid-pool ${written["asid-pool"]}`, this.pool(written["asid-pool"]));
    if (endpoint !== undefined) return this.named(row, ENDPOINT, `endpoint ${endpoint}`, 4, (slot) => this.channel(slot, written));
    if (notification !== undefined) return this.named(row, NOTIFICATION, `notification ${notification}`, 5, (slot) => this.channel(slot, written));
    if (frame !== undefined)
      return this.named(row, FRAME, `frame ${frame}`, written.bits ?? PAGE_BITS, (slot) => {
        slot.rights = written.rights === undefined || written.rights.includes("w") ? READ_WRITE : READ_ONLY;
      });
    if (written["page-table"] !== undefined) return this.named(row, PAGE_TABLE, `page-table ${written["page-table"]}`, PAGE_BITS);
    if (vcpu !== undefined) return this.named(row, VCPU, `vcpu ${vcpu}`, PAGE_BITS);
    if (irq !== undefined) return this.numbered(row, IRQ_HANDLER, `irq ${irq}`, this.plan.irqOf(irq));
    const smmu = written.smmu ?? 0;
    if (smmu >= this.plan.smmus.length) return this.findings.error("no-such-smmu", [...path, "smmu"], `there is no SMMU ${smmu}`, "say how many there are with `smmus`");
    if (sid !== undefined) {
      const object = this.plan.sidOf(smmu, sid);
      this.lists.sids[object] = { ...this.lists.sids[object]!, mask: Number(written.mask ?? 0) };
      this.tables.sid.at(object).issued = 1;
      return this.issued(row, SID, `sid ${smmu} ${sid}`, object);
    }
    const object = this.plan.cbOf(smmu, cb!);
    this.tables.cb.at(object).issued = 1;
    return this.issued(row, CB, `cb ${smmu} ${cb!}`, object);
  }

  private numbered(row: number, kind: number, key: string, object: number): void {
    this.grant(row, key, (slot) => {
      slot.kind = kind;
      slot.object = object;
    });
  }

  /** As if a control capability had issued it: where those are not revocable, copies are its siblings. */
  private issued(row: number, kind: number, key: string, object: number): void {
    this.numbered(row, kind, key, object);
    if (this.profile.issuedRevocable) return;
    const slot = this.tables.slot.at(row);
    slot.parent = NONE;
    slot.revocable = 0;
  }
  /** The control capability is written anywhere. */
  private adopt(): void {
    for (const [kind, control] of [[SID, SID_CONTROL], [CB, CB_CONTROL]] as const) {
      const parent = this.state.slot.findIndex((slot) => slot.kind === control);
      if (parent >= 0) this.tables.slot.forEach((slot) => {
        if (slot.kind === kind && slot.parent === NONE) slot.parent = parent;
      });
    }
  }

  private channel(slot: SlotRow, { badge, rights }: FirstStateRecord): void {
    slot.badge = this.plan.badgeOf(BigInt(badge ?? 0));
    slot.rights = rights === undefined ? ALL_RIGHTS : Number(rights.includes("w")) | (Number(rights.includes("r")) << 1) | (Number(rights.includes("g")) << 2) | (Number(rights.includes("p")) << 3);
  }

  private untyped(row: number, bits: number, { base, device }: FirstStateRecord, path: KeyPath): void {
    const size = 1n << BigInt(bits);
    const at = base === undefined ? this.place(bits) : pa(BigInt(base));
    if (at % size !== 0n) return this.findings.error("misaligned", [...path, "base"], `untyped memory of 2^${bits} bytes must be aligned to its size`);
    const overlaps = this.plan.untypeds.some((other) => at < other.base + other.size && other.base < at + size);
    if (overlaps) return this.findings.error("overlap", path, "two untypeds overlap", "give them other bases");
    const object = this.plan.objectOf(UNTYPED, at, bits, NONE);
    this.lists.untypeds[object] = { ...this.lists.untypeds[object]!, device: device ?? false };
    return this.numbered(row, UNTYPED, `untyped ${at}`, object);
  }

  private vspace(row: number, name: string, number: number | undefined): void {
    const object = this.object(VSPACE, `vspace ${name}`, PAGE_BITS);
    if (number !== undefined) {
      const asid = this.plan.asidOf(number);
      this.hasPool(number);
      this.tables.vspace.at(object).asid = asid;
      this.tables.asid.at(asid).vspace = object;
    }
    this.numbered(row, VSPACE, `vspace ${name}`, object);
  }

  /** An ASID comes out of a pool, whether or not somebody holds it. */
  private hasPool(asid: number): void {
    this.pool(asid >> ASID_LOW_BITS);
  }
  private pool(high: number): number {
    const object = this.object(ASID_POOL, `asid-pool ${high}`, PAGE_BITS);
    this.tables.asidPool.at(object).high = high;
    return object;
  }
}

/** The kernel of a written first state. */
export const openFirstState = (document: FirstStateDocument, profile: Profile): Checked<OpenKernel> => {
  const builder = new Builder(document, profile);
  builder.build();
  if (builder.failed()) return { value: undefined, diagnostics: builder.list() };
  return { value: kernelOver(builder.plan, builder.state, profile), diagnostics: [] };
};

/** The kernel of a layout at boot; each component gets a thread, which holds its root CNode. */
export const openBooted = ({ plan: fixed, profile, state: booted }: Booted): OpenKernel => {
  const state = mutableCopy(booted);
  const { plan, lists } = openPlan(fixed, state);
  const tables = viewOf(state);
  for (const high of new Set(plan.asids.map(({ number }) => number >> ASID_LOW_BITS))) tables.asidPool.at(plan.objectOf(ASID_POOL, pa(BigInt(high) << BigInt(PAGE_BITS)), PAGE_BITS, NONE)).high = high;
  for (const [index, subject] of plan.subjects.entries()) {
    const thread = plan.objectOf(THREAD, pa(BigInt(index)), THREAD_BITS, NONE);
    lists.subjects[index] = { ...subject, thread };
    const row = tables.slot.at(plan.threadSlot(thread, THREAD_SLOTS.cspace));
    row.kind = CNODE;
    row.object = subject.cnode;
    row.guard = plan.guardOf(rootGuard(plan.cnodes[subject.cnode]!.radix));
    row.parent = state.slot.findIndex(({ kind, object }) => kind === CNODE && object === subject.cnode);
    startThread({ plan, tables }, thread);
  }
  return kernelOver(plan, state, profile);
};
