/**
 * Emission: a decision program as JavaScript over word locals. A state's words are w0, w1, …; an operation's block holds
 * the words that it may write in x0, x1, … and, where it is performed, appends the successor to the batch `b` at `n`.
 * Shared branches are unfolded, tests are not shared between instances and words are written whole: measurements showed
 * no gain in more (the engine's own optimiser finds common subexpressions). Names come from numbers only.
 */
import { NONE } from "../../base/state.ts";
import type { Placement } from "./placement.ts";
import { PERFORMED } from "./recipeModel.ts";
import type { Node, Target } from "./tree.ts";

/** The text would be too long, or has a form that is not emitted: the instance stays on accessors. */
export class NotEmitted extends Error {
  override readonly name = "NotEmitted";
}

type Leaf = (result: number) => string;

/** An expression that is a test of one word under a mask, where it has that form, so that several become one. */
interface Condition {
  readonly text: string;
  /** 1 or 0 when it is constant. */
  readonly constant?: number;
  readonly masked?: { readonly word: number; readonly mask: number; readonly value: number; readonly equal: boolean };
}

export class Emitter {
  private readonly placement: Placement;
  private readonly written: ReadonlySet<number>;
  private left: number;
  private names = 0;

  /** `written`: words that are in x locals. `budget`: nodes that may be emitted. */
  constructor(placement: Placement, written: ReadonlySet<number>, budget: number) {
    this.placement = placement;
    this.written = written;
    this.left = budget;
  }

  word(word: number): string {
    return `${this.written.has(word) ? "x" : "w"}${word}`;
  }

  private spend(): void {
    if (this.left-- <= 0) throw new NotEmitted("the text is too long");
  }

  /** A cell's content before its least value is added. */
  private raw(cell: number): string {
    const { word, shift, mask } = this.placement.cells[cell]!;
    if (mask === -1) return this.word(word);
    const shifted = shift === 0 ? this.word(word) : `${this.word(word)}>>>${shift}`;
    return `(${shifted}&${mask})`;
  }

  private masked(cell: number, value: number, equal: boolean): Condition {
    const { word, shift, mask, least } = this.placement.cells[cell]!;
    return maskedCondition(this.word(word), { word, mask: mask << shift, value: ((value - least) & mask) << shift, equal });
  }

  /** That a cell holds one of these values. */
  private among(cell: number, values: readonly number[]): Condition {
    const { size, least } = this.placement.cells[cell]!;
    if (values.length === 1) return this.masked(cell, values[0]!, true);
    if (values.length === size - 1) {
      const other = Array.from({ length: size }, (_, at) => least + at).find((value) => !values.includes(value))!;
      return this.masked(cell, other, false);
    }
    return { text: `(${values.map((value) => this.masked(cell, value, true).text).join("||")})` };
  }

  statement(node: Node, leaf: Leaf): string {
    this.spend();
    switch (node.kind) {
      case "leaf":
        return leaf(node.result);
      case "stuck":
        return `stuck(${JSON.stringify(node.message)});`;
      case "set":
        return this.assignment(node.targets) + this.statement(node.next, leaf);
      case "each":
        return node.bodies.map((body) => this.statement(body, () => "")).join("") + this.statement(node.next, leaf);
      case "ask":
        return choice(this.question(node.all, node.bodies), this.statement(node.yes, leaf), this.statement(node.no, leaf));
      case "test":
        return this.branches(node.cell, node.groups.map(({ values, node: kid }) => ({ values, text: this.statement(kid, leaf) })));
      case "walk": {
        const at = `c${this.names++}`;
        const loop = `l${this.names++}`;
        const cases = node.bodies.map(([row, body]) => `case ${row}:{${this.statement(body, (result) => `${at}=${result};`)}break;}`);
        const lasts = node.lasts.map(({ values, node: kid }) => `${values.map((value) => `case ${value}:`).join("")}{${this.statement(kid, leaf)}break;}`);
        return (
          `{let ${at}=${node.first},${loop}=${NONE},left=${node.limit};` +
          `while(${at}!==${NONE}){${loop}=${at};if(left--<0)stuck("a chain has a cycle");switch(${at}){${cases.join("")}}}` +
          `switch(${loop}){${lasts.join("")}}}`
        );
      }
    }
  }

  /** Groups of values of one cell, each with its statements. */
  private branches(cell: number, groups: readonly { readonly values: readonly number[]; readonly text: string }[]): string {
    const idle = groups.filter(({ text }) => text === "");
    const busy = groups.filter(({ text }) => text !== "").toSorted((a, b) => a.values.length - b.values.length);
    if (busy.length === 0) return "";
    if (busy.length > 4) {
      const { least } = this.placement.cells[cell]!;
      return `switch(${this.raw(cell)}){${busy.map(({ values, text }) => `${values.map((value) => `case ${value - least}:`).join("")}{${text}break;}`).join("")}}`;
    }
    let text = "";
    for (const [at, group] of busy.entries()) {
      const last = at === busy.length - 1 && idle.length === 0;
      text += last ? `{${group.text}}` : `if(${this.among(cell, group.values).text}){${group.text}}${at === busy.length - 1 ? "" : "else "}`;
    }
    return text;
  }

