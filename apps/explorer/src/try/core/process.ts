export { Process } from '@vmarea/core';
