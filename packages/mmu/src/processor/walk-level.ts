import type { LevelPlan } from '@vmarea/core';

/** One level of a walk: where the slot of an address is, as numbers that V8 keeps as integers. */
export class WalkLevel {
  /** First address bit of the word that has the whole slot: 0, 16 or 32. */
  declare readonly from: number;
  /** Shift of the slot in that word, and its mask. */
  declare readonly shift: number;
  declare readonly slots: number;
  /** 1 where a leaf may take frame bits from the address: a block, a NAPOT leaf. */
  declare readonly inside: number;
  readonly plan: LevelPlan;

  constructor(plan: LevelPlan) {
    const end = plan.shift + Math.log2(plan.entries);
    const from = plan.shift >= 32 ? 32 : end <= 32 ? 0 : 16;
    // A level of at most 17 bits (16 KiB pages have 11, and roots 4 more) that begins below bit 32 ends below bit 48.
    this.from = from | 0;
    this.shift = (plan.shift - from) | 0;
    this.slots = (plan.entries - 1) | 0;
    this.inside = (plan.insideLow | plan.insideHigh | plan.napotLo | plan.napotHi) === 0 ? 0 : 1;
    this.plan = plan;
  }
}

/** Bits 47..16 of an address. */
export function middleOf(vaHi: number, vaLo: number): number {
  return (vaHi << 16) | (vaLo >>> 16);
}

/** Slot of an address in a table of a level. */
export function slotIn(level: WalkLevel, vaHi: number, middle: number, vaLo: number): number {
  const { from } = level;
  return ((from === 16 ? middle : from === 0 ? vaLo : vaHi) >>> level.shift) & level.slots;
}
