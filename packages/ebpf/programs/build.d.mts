/** The compiler: its command, and why it cannot be used; `null` when it can. */
export function compiler(): { readonly command: string; readonly problem: string | null };
/** The names of the programs. */
export function programs(): string[];
/** Compiles a program. */
export function compile(command: string, name: string): Buffer;
/** The path of a committed object. */
export function objectOf(name: string): string;
