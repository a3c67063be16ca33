/** Indexes of the levels, root first. */
export const PGD = 0;
export const PUD = 1;
export const PMD = 2;
export const PTE = 3;
