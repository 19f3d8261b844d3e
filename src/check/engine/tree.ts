/**
 * What a recorded recipe is: a decision program over cells. Nodes are shared: two that do the same are one object, so
 * branches that come to the same thing merge as they are built. Sequential parts ("each", "walk") are programs of their
 * own on the store as it is then; that keeps bulk work a sum of small trees and not a product.
 */

/** What is written: a constant, or what another cell held before this write. */
export type Value = { readonly is: "constant"; readonly value: number } | { readonly is: "copy"; readonly cell: number };

/**
 * `leaf` ends a program with a number whose meaning is the program's: a refusal's index or PERFORMED for an operation, a
 * truth for a question, the next row for a step of a walk. `stuck` is where the recipe itself throws.
 * `set` writes its targets at once. `ask` is true when every body is (`all`), or when some is.
 */
export type Node =
  | { readonly id: number; readonly kind: "leaf"; readonly result: number }
  | { readonly id: number; readonly kind: "stuck"; readonly message: string }
  | { readonly id: number; readonly kind: "test"; readonly cell: number; readonly groups: readonly Group[] }
  | { readonly id: number; readonly kind: "set"; readonly targets: readonly Target[]; readonly next: Node }
  | { readonly id: number; readonly kind: "each"; readonly bodies: readonly Node[]; readonly next: Node }
  | { readonly id: number; readonly kind: "ask"; readonly all: boolean; readonly bodies: readonly Node[]; readonly yes: Node; readonly no: Node }
  | { readonly id: number; readonly kind: "walk"; readonly first: number; readonly bodies: readonly (readonly [row: number, body: Node])[]; readonly limit: number; readonly lasts: readonly Group[] };
export interface Group {
  readonly values: readonly number[];
  readonly node: Node;
}
export type Target = readonly [cell: number, value: Value];
type Bare = Node extends infer N ? (N extends Node ? Omit<N, "id"> : never) : never;

const valueKey = (value: Value): string => (value.is === "constant" ? String(value.value) : `@${value.cell}`);
const groupsKey = (groups: readonly Group[]): string => groups.map(({ values, node }) => `${values.join(",")}:${node.id}`).join(";");
const keyOf = (node: Bare): string => {
  switch (node.kind) {
    case "leaf":
      return `leaf ${node.result}`;
    case "stuck":
      return `stuck ${node.message}`;
    case "test":
      return `test ${node.cell} ${groupsKey(node.groups)}`;
    case "set":
      return `set ${node.targets.map(([cell, value]) => `${cell}=${valueKey(value)}`).join(",")} ${node.next.id}`;
    case "each":
      return `each ${node.bodies.map(({ id }) => id).join(",")} ${node.next.id}`;
    case "ask":
      return `ask ${node.all} ${node.bodies.map(({ id }) => id).join(",")} ${node.yes.id} ${node.no.id}`;
    case "walk":
      return `walk ${node.first} ${node.bodies.map(([row, { id }]) => `${row}:${id}`).join(",")} ${groupsKey(node.lasts)}`;
  }
};

/** Makes nodes, each distinct one once. */
export class Forest {
  private readonly known = new Map<string, Node>();
  private readonly writes = new Map<Node, ReadonlySet<number>>();

  get size(): number {
    return this.known.size;
  }

  private node(bare: Bare): Node {
    const key = keyOf(bare);
    let node = this.known.get(key);
    if (node === undefined) this.known.set(key, (node = { ...bare, id: this.known.size } as Node));
    return node;
  }

  leaf(result: number): Node {
    return this.node({ kind: "leaf", result });
  }
  stuck(message: string): Node {
    return this.node({ kind: "stuck", message });
  }
  each(bodies: readonly Node[], next: Node): Node {
    return this.node({ kind: "each", bodies, next });
  }
  ask(all: boolean, bodies: readonly Node[], yes: Node, no: Node): Node {
    return yes === no ? yes : this.node({ kind: "ask", all, bodies, yes, no });
  }
  walk(first: number, bodies: readonly (readonly [number, Node])[], limit: number, lasts: readonly Group[]): Node {
    return this.node({ kind: "walk", first, bodies, limit, lasts: this.merge(lasts) });
  }

  /** `cell := value`, then `next`. Writes that follow each other become one. */
  write(cell: number, value: number, next: Node): Node {
    const target: Target = [cell, { is: "constant", value }];
    if (next.kind === "set" && !next.targets.some(([, from]) => from.is === "copy" && from.cell === cell)) {
      if (next.targets.some(([written]) => written === cell)) return next;
      return this.set([...next.targets, target].toSorted(([a], [b]) => a - b), next.next);
    }
    return this.set([target], next);
  }
  private set(targets: readonly Target[], next: Node): Node {
    return this.node({ kind: "set", targets, next });
  }

