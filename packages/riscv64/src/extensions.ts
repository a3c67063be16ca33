/** The extensions that decide what is reserved: `Riscv64Options` with the defaults filled in. */
export interface Extensions {
  readonly svnapot: boolean;
  readonly svpbmt: boolean;
  readonly svrsw60t59b: boolean;
  readonly thead: boolean;
}
