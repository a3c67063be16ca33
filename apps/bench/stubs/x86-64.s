# Runs one batch of accesses after another under the tables of a test. A processor in 64-bit mode cannot turn off paging, so the first
# slot of every root leads here (src/mmu/targets/x86-64.ts). The test has all others. Layout of the mailbox: src/mmu/guest/layout.ts.

        .equ    BASE, 0x200000
        .equ    MAILBOX, BASE + 0x10000
        .equ    JOBS, BASE + 0x20000
        .equ    RESULTS, BASE + 0x40000
        .equ    RESULT_BYTES, 32
        .equ    ACCESSES, 6
        .equ    PATIENCE, 1 << 35               # reads of the mailbox: one or two minutes
        .equ    IDT, BASE + 0x8000
        .equ    STACK, BASE + 0xf000
        .equ    USER, BASE + 0x200000           # a page of user mode

        .text
        .code64
        .globl  _start
_start:
        movl    $STACK, %esp
        lgdt    gdt_pointer
        movabsq $reload, %rax
        pushq   $8
        pushq   %rax
        lretq
reload:
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    $16, %eax
        movl    %eax, %ss
        movl    $40, %eax
        ltr     %ax
        # Every vector has a gate that user mode may use. All gates use one stack.
        movl    $IDT, %edi
        movl    $handlers, %eax
        movl    $256, %ecx
gate:
        movw    %ax, (%rdi)
        movw    $8, 2(%rdi)
        movw    $0xee01, 4(%rdi)
        movl    %eax, %edx
        shrl    $16, %edx
        movw    %dx, 6(%rdi)
        movq    $0, 8(%rdi)
        addl    $16, %edi
        addl    $16, %eax
        decl    %ecx
        jnz     gate
        lidt    idt_pointer
        xorl    %ebp, %ebp                      # the last batch that was run
idle:
        movabsq $PATIENCE, %rcx
wait:
        movq    MAILBOX, %rax
        cmpq    %rbp, %rax
        jne     run
        decq    %rcx
        jnz     wait
        # The host has ended. Without handlers a trap resets the machine, which ends QEMU.
        lidt    no_idt
        ud2
run:
        movq    %rax, %rbp
        movq    MAILBOX + 16, %r8               # jobs left
        movq    MAILBOX + 24, %r9               # value of the next store
        movl    $0xc0000080, %ecx
        movl    MAILBOX + 64, %eax
        xorl    %edx, %edx
        wrmsr                                   # EFER
        # Load CR4 without PGE first, so that no global entry stays in the TLB.
        movq    MAILBOX + 40, %rax
        movq    %rax, %cr4
        movq    MAILBOX + 48, %rax
        movq    %rax, %cr3
        movq    MAILBOX + 56, %rax
        movq    %rax, %cr4
        movq    MAILBOX + 72, %rbx
        btq     $22, %rax
        jnc     no_pkru
        movl    MAILBOX + 88, %eax
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        wrpkru
no_pkru:
        movq    MAILBOX + 56, %rax
        btq     $24, %rax
        jnc     no_pkrs
        movl    $0x6e1, %ecx
        movl    MAILBOX + 96, %eax
        xorl    %edx, %edx
        wrmsr
no_pkrs:
        movq    %rbx, %cr0
        movl    $JOBS, %r10d
        movl    $RESULTS, %r11d
next_job:
        testq   %r8, %r8
        jz      done
        decq    %r8
        movl    $-1, %r12d                      # the access
next_access:
        incl    %r12d
        cmpl    $ACCESSES, %r12d
        je      end_job
        movq    8(%r10), %rax
        btq     %r12, %rax
        jnc     skip
        movq    (%r10), %rdi                    # the address
        movq    %r9, %rsi                       # the value to store
        movl    %r12d, %edx
        shll    $6, %edx
        addl    $accesses, %edx
        xorl    %eax, %eax                      # the result of a load or a fetch
        pushq   MAILBOX + 80                    # RFLAGS of the kernel's accesses
        popfq
        jmp     *%rdx
skip:
        incq    %r9
        addq    $RESULT_BYTES, %r11
        jmp     next_access
end_job:
        # Slots of accesses that this architecture does not have.
        addq    $4, %r9
        addq    $(4 * RESULT_BYTES), %r11
        addq    $16, %r10
        jmp     next_job
done:
        movq    MAILBOX + 40, %rax
        movq    %rax, %cr4
        movq    MAILBOX + 32, %rax              # the stub's own tables
        movq    %rax, %cr3
        mfence
        movq    %rbp, MAILBOX + 8
        jmp     idle

# One access each, 64 bytes apart. Order: src/mmu/guest/layout.ts.
        .balign 64
accesses:
        movq    16(%rdi), %rax
        int     $0x80
        .balign 64
        movq    %rsi, 24(%rdi)
        int     $0x80
        .balign 64
        jmp     *%rdi
        .balign 64
        movl    $(user_read - user + USER), %edx
        jmp     to_user
        .balign 64
        movl    $(user_write - user + USER), %edx
        jmp     to_user
        .balign 64
        movq    %rdi, %rdx
        jmp     to_user
        .balign 64
to_user:
        pushq   $0x1b                           # data of user mode
        pushq   $0
        pushq   $2
        pushq   $0x23                           # code of user mode
        pushq   %rdx
        iretq

common:
        # vector, error code, RIP, CS, RFLAGS, RSP, SS
        popq    %rdx
        popq    %rcx
        shlq    $8, %rcx
        orq     %rcx, %rdx
        movq    %rdx, (%r11)
        movq    %cr2, %rdx
        movq    %rdx, 8(%r11)
        movq    %rax, 16(%r11)
        popq    %rdx
        movq    %rdx, 24(%r11)
        movl    $STACK, %esp
        jmp     skip

        .balign 16
gdt:    .quad   0
        .quad   0x00af9b000000ffff              # code
        .quad   0x00cf93000000ffff              # data
        .quad   0x00cff3000000ffff              # data of user mode
        .quad   0x00affb000000ffff              # code of user mode
        .quad   0x0000890000000067 | ((BASE & 0xffffff) + 0x2000) << 16
        .quad   0
gdt_pointer:
        .word   55
        .quad   gdt
        .balign 8
no_idt: .word   0
        .quad   0
        .balign 8
idt_pointer:
        .word   4095
        .quad   IDT

# The code of user mode. The host puts a copy of this page at USER.
        .org    0x800
user:
user_read:
        movq    16(%rdi), %rax
        int     $0x80
        .balign 16
user_write:
        movq    %rsi, 32(%rdi)
        int     $0x80

# One handler for each vector, 16 bytes apart.
        .org    0x1000
handlers:
        .set    vector, 0
        .rept   256
        .balign 16
        .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
        .else
        pushq   $0
        .endif
        pushq   $vector
        jmp     common
        .set    vector, vector + 1
        .endr

# The task state segment: the stack of privilege 0, which every vector uses.
        .org    0x2000
        .long   0
        .quad   STACK
        .quad   0, 0, 0
        .quad   STACK
        .org    0x2066
        .word   0x68
