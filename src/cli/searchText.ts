/** What a search other than the usual one went through, and what it does not show. */
import type { Search } from "../check/strategies/search.ts";
import type { Verdict } from "../check/verdict.ts";

const count = (number: number): string => number.toLocaleString("en-US");

const hashesText = ({ end }: Verdict, { omissions }: Search): string[] =>
  omissions === undefined || end === "violated"
    ? []
    : [
        `Of each state only 64 bits of its hash were kept. Two states with one hash pass for one, and what only the second leads to is not seen: if hashes are uniform, ${omissions.toPrecision(2)} such states are expected, and the probability that there was any is no more than that. That is no proof.`,
      ];

export const searchText = (verdict: Verdict, search: Search): string => {
  const { end, states, transitions, depth } = verdict;
  const first = search.strategy === "depth" ? `Searched depth first (the longest path had ${depth} invocations)` : `Searched breadth first (to depth ${depth})`;
  const over = end === "exhausted" ? "Exhausted" : end === "exhausted-by-hash" ? "Exhausted by hash" : `Explored (${end})`;
  return [
    `${over}: ${count(states)} states, ${count(transitions)} transitions. ${first}, ${search.bytesPerState} bytes a state.`,
    ...hashesText(verdict, search),
  ].join("\n");
};
