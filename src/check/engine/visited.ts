/**
 * The visited set: exact, open addressing, one 32-bit slot a state. A state of one word (up to 31 bits) is in the slot
 * itself, plus one, so that 0 is empty. A wider state is in the queue of all states, and its slot holds the index there
 * plus one in the low bits and as many bits of its hash as are left above, so that few probes visit the queue; a match is
 * whole states compared, always. Hash-only sets lose states on short vectors like ours and then say "no error".
 *
 * Insertion takes a batch in passes. The first hashes every successor and looks at its slot; cache misses overlap there,
 * as nothing waits for them. What sits in its first slot is dropped, and most successors do, being old: in the first pass
 * itself and without a branch where slots hold states, in a second pass where they don't. The last inserts what is left.
 *
 * Several threads share one table: an empty slot is taken by compare-and-exchange. A wide state is written to a place of
 * the queue that only this thread uses before its slot is published. (Laarman, van de Pol, Weber: "Boosting multi-core
 * reachability performance with shared hash tables", FMCAD 2010.)
 */

/** Places of the queue that a thread takes at once. */
export const BLOCK = 512;
/** Share of slots in use at which the table is doubled. */
const LOAD = 0.6;
const MOST_SLOTS_LOG = 30;

/** Where threads meet: indices into the shared control words, the busy ones in cache lines of their own. */
export const CURSOR = 16;
export const TAIL = 32;

/** True when the slot itself holds the state. */
export const inSlot = (bits: number): boolean => bits <= 31;

/**
 * Inserts `count` states of the batch (`hashes` has room for twice as many); new ones are appended to the queue. `own` holds the next place and the end of the
 * thread's block. The answer only keeps the touching loads alive.
 */
export type Insert = (table: Int32Array, slotsLog: number, batch: Int32Array, count: number, hashes: Int32Array, queue: Int32Array, own: Int32Array, control: Int32Array) => number;
/** Enters queue states `from`..`to`, known to be new, into a table that nobody else uses. */
type Enter = (table: Int32Array, slotsLog: number, queue: Int32Array, from: number, to: number) => void;
/** Tells the table that a state moved in the queue; nothing to do when slots hold states. */
type Moved = (table: Int32Array, slotsLog: number, queue: Int32Array, from: number, to: number) => void;

export interface Visited {
  readonly insert: Insert;
  readonly enter: Enter;
  readonly moved: Moved;
}

const list = (words: number, make: (word: number) => string, separator: string): string => Array.from({ length: words }, (_, word) => make(word)).join(separator);

/** Statements that leave the hash of s0, s1, … in `x`, 32 bits of which the high ones choose the slot. */
const hashText = (words: number): string =>
  `let x=Math.imul(s0,0x9e3779b1);x^=x>>>15;` + list(words - 1, (word) => `x=Math.imul(x^s${word + 1},0x85ebca6b);x^=x>>>${word % 2 === 0 ? 13 : 16};`, "") + `x=Math.imul(x,0x85ebca77);${words > 1 ? "x^=x>>>15;x=Math.imul(x,0x9e3779b1);" : ""}`;

const loadText = (words: number, from: string, at: string): string => `const ${list(words, (word) => `s${word}=${from}[${at}${word === 0 ? "" : `+${word}`}]`, ",")};`;
const storeText = (words: number, into: string, at: string): string => list(words, (word) => `${into}[${at}${word === 0 ? "" : `+${word}`}]=s${word};`, "");
const TAKE = `if(at===end){at=Atomics.add(control,${TAIL},${BLOCK});end=at+${BLOCK};}`;

const insertInSlot = (shared: boolean): string => `function(table,k,b,count,h,q,own,control){
const shift=32-k,mask=(1<<k)-1;let at=own[0],end=own[1];
let left=0;
for(let j=0;j<count;j++){const s0=b[j];${hashText(1)}x>>>=shift;const d=table[x]^s0+1;b[left]=s0;h[left]=x;left+=(d|-d)>>>31;}
for(let j=0;j<left;j++){const s=b[j]+1|0;let p=h[j];
for(;;){const e=table[p];if(e===s)break;
if(e===0){${shared ? "const was=Atomics.compareExchange(table,p,0,s);if(was===s)break;if(was===0)" : "table[p]=s;"}{${TAKE}q[at++]=s-1;break;}}
p=p+1&mask;}}
own[0]=at;own[1]=end;return left}`;

