/**
 * What a recipe comes to in a state and in every image of it, learnt at once. What was taken for alike is held to it: the
 * renamed invocation must change the renamed state as the invocation changes the state. The facts that this rests on are
 * kept with what is learnt, so it is known of every state that says the same.
 */
import { placesOf, shiftOf, type Shape, type TablePlace, wordOf } from "../../base/state.ts";
import type { Fact, FieldFact, QueryFact } from "../outcomes/facts.ts";
import type { Noted, Recorder } from "../outcomes/recorder.ts";
import type { Group } from "./group.ts";
import { NotAlike, type Orbits } from "./orbits.ts";
import { contextOf, type Renaming } from "./renaming.ts";

/** Where the facts of one model stand. */
interface Located {
  readonly place: TablePlace;
  readonly row: number;
  readonly field: string;
}
const locations = (shape: Shape): Map<number, Located> => {
  const located = new Map<number, Located>();
  for (const place of placesOf(shape).tables)
    for (let row = 0; row < place.table.rows; row++)
      for (const [field, { word, shift, mask }] of Object.entries(place.places)) if (mask !== 0) located.set((wordOf(place, row) + word) * 32 + shiftOf(place, row) + shift, { place, row, field });
  return located;
};
const factAt = (place: TablePlace, row: number, field: string): FieldFact => {
  const { word, shift, mask } = place.places[field]!;
  return { is: "field", word: wordOf(place, row) + word, shift: shiftOf(place, row) + shift, mask };
};

export class Alike<S extends Shape> {
  readonly group: Group;
  readonly orbits: Orbits;
  private readonly recorder: Recorder<S>;
  private readonly machineWord: number;
  private readonly located: Map<number, Located>;
  private readonly image: Uint32Array;
  private readonly expected: Uint32Array;

  constructor(group: Group, orbits: Orbits, recorder: Recorder<S>, shape: S, machineWord: number) {
    this.group = group;
    this.orbits = orbits;
    this.recorder = recorder;
    this.machineWord = machineWord;
    this.located = locations(shape);
    this.image = new Uint32Array(recorder.words);
    this.expected = new Uint32Array(recorder.words);
  }

  /**
   * Calls `ask` with every image of the state at `at` in the recorder's window; the facts, beyond those that are noted,
   * that decide what that comes to: facts about the state itself.
   */
  facts(states: Uint32Array, at: number, noted: readonly Noted[], ask: (renaming: Renaming, number: number) => void): readonly Noted[] {
    const { recorder, group, image } = this;
    const more: Fact[] = [];
    for (let number = 1; number < group.renamings.length; number++) {
      const renaming = group.renamings[number]!;
      renaming.state(states, at, image);
      image[this.machineWord] = this.orbits.image(states[at + this.machineWord]!, number);
      recorder.questions.about(image, 0);
      recorder.window.set(image);
      recorder.begin();
      ask(renaming, number);
      for (const { fact } of recorder.end()) more.push(...this.pulledBack(renaming, fact));
    }
    recorder.questions.about(states, at);
    return this.without(noted, more);
  }
  private without(noted: readonly Noted[], more: readonly Fact[]): readonly Noted[] {
    const keyOf = (fact: Fact): number => (fact.is === "field" ? fact.word * 32 + fact.shift : -1 - fact.id);
    const known = new Set(noted.map(({ fact }) => keyOf(fact)));
    const all = [...noted];
    for (const fact of more) {
      if (known.has(keyOf(fact))) continue;
      known.add(keyOf(fact));
      all.push({ fact, told: this.recorder.questions.tell(fact) });
    }
    return all;
  }

  /** Is what stands in the window, but for the machine, the image of `state`? */
  holds(renaming: Renaming, state: Uint32Array): boolean {
    const { expected, machineWord, recorder: { window } } = this;
    renaming.state(state, 0, expected);
    for (let word = 0; word < window.length; word++) if (word !== machineWord && window[word] !== expected[word]) return false;
    return true;
  }

  /** The facts about a state that decide a fact about its image. */
  private pulledBack(renaming: Renaming, fact: Fact): readonly Fact[] {
    if (fact.is !== "field") return this.pulledQuery(renaming, fact);
    const { place, row, field } = this.located.get(fact.word * 32 + fact.shift)!;
    const source = renaming.sourceOf(place.name, row);
    const fields = [...(contextOf[place.name]?.[field] ?? []), field];
    return fields.flatMap((name) => (place.places[name]!.mask === 0 ? [] : [factAt(place, source, name)]));
  }
  private pulledQuery(renaming: Renaming, fact: QueryFact): readonly Fact[] {
    const { place, match } = fact;
    const { questions } = this.recorder;
    const asked = Object.entries(place.table.fields).filter(([field]) => ((match.mask >>> place.places[field]!.shift) & place.places[field]!.mask) !== 0);
    const fields = Object.fromEntries(asked.map(([field, { least }]) => [field, ((match.value >>> place.places[field]!.shift) & place.places[field]!.mask) + least]));
    for (const [field] of asked) for (const needed of contextOf[place.name]?.[field] ?? []) if (fields[needed] === undefined) throw new NotAlike(`rows are asked for by ${field} without ${needed}`);
    const source = renaming.sourceFields(place.name, fields);
    const found = fact.is === "having" ? questions.having(place, source) : questions.any(place, source, fact.except < 0 ? undefined : renaming.sourceOf(place.name, fact.except));
    if (found === false) throw new NotAlike("rows are too large to be asked for");
    return found === undefined ? [] : [found];
  }
}
