/**
 * Table walks on 32-bit lanes: what walk.ts says of one address where nothing is kept and there are no quirks, for many
 * addresses. A walk makes no bigint and allocates nothing, and it carries no memory attributes. What this walker leaves to
 * the other one it says: tables that are big-endian, or that hardware would have to write to, and memory that answers for a
 * part of a page.
 */
import { Event, eventTypes } from "../../specs/smmuv3/event.ts";
import { type LaneMemory, PARTLY } from "./laneMemory.ts";
import { answers, lanePositions, type LaneRegime, type LaneStage } from "./laneRegime.ts";

const { F_TRANSLATION, F_ADDR_SIZE, F_PERMISSION, F_WALK_EABT } = eventTypes;
const { TT, IN } = Event.fields.CLASS.is;
const { TYPE, block, ADDRESS, AF, WIDE_UP, AP_AT, XN_AT, UNPRIVILEGED, READ_ONLY, WRITABLE_CLEAN, WRITES } = lanePositions;
const { NO_UNPRIVILEGED, NO_WRITES, XN_TABLE_AT, WRITE, PRIVILEGED, TABLES, TABLE_READ } = lanePositions;

/** What `fault` says besides the numbers of events: translated, or ask the walker of walk.ts. */
export const { TRANSLATED, NOT_HERE } = answers;
/**
 * Places in an answer, an Int32Array of `ANSWER_LANES`; addresses as two signed lanes. `fault` is `TRANSLATED`, `NOT_HERE`,
 * or the number of an event. `stage` (1 or 2) and `class` are those of a fault; `ipa` is what stage 2 was given, where it
 * was; `fetch` is the physical address of the descriptor of an external abort. `pa`, and `size` (log2 of the bytes around
 * the address that one leaf of each stage translates) are there when the address is translated. The rest is left as it was.
 */
export const answer = { fault: 0, stage: 1, class: 2, paHigh: 3, paLow: 4, ipaHigh: 5, ipaLow: 6, fetchHigh: 7, fetchLow: 8, size: 9 } as const;
export const ANSWER_LANES = 10;
const [FAULT, STAGE, CLASS, PA_HIGH, PA_LOW] = [answer.fault, answer.stage, answer.class, answer.paHigh, answer.paLow];
const [IPA_HIGH, IPA_LOW, FETCH_HIGH, FETCH_LOW, SIZE] = [answer.ipaHigh, answer.ipaLow, answer.fetchHigh, answer.fetchLow, answer.size];

const end = (into: Int32Array, fault: number, stage: number, of: number): number => {
  into[FAULT] = fault;
  into[STAGE] = stage;
  into[CLASS] = of;
  return fault;
};
const givenToStage2 = (into: Int32Array, high: number, low: number): void => {
  into[IPA_HIGH] = high;
  into[IPA_LOW] = low;
};

/** Rights of a leaf as bits, as the regime's table has them. */
const rightsIn = (high: number, low: number): number => ((low >>> AP_AT) & 3) | (((high >>> XN_AT) & 3) << 2);
/** The same with those of the tables above it. */
const limited = (rights: number, above: number): number => {
  let fewer = rights | (((above >>> XN_TABLE_AT) & 3) << 2);
  if ((above & NO_UNPRIVILEGED) !== 0) fewer &= ~UNPRIVILEGED;
  return (above & NO_WRITES) === 0 ? fewer : fewer | READ_ONLY;
};

/** What a leaf whose address is in range says of access; rights are judged after the access flag. */
const judge = (tables: LaneStage, high: number, low: number, above: number, asked: number): number => {
  if ((low & AF) === 0 && tables.unaccessed !== TRANSLATED) return tables.unaccessed;
  if ((asked & WRITE) !== 0 && (high & tables.dirtyModifier) !== 0 && (low & WRITES) === tables.clean) return NOT_HERE;
  let rights = above === 0 ? rightsIn(high, low) : limited(rightsIn(high, low), above);
  if ((high & tables.dirtyModifier) !== 0 && (above & NO_WRITES) === 0) rights |= WRITABLE_CLEAN;
  if (((tables.allowed[asked]! >>> rights) & 1) === 0) return F_PERMISSION;
  return (asked & TABLES) !== 0 && tables.tableMemory !== 0 && (low & tables.tableMemory) === 0 ? F_PERMISSION : TRANSLATED;
};

/** Ends a walk at a leaf of 2^shift bytes. */
const leaf = (tables: LaneStage, shift: number, high: number, low: number, above: number, addressHigh: number, addressLow: number, asked: number, into: Int32Array): number => {
  const highWithin = shift > 32 ? (1 << (shift - 32)) - 1 : 0;
  const lowWithin = shift >= 32 ? -1 : (1 << shift) - 1;
  const targetHigh = ((high & ADDRESS.high) | ((low & tables.wide) << WIDE_UP)) & ~highWithin;
  const targetLow = low & ADDRESS.low & ~lowWithin;
  const fault = (targetHigh & tables.beyondHigh) === 0 ? judge(tables, high, low, above, asked) : F_ADDR_SIZE;
  if (fault !== TRANSLATED) return end(into, fault, tables.stage, IN);
  into[PA_HIGH] = targetHigh | (addressHigh & highWithin);
  into[PA_LOW] = targetLow | (addressLow & lowWithin);
  into[SIZE] = shift;
  into[FAULT] = TRANSLATED;
  return TRANSLATED;
};

