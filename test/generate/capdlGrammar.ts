/**
 * A reader of the capDL that is written here, from the language's documentation and not from the generator. It refuses
 * what seL4's parser refuses and, besides, what that one lets pass: slots beyond a table or CNode, misplaced addresses.
 */
export interface CapdlObject {
  readonly type: string;
  readonly params: readonly string[];
}
export interface CapdlCap {
  readonly object: string;
  readonly params: readonly string[];
}
export interface Capdl {
  readonly arch: string;
  readonly objects: ReadonlyMap<string, CapdlObject>;
  readonly caps: ReadonlyMap<string, ReadonlyMap<number, CapdlCap>>;
  readonly cdt: readonly { readonly from: string; readonly to: string }[];
}

const refuse = (why: string): never => {
  throw new SyntaxError(why);
};

/** Text without comments, as words and marks. A parameter list in brackets is one token. */
const tokens = (text: string): string[] => {
  const bare = text.replace(/--[^\n]*/g, "");
  const found = [...bare.matchAll(/\s*(?:([A-Za-z][A-Za-z0-9_@.-]*|\d[0-9a-fx]*)|(\((?:[^()]|\([^()]*\))*\))|([{}:=]))/gy)];
  const read = found.map((match) => match[0]).join("");
  if (bare.slice(read.length).trim() !== "") refuse(`no token at: ${bare.slice(read.length, read.length + 40)}`);
  return found.map((match) => (match[1] ?? match[2] ?? match[3])!);
};

const splitParams = (list: string): string[] =>
  list
    .slice(1, -1)
    .split(/,(?![^()]*\))/)
    .map((param) => param.trim());

export const readCapdl = (text: string): Capdl => {
  const rest = tokens(text);
  const next = (): string => rest.shift() ?? refuse("the text ends too early");
  const expect = (wanted: string): void => void (next() === wanted || refuse(`expected ${wanted} before ${rest.slice(0, 3).join(" ")}`));
  const params = (): string[] => (rest[0]?.startsWith("(") === true ? splitParams(next()) : []);
  const objects = new Map<string, CapdlObject>();
  const caps = new Map<string, Map<number, CapdlCap>>();
  const cdt: { from: string; to: string }[] = [];
  const section: Record<string, () => void> = {
    objects: () => {
      const name = next();
      expect("=");
      if (objects.has(name)) refuse(`${name} is declared twice`);
      objects.set(name, { type: next(), params: params() });
    },
    caps: () => {
      const container = next();
      if (caps.has(container)) refuse(`${container} is filled twice`);
      const slots = new Map<number, CapdlCap>();
      expect("{");
      while (rest[0] !== "}") {
        const slot = Number(next());
        if (!Number.isInteger(slot) || slots.has(slot)) refuse(`slot ${slot} of ${container}`);
        expect(":");
        slots.set(slot, { object: next(), params: params() });
      }
      expect("}");
      caps.set(container, slots);
    },
    cdt: () => {
      const from = next();
      expect("{");
      cdt.push({ from, to: next() });
      expect("}");
    },
  };
  expect("arch");
  const arch = next();
  while (rest.length > 0) {
    const name = next();
    const read = section[name] ?? refuse(`no section ${name}`);
    expect("{");
    while (rest[0] !== "}") read();
    expect("}");
  }
  return { arch, objects, caps, cdt };
};

const number = (object: CapdlObject, pattern: RegExp): number | undefined => {
  const written = object.params.map((param) => pattern.exec(param)?.[1]).find((value) => value !== undefined);
  return written === undefined ? undefined : Number(written);
};

const HOLDS: Record<string, readonly string[]> = { pgd: ["pud"], pud: ["pd", "frame"], pd: ["pt", "frame"], pt: ["frame"], tcb: ["cnode"] };
const PARAMS: Record<string, RegExp> = {
  tcb: /^$/,
  cnode: /^\d+ bits$/,
  pgd: /^$/,
  pud: /^$/,
  pd: /^$/,
  pt: /^$/,
  frame: /^(4k|2M|1024M); paddr: 0x[0-9a-f]+$/,
  ut: /^\d+ bits; paddr: 0x[0-9a-f]+$/,
  streamid: /^$/,
  contextbank: /^bank: \d+$/,
};

/** The one size of frame that a table's entries can be, and its bytes. */
const FRAMES: Record<string, string> = { pud: "1024M", pd: "2M", pt: "4k" };
const FRAME_BYTES: Record<string, bigint> = { "4k": 1n << 12n, "2M": 1n << 21n, "1024M": 1n << 30n };
const misplaced = ({ params: [size = "", paddr = ""] }: CapdlObject): boolean => BigInt(/^paddr: (0x[0-9a-f]+)$/.exec(paddr)?.[1] ?? 0) % (FRAME_BYTES[size] ?? 1n) !== 0n;

const slotCount = (object: CapdlObject): number => (object.type === "cnode" ? 2 ** number(object, /^(\d+) bits$/)! : object.type === "tcb" ? 1 : 512);

/** Every fault against the language's rules; empty when the specification is sound. */
export const capdlFaults = ({ arch, objects, caps, cdt }: Capdl): readonly string[] => {
  const faults: string[] = arch === "aarch64" ? [] : [`arch ${arch}`];
  for (const [name, object] of objects) if (PARAMS[object.type]?.test(object.params.join("; ")) !== true) faults.push(`${name} = ${object.type} (${object.params.join(", ")})`);
  for (const [name, object] of objects) if (object.type === "frame" && misplaced(object)) faults.push(`${name} is not aligned to its size`);
  const mappings: string[] = [];
  for (const [name, slots] of caps) {
    const container = objects.get(name);
    if (container === undefined) faults.push(`${name} is not declared`);
    for (const [slot, { object, params }] of slots) {
      const target = objects.get(object);
      if (target === undefined) faults.push(`${object} in ${name} is not declared`);
      else if (container !== undefined && container.type !== "cnode" && HOLDS[container.type]?.includes(target.type) !== true) faults.push(`${object} in ${name}`);
      else if (container !== undefined && target.type === "frame" && container.type !== "cnode" && target.params[0] !== FRAMES[container.type]) faults.push(`${object} of another size in ${name}`);
      if (container !== undefined && slot >= slotCount(container)) faults.push(`slot ${slot} of ${name}`);
      for (const param of params) {
        const [, table, entry] = /^mapping: \((.+), (\d+)\)$/.exec(param) ?? [];
        if (table === undefined) continue;
        mappings.push(param);
        if (caps.get(table)?.get(Number(entry))?.object !== object) faults.push(`${object} is not at ${param}`);
      }
    }
  }
  if (new Set(mappings).size < mappings.length) faults.push("a mapping is used twice");
  const at = (reference: string): string | undefined => {
    const [, container, slot] = /^\((.+), (\d+)\)$/.exec(reference) ?? [];
    return caps.get(container ?? "")?.get(Number(slot))?.object;
  };
  for (const { from, to } of cdt) if (at(from) === undefined || at(from) !== at(to)) faults.push(`cdt ${from} ${to}`);
  return faults;
};
