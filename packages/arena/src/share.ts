import { AddressSpace, isArray, optionsOf, shown, VmError } from '@vmarea/core';