const external = (tables: LaneStage, page: number, high: number, low: number, into: Int32Array): number => {
  if (page === PARTLY) return end(into, NOT_HERE, tables.stage, IN);
  into[FETCH_HIGH] = high;
  into[FETCH_LOW] = low;
  return end(into, F_WALK_EABT, tables.stage, tables.stage === 1 ? TT : IN);
};

/** Walks one stage, whose tables lie behind `behind` if that is there. */
const walk = (memory: LaneMemory, tables: LaneStage, behind: LaneStage | undefined, high: number, low: number, asked: number, into: Int32Array): number => {
  if ((high & tables.outside.high) !== tables.sign.high || (low & tables.outside.low) !== tables.sign.low) return end(into, F_TRANSLATION, tables.stage, IN);
  const { lanes } = memory;
  let tableHigh = tables.root.high;
  let tableLow = tables.root.low;
  let mask = tables.startMask;
  let shift = tables.startShift;
  let above = 0;
  for (let level = tables.startLevel; ; level++) {
    // An entry is 8 bytes, so its offset is the index shifted three less.
    const down = shift - 3;
    let entryHigh = tableHigh;
    let entryLow = tableLow | ((down < 32 ? (low >>> down) | (high << (32 - down)) : high >>> (down - 32)) & mask);
    if (behind !== undefined) {
      const fault = walk(memory, behind, undefined, entryHigh, entryLow, TABLE_READ, into);
      if (fault !== TRANSLATED) {
        givenToStage2(into, entryHigh, entryLow);
        return end(into, fault, 2, TT);
      }
      entryHigh = into[PA_HIGH]!;
      entryLow = into[PA_LOW]!;
    }
    const page = memory.pageLane(entryHigh, entryLow);
    if (page < 0) return external(tables, page, entryHigh, entryLow, into);
    const at = page + ((entryLow & 0xff8) >>> 2);
    const descriptor = lanes[at]!;
    const descriptorHigh = lanes[at + 1]!;
    const type = descriptor & TYPE;
    if ((type & block) === 0) return end(into, F_TRANSLATION, tables.stage, IN);
    if (type === block && ((tables.blocks >>> level) & 1) === 0) return end(into, F_TRANSLATION, tables.stage, IN);
    if (type === block || level === 3) return leaf(tables, shift, descriptorHigh, descriptor, above, high, low, asked, into);
    tableHigh = (descriptorHigh & ADDRESS.high) | ((descriptor & tables.wide) << WIDE_UP);
    tableLow = descriptor & tables.tableLow;
    if ((tableHigh & tables.beyondHigh) !== 0) return end(into, F_ADDR_SIZE, tables.stage, IN);
    above |= descriptorHigh & tables.hierarchy;
    mask = tables.indexMask;
    shift -= tables.stride;
  }
};

const throughStage1 = (memory: LaneMemory, { lower, upper, stage2 }: LaneRegime, high: number, low: number, asked: number, into: Int32Array): number => {
  // Bit 55 is the sign of an address.
  const half = (high & (1 << 23)) === 0 ? lower : upper;
  if (half === undefined || (half.unprivilegedDenied && (asked & PRIVILEGED) === 0)) return end(into, F_TRANSLATION, 1, IN);
  const fault = walk(memory, half, stage2, high, low, asked, into);
  if (fault !== TRANSLATED || stage2 === undefined) return fault;
  const size = into[SIZE]!;
  const ipaHigh = into[PA_HIGH]!;
  const ipaLow = into[PA_LOW]!;
  givenToStage2(into, ipaHigh, ipaLow);
  const fault2 = walk(memory, stage2, undefined, ipaHigh, ipaLow, asked, into);
  if (size < into[SIZE]!) into[SIZE] = size;
  return fault2;
};

/**
 * Translates an address, given as two 32-bit lanes of any sign, and writes the answer `into` an Int32Array of
 * `ANSWER_LANES`. Gives `answer.fault`: `TRANSLATED`, the number of an event, or `NOT_HERE`.
 */
export const walkLanes = (memory: LaneMemory, regime: LaneRegime, high: number, low: number, asked: number, into: Int32Array): number => {
  if (!regime.here) return end(into, NOT_HERE, 0, IN);
  if (regime.hasStage1) return throughStage1(memory, regime, high | 0, low | 0, asked, into);
  givenToStage2(into, high, low);
  return walk(memory, regime.stage2!, undefined, high | 0, low | 0, asked, into);
};
