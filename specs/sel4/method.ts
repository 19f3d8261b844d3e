/**
 * The form of interface.ts: what seL4's interface description says of a method, and where its stub puts each parameter.
 * A message has extra capabilities and 64-bit words, numbered apart; the label is in neither.
 * Source: seL4 libsel4/tools/sel4_idl.xsd, libsel4/tools/syscall_stub_gen.py `get_parameter_positions`.
 */
interface Named {
  readonly name: string;
  /** seL4's name of the C type. */
  readonly type: string;
}

export interface CapParameter extends Named {
  /** Which extra capability. */
  readonly cap: number;
}

export interface WordParameter extends Named {
  /** Which message word, the first where there are several. */
  readonly word: number;
  /** Where the type is narrower than a word: the stub sends no other bits, and small neighbours share a word. */
  readonly bits?: readonly [hi: number, lo: number];
  /** Names of the words of a structure. */
  readonly members?: readonly string[];
}

export type Parameter = CapParameter | WordParameter;

export interface Method {
  /** The invocation label: seL4's name, and its number in this configuration. */
  readonly label: string;
  readonly number: number;
  readonly interface: string;
  readonly method: string;
  /** When seL4 has the method, as an expression over configuration variables; left out where always. */
  readonly condition?: string;
  /** In the order of the C stub. */
  readonly in: readonly Parameter[];
  readonly out: readonly WordParameter[];
  /** What the manual says of each error, in the manual's order. The kernel's own order of checks is another one. */
  readonly errors: readonly { readonly error: string; readonly when: string }[];
}

/** A method that this configuration leaves out. */
export interface LeftOut {
  readonly label: string;
  readonly condition: string;
}

export interface Source {
  /** Path in seL4's source tree. */
  readonly path: string;
  readonly sha256: string;
}

export interface Interface {
  readonly sources: readonly Source[];
  /** Configuration variables that are on, and those that are off and that a condition asks for. */
  readonly configuration: { readonly on: readonly string[]; readonly off: readonly string[] };
  /** seL4_Error. */
  readonly errorNumbers: Readonly<Record<string, number>>;
  readonly methods: readonly Method[];
  readonly leftOut: readonly LeftOut[];
}
