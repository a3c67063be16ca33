# The last 256 bytes below 4 GiB: from reset to 64-bit mode, with the registers in the mailbox. Then the code of x86-64.s runs.

        .equ    BASE, 0x200000
        .equ    MAILBOX, BASE + 0x10000
        .equ    HERE, 0xffffff00

        .text
        .code16
        .globl  _start
_start:
start:
        cli
        lgdtl   %cs:(gdt_pointer - start + 0xff00)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $8, $(HERE + protected - start)
        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movl    MAILBOX + 40, %eax
        movl    %eax, %cr4
        movl    MAILBOX + 32, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx               # EFER: LME, NXE
        movl    $0x900, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0x80000001, %eax               # PG, PE
        movl    %eax, %cr0
        ljmpl   $24, $BASE

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff              # 32-bit code
        .quad   0x00cf93000000ffff              # data
        .quad   0x00af9b000000ffff              # 64-bit code
gdt_pointer:
        .word   31
        .long   HERE + gdt - start

        .org    0xf0
        .code16
        .byte   0xe9                            # jmp start
        .word   start - (. + 2)
        .org    0x100
