/**
 * The successors of one state, before any of them is looked up. Looking them up is a chain of reads that miss every
 * cache; asked for together, those reads overlap (StateStore.touch).
 */
export class Batch {
  count = 0;
  states: Uint32Array;
  sums = new Int32Array(64);
  ordinals = new Int32Array(64);
  steps = new Int32Array(64);
  private readonly words: number;

  constructor(words: number) {
    this.words = words;
    this.states = new Uint32Array(64 * words);
  }

  add(state: Uint32Array, sum: number, ordinal: number, steps: number): void {
    const index = this.count++;
    if (index === this.sums.length) this.grow();
    const { states, words } = this;
    const at = index * words;
    for (let word = 0; word < words; word++) states[at + word] = state[word]!;
    this.sums[index] = sum;
    this.ordinals[index] = ordinal;
    this.steps[index] = steps;
  }
  private grow(): void {
    const larger = <A extends Int32Array | Uint32Array>(of: A, array: A): A => (array.set(of), array);
    this.states = larger(this.states, new Uint32Array(2 * this.states.length));
    this.sums = larger(this.sums, new Int32Array(2 * this.sums.length));
    this.ordinals = larger(this.ordinals, new Int32Array(2 * this.ordinals.length));
    this.steps = larger(this.steps, new Int32Array(2 * this.steps.length));
  }
}
