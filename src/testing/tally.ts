/** What random walks reached in one run of them: the coverage that a verdict reports and that guides the next walks. */
import { exploredUnder, type Guide, levelOf, mixed, type Refused } from "../check/random.ts";
import type { Model } from "../check/model.ts";

export class Tally {
  /** Invocations performed and refused. */
  performed = 0;
  refused = 0;
  /** Performed invocations of the longest walk. */
  longest = 0;
  private readonly model: Model;
  private readonly outcomes = new Map<string, number>();
  private readonly pairs = new Map<string, number>();
  private readonly seen = new Set<number>();

  constructor(model: Model) {
    this.model = model;
  }

  /** Counts a performed invocation and the state behind it. `at`: how many came before it in its walk. */
  perform(label: string, state: Uint32Array, at: number): void {
    this.performed += 1;
    this.longest = Math.max(this.longest, at + 1);
    this.outcomes.set(label, (this.outcomes.get(label) ?? 0) + 1);
    this.see(state);
  }
  refuse(refused: Refused): void {
    this.refused += 1;
    const [first, pair] = this.reached(refused);
    this.outcomes.set(firstName(refused), first + 1);
    if (refused.second !== undefined) this.pairs.set(pairName(refused), pair + 1);
  }

  /** States are told apart by 53 bits of hash, which is a count for people and no ground for a proof: two states may pass for one. */
  see(state: Uint32Array): void {
    let low = 1;
    let high = 2;
    for (const word of state) {
      low = mixed(low, word);
      high = mixed(high ^ 0x5bd1e995, word);
    }
    this.seen.add((high & 0x1fffff) * 2 ** 32 + low);
  }
  get states(): number {
    return this.seen.size;
  }
  get refusalPairs(): number {
    return this.pairs.size;
  }

  /** How often the first refusal of a refused invocation, and the pair of its first two, were reached. No pair is Infinity. */
  reached(refused: Refused): readonly [first: number, pair: number] {
    return [this.outcomes.get(firstName(refused)) ?? 0, refused.second === undefined ? Infinity : (this.pairs.get(pairName(refused)) ?? 0)];
  }

  guide(): Guide {
    return exploredUnder(this.model.booted.profile).map(({ label }) => levelOf(this.outcomes.get(label) ?? 0));
  }
}

const firstName = ({ definition, first }: Refused): string => `${definition.label} ${first}`;
const pairName = ({ definition, first, second }: Refused): string => `${definition.label} ${first} ${second}`;