  /** All at once: what is copied is read first. */
  private assignment(targets: readonly Target[]): string {
    const { cells } = this.placement;
    const words = new Map<number, { keep: number; constant: number; parts: string[] }>();
    const several = new Set(targets.map(([cell]) => cells[cell]!.word)).size > 1;
    let first = "";
    for (const [target, value] of targets) {
      const { word, shift, mask, least } = cells[target]!;
      const into = words.get(word) ?? { keep: -1, constant: 0, parts: [] };
      words.set(word, into);
      into.keep &= ~(mask << shift);
      if (value.is === "constant") {
        into.constant |= ((value.value - least) & mask) << shift;
        continue;
      }
      const moved = cells[value.cell]!.least - least;
      let raw = this.raw(value.cell);
      if (several) {
        const name = `t${this.names++}`;
        first += `const ${name}=${raw};`;
        raw = name;
      }
      const shown = moved === 0 ? raw : `(${raw}+${moved})`;
      into.parts.push(shift === 0 ? shown : `${shown}<<${shift}`);
    }
    const text = [...words].map(([word, { keep, constant, parts }]) => `x${word}=${[keep === 0 ? [] : [`x${word}&${keep}`], parts, constant === 0 ? [] : [String(constant)]].flat().join("|") || "0"};`).join("");
    return several && first !== "" ? `${first}${text}` : text;
  }

  /** A program that answers 1 or 0, as an expression. */
  condition(node: Node): Condition {
    this.spend();
    switch (node.kind) {
      case "leaf":
        return { text: String(node.result !== 0), constant: node.result };
      case "stuck":
        return { text: `stuck(${JSON.stringify(node.message)})` };
      case "ask": {
        const asked = this.question(node.all, node.bodies);
        return either(asked, this.condition(node.yes), this.condition(node.no));
      }
      case "test": {
        const groups = node.groups.toSorted((a, b) => a.values.length - b.values.length);
        let condition = this.condition(groups.at(-1)!.node);
        for (const { values, node: kid } of groups.slice(0, -1).toReversed()) condition = either(this.among(node.cell, values), this.condition(kid), condition);
        return condition;
      }
      case "set":
      case "each":
      case "walk":
        throw new NotEmitted(`a question with ${node.kind}`);
    }
  }

  private question(all: boolean, bodies: readonly Node[]): Condition {
    const conditions = bodies.map((body) => this.condition(body));
    return conditions.slice(1).reduce((left, right) => join(all, left, right, (word) => this.word(word)), conditions[0]!);
  }
}

const maskedCondition = (name: string, masked: NonNullable<Condition["masked"]>): Condition => ({
  text: `(${masked.mask === -1 ? name : `(${name}&${masked.mask})`}${masked.equal ? "===" : "!=="}${masked.value})`,
  masked,
});

const not = (condition: Condition): Condition => {
  if (condition.constant !== undefined) return { text: String(condition.constant === 0), constant: 1 - condition.constant };
  return { text: `!${condition.text}` };
};

/** Two equalities of one word are one, and so are two inequalities under "or", where they ask for disjoint bits. */
const join = (all: boolean, left: Condition, right: Condition, name: (word: number) => string): Condition => {
  const [a, b] = [left.masked, right.masked];
  if (a !== undefined && b !== undefined && a.word === b.word && a.equal === all && b.equal === all && (a.mask & b.mask) === 0)
    return maskedCondition(name(a.word), { word: a.word, mask: a.mask | b.mask, value: a.value | b.value, equal: all });
  return { text: `(${left.text}${all ? "&&" : "||"}${right.text})` };
};

const either = (asked: Condition, yes: Condition, no: Condition): Condition => {
  if (yes.constant === 1 && no.constant === 0) return asked;
  if (yes.constant === 0 && no.constant === 1) return asked.masked === undefined ? not(asked) : { ...asked, ...flip(asked) };
  if (no.constant === 0) return { text: `(${asked.text}&&${yes.text})` };
  if (yes.constant === 1) return { text: `(${asked.text}||${no.text})` };
  if (yes.constant === 0) return { text: `(!${asked.text}&&${no.text})` };
  if (no.constant === 1) return { text: `(!${asked.text}||${yes.text})` };
  return { text: `(${asked.text}?${yes.text}:${no.text})` };
};
const flip = ({ text, masked }: Condition): Condition =>
  masked === undefined ? { text: `!${text}` } : { text: masked.equal ? text.replace("===", "!==") : text.replace("!==", "==="), masked: { ...masked, equal: !masked.equal } };

const choice = (asked: Condition, yes: string, no: string): string => {
  if (yes === "" && no === "") return "";
  if (yes === "") return `if(!${asked.text}){${no}}`;
  return `if(${asked.text}){${yes}}${no === "" ? "" : `else{${no}}`}`;
};

/** The block of one instance: its guard, its writes, and the successor at the end of the batch. */
export const emitInstance = (placement: Placement, node: Node, writtenCells: ReadonlySet<number>, budget: number): string => {
  const written = new Set([...writtenCells].map((cell) => placement.cells[cell]!.word));
  const emitter = new Emitter(placement, written, budget);
  const words = Array.from({ length: placement.words }, (_, word) => emitter.word(word));
  const append = words.length === 1 ? `b[n++]=${words[0]};` : `${words.map((word, at) => `b[n${at === 0 ? "" : `+${at}`}]=${word};`).join("")}n+=${words.length};`;
  const text = emitter.statement(node, (result) => (result === PERFORMED ? append : ""));
  const locals = [...written].toSorted((a, b) => a - b).map((word) => `x${word}=w${word}`);
  return `{${locals.length === 0 ? "" : `let ${locals.join(",")};`}${text}}`;
};

/** A property as an expression over w locals: true when it holds. */
export const emitProperty = (placement: Placement, node: Node, budget: number): string => new Emitter(placement, new Set(), budget).condition(node).text;