const insertByIndex = (words: number, shared: boolean): string => {
  const same = list(words, (word) => `q[y${word === 0 ? "" : `+${word}`}]===s${word}`, "&&");
  return `function(table,k,b,count,h,q,own,control){
const shift=32-k,mask=(1<<k)-1,rest=h.length>>1;let sink=0,left=0,at=own[0],end=own[1];
for(let j=0,o=0;j<count;j++,o+=${words}){${loadText(words, "b", "o")}${hashText(words)}h[j]=x;sink^=table[x>>>shift];}
for(let j=0;j<count;j++){const x=h[j],e=table[x>>>shift];
if(e!==0&&((e^x<<k)&~mask)===0){const y=((e&mask)-1)*${words},o=j*${words};${loadText(words, "b", "o")}if(${same})continue;}h[rest+left++]=j;}
for(let r=0;r<left;r++){const j=h[rest+r],o=j*${words};${loadText(words, "b", "o")}const x=h[j],tag=x<<k;let p=x>>>shift;
for(;;){let e=${shared ? "Atomics.load(table,p)" : "table[p]"};
if(e===0){${TAKE}const y=at*${words};${storeText(words, "q", "y")}
${shared ? "e=Atomics.compareExchange(table,p,0,tag|at+1);if(e===0){at++;break;}" : "table[p]=tag|at+1;at++;break;"}}
if(((e^tag)&~mask)===0){const y=((e&mask)-1)*${words};if(${same})break;}
p=p+1&mask;}}
own[0]=at;own[1]=end;return sink}`;
};

const enterText = (words: number, slotHolds: boolean): string => `function(table,k,q,from,to){const shift=32-k,mask=(1<<k)-1;
for(let i=from;i<to;i++){${loadText(words, "q", `i*${words}`)}${hashText(words)}
let p=x>>>shift;while(table[p]!==0)p=p+1&mask;table[p]=${slotHolds ? "s0+1|0" : "x<<k|i+1"};}}`;

const movedText = (words: number): string => `function(table,k,q,from,to){const shift=32-k,mask=(1<<k)-1;
${loadText(words, "q", `from*${words}`)}${hashText(words)}
let p=x>>>shift;while((table[p]&mask)!==from+1)p=p+1&mask;table[p]=x<<k|to+1;}`;

/** The functions for states of so many words and bits; `shared`: other threads insert at the same time. */
export const visitedFor = (words: number, bits: number, shared: boolean): Visited => {
  const slotHolds = words === 1 && inSlot(bits);
  const text = [slotHolds ? insertInSlot(shared) : insertByIndex(words, shared), enterText(words, slotHolds), slotHolds ? "function(){}" : movedText(words)];
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call -- the text is made above from numbers
  const [insert, enter, moved] = new Function(`"use strict";return [${text.join(",\n")}]`)() as [Insert, Enter, Moved];
  return { insert, enter, moved };
};

/** Table and queue, as all threads see them. They are replaced together when they grow. */
export interface Memory {
  readonly table: Int32Array;
  readonly slotsLog: number;
  readonly queue: Int32Array;
  /** States that the table takes. */
  readonly limit: number;
}

export const memoryFor = (slotsLog: number, words: number, shared: boolean, queueStates?: number): Memory => {
  const limit = Math.floor(2 ** slotsLog * LOAD);
  const make = (length: number) => new Int32Array(shared ? new SharedArrayBuffer(length * 4) : new ArrayBuffer(length * 4));
  return { table: make(2 ** slotsLog), slotsLog, queue: make((queueStates ?? limit) * words), limit };
};

/** Slots for so many states, or undefined when no table takes them. */
export const slotsFor = (states: number): number | undefined => {
  let slotsLog = 16;
  while (2 ** slotsLog * LOAD < states) if (++slotsLog > MOST_SLOTS_LOG) return undefined;
  return slotsLog;
};

/** Every state that slots hold, moved to another table: in table order, which is hash order in both. */
export const rehashSlots = (visited: Visited, from: Memory, to: Memory): void => {
  const part = new Int32Array(4096);
  let count = 0;
  const { table } = from;
  for (let slot = 0; slot < table.length; slot++) {
    const entry = table[slot]!;
    part[count] = entry - 1;
    // 1 unless the slot is empty, without a branch that nobody can predict.
    count += (entry | -entry) >>> 31;
    if (count === part.length) {
      visited.enter(to.table, to.slotsLog, part, 0, count);
      count = 0;
    }
  }
  visited.enter(to.table, to.slotsLog, part, 0, count);
};