  /** Branches on a cell: `kids[i]` is what happens when it holds `values[i]`. */
  test(cell: number, values: readonly number[], kids: readonly Node[]): Node {
    const groups: Group[] = [];
    const left = new Set(values.keys());
    for (const first of left) {
      left.delete(first);
      const same = [first];
      let node = kids[first]!;
      for (const other of left) {
        const together = this.unify(cell, [...same, other].map((index) => ({ value: values[index]!, node: kids[index]! })));
        if (together === undefined) continue;
        left.delete(other);
        same.push(other);
        node = together;
      }
      groups.push({ values: same.map((index) => values[index]!), node });
    }
    const merged = this.merge(groups);
    return merged.length === 1 ? merged[0]!.node : this.node({ kind: "test", cell, groups: merged });
  }

  private merge(groups: readonly Group[]): Group[] {
    const byNode = new Map<Node, number[]>();
    for (const { values, node } of groups) byNode.set(node, [...(byNode.get(node) ?? []), ...values]);
    return [...byNode].map(([node, values]) => ({ values, node }));
  }

  /** One node that does what each of these does when `cell` holds its value: a constant equal to that value is a copy. */
  private unify(cell: number, cases: readonly { readonly value: number; readonly node: Node }[]): Node | undefined {
    const first = cases[0]!.node;
    if (cases.every(({ node }) => node === first)) return first;
    if (first.kind === "set") {
      const sets = cases.flatMap(({ value, node }) => (node.kind === "set" && node.next === first.next && node.targets.length === first.targets.length ? [{ value, node }] : []));
      if (sets.length < cases.length) return undefined;
      const targets: Target[] = [];
      for (const [at, [target, kept]] of first.targets.entries()) {
        if (sets.some(({ node }) => node.targets[at]![0] !== target)) return undefined;
        const equal = sets.every(({ node }) => valueKey(node.targets[at]![1]) === valueKey(kept));
        const copied = sets.every(({ value, node }) => valueKey(node.targets[at]![1]) === String(value));
        if (!equal && !copied) return undefined;
        targets.push([target, equal ? kept : { is: "copy", cell }]);
      }
      return this.set(targets, first.next);
    }
    if (first.kind === "test") {
      const groups: Group[] = [];
      for (const [at, { values }] of first.groups.entries()) {
        const kids = cases.flatMap(({ value, node }) => {
          if (node.kind !== "test" || node.cell !== first.cell || node.groups.length !== first.groups.length) return [];
          const group = node.groups[at]!;
          return group.values.join() === values.join() ? [{ value, node: group.node }] : [];
        });
        const node = kids.length < cases.length ? undefined : this.unify(cell, kids);
        if (node === undefined) return undefined;
        groups.push({ values, node });
      }
      const merged = this.merge(groups);
      return merged.length === 1 ? merged[0]!.node : this.node({ kind: "test", cell: first.cell, groups: merged });
    }
    return undefined;
  }

  mayThrow(node: Node): boolean {
    return node.kind === "stuck" || node.kind === "walk" || partsOf(node).some((part) => this.mayThrow(part));
  }

  /** Cells that a program may write. */
  written(node: Node): ReadonlySet<number> {
    let written = this.writes.get(node);
    if (written === undefined) this.writes.set(node, (written = new Set(partsOf(node).flatMap((part) => [...this.written(part)]).concat(node.kind === "set" ? node.targets.map(([cell]) => cell) : []))));
    return written;
  }
}

/** The programs inside a node, in order. */
export const partsOf = (node: Node): readonly Node[] => {
  switch (node.kind) {
    case "leaf":
    case "stuck":
      return [];
    case "test":
      return node.groups.map((group) => group.node);
    case "set":
      return [node.next];
    case "each":
      return [...node.bodies, node.next];
    case "ask":
      return [...node.bodies, node.yes, node.no];
    case "walk":
      return [...node.bodies.map(([, body]) => body), ...node.lasts.map((group) => group.node)];
  }
};

/** What a program may answer. */
export const resultsOf = (node: Node): ReadonlySet<number> => {
  switch (node.kind) {
    case "leaf":
      return new Set([node.result]);
    case "stuck":
      return new Set();
    case "test":
      return new Set(node.groups.flatMap((group) => [...resultsOf(group.node)]));
    case "set":
    case "each":
      return resultsOf(node.next);
    case "ask":
      return new Set([...resultsOf(node.yes), ...resultsOf(node.no)]);
    case "walk":
      return new Set(node.lasts.flatMap((group) => [...resultsOf(group.node)]));
  }
};
