import { KINDS, MARKS } from './calls.js';

/** How a cell is drawn. The legend names the same looks. */
export interface CellLook {
  readonly name: 'nothing' | 'absent' | 'table' | 'reserved' | 'missing' | 'none' | 'r' | 'rw' | 'rx' | 'rwx';
  readonly label: string;
  readonly light: string;
  readonly dark: string;
}

/** All looks, in the order of the legend. */
export const LOOKS: readonly CellLook[] = [
  { name: 'nothing', label: 'nothing', light: '#eceef2', dark: '#272b34' },
  { name: 'table', label: 'table', light: '#8793a8', dark: '#7c8aa3' },
  { name: 'r', label: 'read', light: '#74b3e6', dark: '#5c9fd6' },
  { name: 'rw', label: 'read, write', light: '#f0b141', dark: '#dd9f33' },
  { name: 'rx', label: 'read, execute', light: '#46b17c', dark: '#3fa873' },
  { name: 'rwx', label: 'write and execute', light: '#e0245e', dark: '#f4457c' },
  { name: 'none', label: 'mapped, no right', light: '#b9a4dc', dark: '#9a82c4' },
  { name: 'absent', label: 'not present, not 0', light: '#c9cdd6', dark: '#4a505e' },
  { name: 'missing', label: 'not in the dump', light: '#a9794f', dark: '#b98757' },
  { name: 'reserved', label: 'breaks a rule', light: '#22252c', dark: '#f2f3f5' },
];

const byName = new Map(LOOKS.map((look, i) => [look.name, i]));

/** The number of the look of a cell. */
export function lookOf(kind: number, marks: number): number {
  return byName.get(nameOf(kind, marks)) as number;
}

function nameOf(kind: number, marks: number): CellLook['name'] {
  const name = KINDS[kind];
  if (name === 'none' || name === undefined) return 'nothing';
  if (name !== 'leaf') return name;
  const canWrite = (marks & MARKS.write) !== 0;
  const canExecute = (marks & MARKS.execute) !== 0;
  if (canWrite && canExecute) return 'rwx';
  if (canWrite) return 'rw';
  if (canExecute) return 'rx';
  return (marks & MARKS.read) === 0 ? 'none' : 'r';
}

/** What a cell is, in words for people who cannot see it. */
export function cellText(kind: number, marks: number): string {
  const look = LOOKS[lookOf(kind, marks)] as CellLook;
  const owner = (marks & MARKS.user) === 0 ? 'kernel' : 'user';
  return KINDS[kind] === 'leaf' ? `leaf, ${look.label}, ${owner}` : look.label;
}
