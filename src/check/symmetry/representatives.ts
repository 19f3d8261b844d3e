/**
 * One state for all its images: the one whose words, without the machine's number, have the least sum; then the least
 * words, then the machine state that is least by its contents. So which one it is depends on no order of discovery.
 */
import type { Machine } from "../machine.ts";
import type { MachineIds } from "../machineIds.ts";
import { mixed, sumOf } from "../search/stateStore.ts";
import type { Group } from "./group.ts";
import type { Orbits } from "./orbits.ts";
import type { Renaming } from "./renaming.ts";

export class Representatives {
  /** Number of the renaming that gave the last answer. */
  used = 0;
  /** Of the last answer: the sum of all its words (stateStore.ts). */
  sum = 0;
  private readonly renamings: readonly Renaming[];
  private readonly orbits: Orbits;
  private readonly machineWord: number;
  private readonly digest: (id: number) => string;
  /** The state that is expanded, by renaming, and the sum of each without the machine's word. */
  private readonly images: readonly Uint32Array[];
  private readonly sums: Int32Array;
  private readonly changedSums: Int32Array;
  /** What to put back, by renaming: words and values by turns. */
  private readonly before: number[][];
  private current = 0;

  constructor({ renamings }: Group, orbits: Orbits, words: number, machineWord: number, machine: Machine, ids: MachineIds) {
    this.renamings = renamings;
    this.orbits = orbits;
    this.machineWord = machineWord;
    this.images = renamings.map(() => new Uint32Array(words));
    this.sums = new Int32Array(renamings.length);
    this.changedSums = new Int32Array(renamings.length);
    this.before = renamings.map(() => []);
    const digests: (string | undefined)[] = [];
    this.digest = (id) => (digests[id] ??= machine.digest(ids.at(id)));
  }

  /** From here on, changes are to the state at `at`. */
  begin(states: Uint32Array, at: number): void {
    const { images, sums, machineWord } = this;
    for (let number = 0; number < images.length; number++) {
      const image = images[number]!;
      this.renamings[number]!.state(states, at, image);
      image[machineWord] = 0;
      sums[number] = (sumOf(image, 0, image.length) - mixed(machineWord, 0)) | 0;
    }
  }

  private change(word: number, old: number, value: number): void {
    const { images, changedSums, before, renamings } = this;
    const own = images[0]!;
    before[0]!.push(word, own[word]!);
    own[word] = value;
    changedSums[0] = changedSums[0]! - mixed(word, old) + mixed(word, value);
    for (let number = 1; number < images.length; number++) changedSums[number] = changedSums[number]! + renamings[number]!.change(word, old, value, images[number]!, before[number]!);
  }
  private restore(): void {
    const { images, before } = this;
    for (let number = 0; number < images.length; number++) {
      const image = images[number]!;
      const list = before[number]!;
      for (let at = list.length - 2; at >= 0; at -= 2) image[list[at]!] = list[at + 1]!;
      list.length = 0;
    }
  }

  /** The representative of the state with these words changed and this machine state: valid until `done`. */
  of(words: readonly number[], keep: readonly number[], bits: readonly number[], machine: number): Uint32Array {
    const { images, changedSums } = this;
    changedSums.set(this.sums);
    const before = images[0]!;
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      const old = before[word]!;
      const value = ((old & keep[index]!) | bits[index]!) >>> 0;
      if (value !== old) this.change(word, old, value);
    }
    this.current = machine;
    let best = 0;
    for (let number = 1; number < images.length; number++) if (changedSums[number]! < changedSums[best]! || (changedSums[number] === changedSums[best] && this.less(number, best))) best = number;
    this.used = best;
    const chosen = images[best]!;
    const id = this.orbits.image(machine, best);
    chosen[this.machineWord] = id;
    this.sum = (changedSums[best]! + mixed(this.machineWord, id)) | 0;
    return chosen;
  }
  done(): void {
    this.images[this.used]![this.machineWord] = 0;
    this.restore();
  }
  private less(one: number, other: number): boolean {
    const [left, right] = [this.images[one]!, this.images[other]!];
    for (let word = 0; word < left.length; word++) if (left[word] !== right[word]) return left[word]! < right[word]!;
    const [first, second] = [this.orbits.image(this.current, one), this.orbits.image(this.current, other)];
    return first !== second && this.digest(first) < this.digest(second);
  }

  /** How many different states a representative stands for. */
  size(states: Uint32Array, at: number): number {
    this.begin(states, at);
    const [own] = this.images;
    const machine = states[at + this.machineWord]!;
    const same = this.images.filter((image, number) => this.orbits.image(machine, number) === machine && image.every((word, place) => word === own![place])).length;
    return this.images.length / same;
  }
}
