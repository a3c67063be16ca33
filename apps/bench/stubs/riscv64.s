# Runs one batch of accesses after another under the tables of S and U mode. It stays in M mode, which translates nothing. MPRV makes
# its loads and stores those of S or U, and mret makes fetches. Layout of the mailbox: src/mmu/guest/layout.ts.

        .equ    MAILBOX, 0x10000
        .equ    JOBS, 0x20000
        .equ    RESULTS, 0x40000
        .equ    RESULT_BYTES, 32
        .equ    ACCESSES, 6
        .equ    PATIENCE, 1 << 35               # reads of the mailbox: one or two minutes

        .option norvc
        .option norelax
        .text
        .globl  _start
_start:
        auipc   s0, 0
        la      t0, trapped
        csrw    mtvec, t0
        csrw    medeleg, zero
        csrw    mideleg, zero
        csrw    mie, zero
        li      t0, -1
        srli    t0, t0, 10
        csrw    pmpaddr0, t0                    # one region: all of memory
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        li      t0, MAILBOX
        add     s1, s0, t0
        li      s2, 0                           # the last batch that was run
idle:
        li      t3, PATIENCE
wait:
        ld      t0, 0(s1)
        bne     t0, s2, run
        addi    t3, t3, -1
        bnez    t3, wait
        # The host has ended. The board's test device ends QEMU.
        li      t0, 0x100000
        li      t1, 0x5555
        sw      t1, 0(t0)
        j       .
run:
        fence
        mv      s2, t0
        ld      s3, 16(s1)                      # jobs left
        ld      s4, 24(s1)                      # value of the next store
        ld      t0, 32(s1)
        csrw    satp, t0
        ld      s9, 40(s1)                      # mstatus for accesses of S mode, without MPRV
        ld      s10, 48(s1)                     # and of U mode
        ld      t0, 56(s1)
        csrw    menvcfg, t0
        sfence.vma
        li      s11, 1 << 17                    # mstatus.MPRV
        li      t0, JOBS
        add     s5, s0, t0
        li      t0, RESULTS
        add     s6, s0, t0
next_job:
        beqz    s3, done
        addi    s3, s3, -1
        li      s7, -1                          # the access
next_access:
        addi    s7, s7, 1
        li      t0, ACCESSES
        beq     s7, t0, end_job
        ld      t0, 8(s5)
        srl     t0, t0, s7
        andi    t0, t0, 1
        beqz    t0, skip
        sfence.vma                              # each access reads the current tables
        ld      a0, 0(s5)                       # the address
        mv      a1, s4                          # the value to store
        li      a2, 0                           # the result of a load or a fetch
        slli    t0, s7, 5
        la      t1, accesses
        add     t1, t1, t0
        jr      t1
skip:
        addi    s4, s4, 1
        addi    s6, s6, RESULT_BYTES
        j       next_access
end_job:
        # Slots of accesses that this architecture does not have.
        addi    s4, s4, 4
        addi    s6, s6, 4 * RESULT_BYTES
        addi    s5, s5, 16
        j       next_job
done:
        fence
        sd      s2, 8(s1)
        j       idle

# One access each, 32 bytes apart. Order: src/mmu/guest/layout.ts.
        .balign 32
accesses:
        or      t0, s9, s11
        csrw    mstatus, t0
        ld      a2, 16(a0)
        j       survived
        .balign 32
        or      t0, s9, s11
        csrw    mstatus, t0
        sd      a1, 24(a0)
        j       survived
        .balign 32
        csrw    mstatus, s9
        csrw    mepc, a0
        mret
        .balign 32
        or      t0, s10, s11
        csrw    mstatus, t0
        ld      a2, 16(a0)
        j       survived
        .balign 32
        or      t0, s10, s11
        csrw    mstatus, t0
        sd      a1, 32(a0)
        j       survived
        .balign 32
        csrw    mstatus, s10
        csrw    mepc, a0
        mret
        .balign 32
survived:
        csrw    mstatus, zero
        li      t0, -1                          # no cause: the access did not trap
        li      t1, 0
        li      t2, 0
        j       record
        .balign 4
trapped:
        csrw    mstatus, zero
        csrr    t0, mcause
        csrr    t1, mtval
        csrr    t2, mepc
record:
        sd      t0, 0(s6)
        sd      t1, 8(s6)
        sd      a2, 16(s6)
        sd      t2, 24(s6)
        j       skip
