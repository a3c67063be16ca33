// Runs one batch of accesses after another under the tables of EL1 and EL0. It stays at EL2 with its MMU off, so that no table
// under test can harm it. Layout of the mailbox: src/mmu/guest/layout.ts.
//
// Real accesses run at EL1 and EL0. Their code and EL1's vectors are in this page too. The other half of the address space maps
// it (src/mmu/targets/arm64.ts).

        .equ    MAILBOX, 0x10000
        .equ    JOBS, 0x20000
        .equ    RESULTS, 0x40000
        .equ    RESULT_BYTES, 32
        .equ    ACCESSES, 10
        .equ    PATIENCE, 1 << 33               // reads of the mailbox: one or two minutes

        .text
        .globl  _start
_start:
        adr     x19, _start
        adr     x0, vectors
        msr     vbar_el2, x0
        mov     x0, #(1 << 31)                  // HCR_EL2.RW: EL1 is AArch64
        msr     hcr_el2, x0
        isb
        add     x20, x19, #MAILBOX
        mov     x21, #0                         // the last batch that was run
idle:
        mov     x9, #PATIENCE
wait:
        ldar    x0, [x20]
        cmp     x0, x21
        b.ne    run
        sub     x9, x9, #1
        cbnz    x9, wait
        // The host has ended.
        mov     w0, #0x0008                     // PSCI SYSTEM_OFF
        movk    w0, #0x8400, lsl #16
        smc     #0
        b       .
run:
        mov     x21, x0
        ldr     x22, [x20, #16]                 // jobs left
        ldr     x23, [x20, #24]                 // value of the next store
        ldr     x0, [x20, #32]
        msr     tcr_el1, x0
        ldr     x0, [x20, #40]
        msr     ttbr0_el1, x0
        ldr     x0, [x20, #48]
        msr     ttbr1_el1, x0
        ldr     x0, [x20, #56]
        msr     mair_el1, x0
        ldr     x0, [x20, #64]
        msr     sctlr_el1, x0
        ldr     x0, [x20, #72]
        msr     vbar_el1, x0
        ldr     x27, [x20, #80]                 // this page's address at EL1 and EL0
        ldr     x28, [x20, #88]                 // SPSR for EL1
        tlbi    vmalle1
        dsb     sy
        isb
        mov     x24, x19
        add     x24, x24, #JOBS
        add     x25, x19, #RESULTS
next_job:
        cbz     x22, done
        sub     x22, x22, #1
        mov     x26, #-1                        // the access
next_access:
        add     x26, x26, #1
        cmp     x26, #ACCESSES
        b.eq    end_job
        ldr     x0, [x24, #8]
        lsr     x0, x0, x26
        tbz     x0, #0, skip
        tlbi    vmalle1                         // each access walks the tables as they are now
        dsb     sy
        isb
        ldr     x0, [x24]                       // the address
        mov     x1, x23                         // the value to store
        mov     x2, #0                          // the result of a load or a fetch
        adr     x3, accesses
        add     x3, x3, x26, lsl #5
        br      x3
skip:
        add     x23, x23, #1
        add     x25, x25, #RESULT_BYTES
        b       next_access
end_job:
        add     x24, x24, #16
        b       next_job
done:
        dsb     sy
        add     x0, x20, #8
        stlr    x21, [x0]
        b       idle

// One access each, 32 bytes apart. Order: src/mmu/guest/layout.ts.
        .balign 32
accesses:
        add     x3, x27, #0x400                 // kernel read
        mov     x4, x28
        b       enter
        .balign 32
        add     x3, x27, #0x410                 // kernel write
        mov     x4, x28
        b       enter
        .balign 32
        mov     x3, x0                          // kernel execute
        mov     x4, x28
        b       enter
        .balign 32
        add     x3, x27, #0x400                 // user read
        mov     x4, #0x3c0
        b       enter
        .balign 32
        add     x3, x27, #0x420                 // user write
        mov     x4, #0x3c0
        b       enter
        .balign 32
        mov     x3, x0                          // user execute
        mov     x4, #0x3c0
        b       enter
        .balign 32
        at      s1e1r, x0
        b       translated
        .balign 32
        at      s1e1w, x0
        b       translated
        .balign 32
        at      s1e0r, x0
        b       translated
        .balign 32
        at      s1e0w, x0
        b       translated
enter:
        msr     elr_el2, x3
        msr     spsr_el2, x4
        isb
        eret
translated:
        isb
        mrs     x2, par_el1
        stp     xzr, xzr, [x25]
        stp     x2, xzr, [x25, #16]
        b       skip

// The code of EL1 and EL0. Each of EL1's vectors returns to EL2 by hvc.
        .org    0x400
        ldr     x2, [x0, #16]
        svc     #0
        .org    0x410
        str     x1, [x0, #24]
        svc     #0
        .org    0x420
        str     x1, [x0, #32]
        svc     #0

        .org    0x800
vectors:
        .rept   16
        .balign 128
        b       trapped
        .endr
trapped:
        mrs     x3, esr_el2
        lsr     x4, x3, #26
        cmp     x4, #0x16                       // HVC: EL1 reports an exception
        b.ne    odd
        mrs     x3, esr_el1
        mrs     x4, far_el1
        mrs     x5, elr_el1
        b       record
odd:
        orr     x3, x3, #(1 << 63)
        mrs     x4, far_el2
        mrs     x5, elr_el2
record:
        stp     x3, x4, [x25]
        stp     x2, x5, [x25, #16]
        b       skip

        .org    0x1800
el1_vectors:
        .rept   16
        .balign 128
        hvc     #1
        .endr
