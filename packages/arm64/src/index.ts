/**
 * The page tables of arm64 with every granule, and Linux's policy for them.
 *
 * @packageDocumentation
 */
export { ARM64_BITS, type Granule } from './bits.js';
export { configurations } from './configurations.js';
export { ARM64_CONTROLS, type Arm64Controls } from './controls.js';
export { type Arm64Options, arm64 } from './format.js';
export { LINUX_PIR, LINUX_PIRE0 } from './indirect-permissions.js';
export { ARM64_INVALIDATIONS } from './invalidations.js';
export { type Arm64LinuxOptions, type Arm64LinuxPolicy, type Arm64Protections, arm64Linux } from './linux.js';
export { LINUX_MAIR, LINUX_MAIR_MTE, memoryTypesOf } from './memory-types.js';
export { withoutTag } from './permissions.js';
export { type Arm64Half, type Arm64Registers, type Arm64State, arm64FromRegisters } from './registers.js';
