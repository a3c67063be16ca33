/** All of core. It shares its chunks with the smaller parts. */
export * from '@vmarea/core';
