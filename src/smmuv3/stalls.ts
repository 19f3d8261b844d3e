/**
 * Stalled transactions (IHI 0070 section 3.12.2): each is held with a tag until software resumes it (retry, abort, or
 * terminate) or terminates all of its stream.
 */
import { CommandResume } from "../../specs/smmuv3/command.ts";
import { Event } from "../../specs/smmuv3/event.ts";
import type { Transaction } from "../base/transaction.ts";
import type { Settings } from "./registers.ts";
import type { Translation } from "./transaction.ts";

/** How a held transaction ended, or stalled anew. `resumed` is the tag it had. */
export type Resumed = Translation & { readonly resumed: number };

export interface Stalls {
  /** Gives a stalled transaction its tag. Past STALL_MAX there is none, and this model does not wait for one. */
  readonly hold: (transaction: Transaction, translation: Translation & { readonly result: "stall" }, settings: Settings) => Translation;
  /** SMMUEN went to 0: everything that is held aborts. */
  readonly terminateAll: () => Resumed[];
  /** RESUME or STALL_TERM; `retry` judges a transaction again. */
  readonly command: (name: "RESUME" | "STALL_TERM", words: readonly bigint[], retry: (transaction: Transaction) => Translation) => Resumed[];
}

export const createStalls = (): Stalls => {
  const held = new Map<number, { readonly transaction: Transaction; readonly settings: Settings }>();
  const free = (): number => {
    let tag = 0;
    while (held.has(tag)) tag++;
    return tag;
  };
  const aborted = (resumed: number): Resumed => ({ result: "abort", via: [], resumed });
  return {
    hold: (transaction, translation, settings) => {
      if (held.size >= settings.mostStalled) return { result: "unsupported", why: `${held.size} transactions are stalled, and STALL_MAX allows no more`, via: translation.via };
      const stag = free();
      held.set(stag, { transaction, settings });
      const { event } = translation;
      const [first, second, ...rest] = event.raw;
      const tagged = second | Event.encode({ STAG: BigInt(stag) })[1]!;
      return { ...translation, event: { ...event, stag, raw: [first, tagged, ...rest] } };
    },
    terminateAll: () => {
      const tags = [...held.keys()];
      held.clear();
      return tags.map(aborted);
    },
    command: (name, words, retry) => {
      const { SID, STAG, Ac, Ab } = CommandResume.decode(words);
      if (name === "STALL_TERM") {
        const all = [...held].filter(([, { transaction }]) => BigInt(transaction.sid) === SID);
        for (const [tag] of all) held.delete(tag);
        return all.map(([tag]) => aborted(tag));
      }
      const tag = Number(STAG);
      const found = held.get(tag);
      // A tag that is not that stream's is ignored.
      if (found === undefined || BigInt(found.transaction.sid) !== SID) return [];
      held.delete(tag);
      if (Ac === 1n) return [{ ...retry(found.transaction), resumed: tag }];
      return [Ab === 1n || found.settings.alwaysAborts ? aborted(tag) : { ...aborted(tag), raz: true } as Resumed];
    },
  };
};
