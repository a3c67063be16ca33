# A supervisor and a user program, for the processor in cpu.mjs. It starts in supervisor mode with satp = 0.
#
# The supervisor makes Sv39 tables for two processes, serves their page faults, and switches between them. Each process has an ASID,
# so a switch needs no SFENCE. Below 1 GiB all addresses are the user's. The kernel sees RAM where it is, and devices at DEVICES.

.equ RAM, 0x80000000
.equ DEVICES, 0xffffffc000000000     # the first GiB of physical addresses: root entry 256
.equ UART, 0xffffffc010000000        # a byte stored here is printed
.equ POWER, 0xffffffc000100000       # 0x5555 stored here ends the machine
.equ USER_CODE, 0x10000
.equ USER_DATA, 0x20000000           # 16 MiB that faults populate
.equ USER_DATA_MIB, 16
.equ ROOTS, 0x80100000               # a page for each process
.equ FRAMES, 0x80200000              # frames from here on are given out

# Entries: V R W X U G A D are bits 0 to 7.
.equ KERNEL_RAM, (RAM >> 2) | 0xef   # V R W X G A D, 1 GiB
.equ KERNEL_DEVICES, 0xe7            # V R W G A D, 1 GiB
.equ USER_TEXT, 0x5b                 # V R X U A
.equ USER_PAGE, 0x17                 # V R W U: the MMU sets A and D

# A process: 32 registers (pc in the place of x0), then:
.equ SATP, 256
.equ ASID, 264
.equ DEAD, 272
.equ NEXT, 280
.equ PROCESS, 288

.text
.globl _start
_start:
  la sp, stack_top
  la t0, trap
  csrw stvec, t0
  la s0, process1
  li a0, 1
  li a1, 200000
  la a2, process2
  jal start_process
  la s0, process2
  li a0, 2
  li a1, 300000
  la a2, process1
  jal start_process
  la s0, process1
  j resume

# Makes the tables and registers of a process. s0: the process, a0: its ASID, a1: its argument, a2: the next process.
start_process:
  mv s11, ra
  sd a0, ASID(s0)
  sd a1, 80(s0)                      # its a0
  sd a2, NEXT(s0)
  li t0, USER_CODE
  sd t0, 0(s0)
  li t0, USER_DATA + (USER_DATA_MIB << 20)
  sd t0, 16(s0)                      # its sp
  li s1, ROOTS
  slli t0, a0, 12
  add s1, s1, t0
  srli t0, s1, 12                    # satp: mode 8, ASID, frame of the root
  slli t1, a0, 44
  or t0, t0, t1
  li t1, 8
  slli t1, t1, 60
  or t0, t0, t1
  sd t0, SATP(s0)
  li t0, KERNEL_RAM
  sd t0, 16(s1)                      # root entry 2: RAM
  li t0, KERNEL_DEVICES
  li t1, 2048
  add t1, t1, s1
  sd t0, 0(t1)                       # root entry 256: devices
  mv a0, s1
  li a1, USER_CODE
  la a2, user
  srli a2, a2, 2
  ori a2, a2, USER_TEXT
  jal map_page
  jr s11

# Maps a page. a0: the root, a1: the address, a2: the entry.
map_page:
  li t2, 30
1:
  srl t0, a1, t2
  andi t0, t0, 511
  slli t0, t0, 3
  add t0, t0, a0
  li t3, 12
  beq t2, t3, 3f
  ld t1, 0(t0)
  andi t3, t1, 1
  bnez t3, 2f
  mv t6, ra
  jal take_frame                     # gives t5
  mv ra, t6
  srli t1, t5, 2
  ori t1, t1, 1
  sd t1, 0(t0)
2:
  srli a0, t1, 10
  slli a0, a0, 12
  addi t2, t2, -9
  j 1b
3:
  sd a2, 0(t0)
  ret

# Takes a frame of zeros: RAM is zero at first, and no frame comes back. Returns its address in t5.
take_frame:
  la t4, next_frame
  ld t5, 0(t4)
  lui t3, 1
  add t3, t3, t5
  sd t3, 0(t4)
  ret

.balign 4
trap:
  csrrw sp, sscratch, sp
  sd x1, 8(sp)
  sd x3, 24(sp)
  sd x4, 32(sp)
  sd x5, 40(sp)
  sd x6, 48(sp)
  sd x7, 56(sp)
  sd x8, 64(sp)
  sd x9, 72(sp)
  sd x10, 80(sp)
  sd x11, 88(sp)
  sd x12, 96(sp)
  sd x13, 104(sp)
  sd x14, 112(sp)
  sd x15, 120(sp)
  sd x16, 128(sp)
  sd x17, 136(sp)
  sd x18, 144(sp)
  sd x19, 152(sp)
  sd x20, 160(sp)
  sd x21, 168(sp)
  sd x22, 176(sp)
  sd x23, 184(sp)
  sd x24, 192(sp)
  sd x25, 200(sp)
  sd x26, 208(sp)
  sd x27, 216(sp)
  sd x28, 224(sp)
  sd x29, 232(sp)
  sd x30, 240(sp)
  sd x31, 248(sp)
  mv s0, sp
  csrr t0, sscratch
  sd t0, 16(s0)
  csrr t0, sepc
  sd t0, 0(s0)
  la sp, stack_top
  csrr t0, scause
  li t1, 8
  beq t0, t1, call
  li t1, 13
  beq t0, t1, page_fault
  li t1, 15
  beq t0, t1, page_fault
  j kill

# A load or store to the user's data without a page: give it one.
page_fault:
  csrr a1, stval
  li t0, USER_DATA
  bltu a1, t0, kill
  li t0, USER_DATA + (USER_DATA_MIB << 20)
  bgeu a1, t0, kill
  jal take_frame
  srli a2, t5, 2
  ori a2, a2, USER_PAGE
  ld a0, SATP(s0)
  slli a0, a0, 20
  srli a0, a0, 8                     # the root: the frame in satp, in bytes
  jal map_page
  csrr t0, stval
  ld t1, ASID(s0)
  sfence.vma t0, t1
  j resume

kill:
  la a0, killed
  la a1, killed_end
  jal print
  j exit

# A system call: a7 says which.
call:
  ld t0, 0(s0)
  addi t0, t0, 4
  sd t0, 0(s0)
  ld a7, 136(s0)
  li t0, 1
  beq a7, t0, write
  li t0, 2
  beq a7, t0, switch
exit:
  li t0, 1
  sd t0, DEAD(s0)
  ld t1, ASID(s0)
  sfence.vma x0, t1                  # nobody has this address space any more
switch:
  ld t0, NEXT(s0)
  ld t1, DEAD(t0)
  beqz t1, 1f
  ld t1, DEAD(s0)
  beqz t1, resume
  li t0, POWER
  li t1, 0x5555
  sw t1, 0(t0)
1:
  mv s0, t0
  j resume

# write(address, bytes): the supervisor reads the user's page, for which it must set SUM.
write:
  ld a0, 80(s0)
  ld a1, 88(s0)
  add a1, a1, a0
  li t0, 0x40000
  csrs sstatus, t0
  jal print
  li t0, 0x40000
  csrc sstatus, t0
  j resume

# Prints the bytes from a0 to a1.
print:
  li t1, UART
1:
  bgeu a0, a1, 2f
  lbu t0, 0(a0)
  sb t0, 0(t1)
  addi a0, a0, 1
  j 1b
2:
  ret

# Goes on with the process in s0.
resume:
  ld t0, SATP(s0)
  csrw satp, t0
  csrw sscratch, s0
  ld t0, 0(s0)
  csrw sepc, t0
  li t0, 0x100
  csrc sstatus, t0                   # SPP: back to the user
  mv sp, s0
  ld x1, 8(sp)
  ld x3, 24(sp)
  ld x4, 32(sp)
  ld x5, 40(sp)
  ld x6, 48(sp)
  ld x7, 56(sp)
  ld x8, 64(sp)
  ld x9, 72(sp)
  ld x10, 80(sp)
  ld x11, 88(sp)
  ld x12, 96(sp)
  ld x13, 104(sp)
  ld x14, 112(sp)
  ld x15, 120(sp)
  ld x16, 128(sp)
  ld x17, 136(sp)
  ld x18, 144(sp)
  ld x19, 152(sp)
  ld x20, 160(sp)
  ld x21, 168(sp)
  ld x22, 176(sp)
  ld x23, 184(sp)
  ld x24, 192(sp)
  ld x25, 200(sp)
  ld x26, 208(sp)
  ld x27, 216(sp)
  ld x28, 224(sp)
  ld x29, 232(sp)
  ld x30, 240(sp)
  ld x31, 248(sp)
  ld x2, 16(sp)
  sret

killed: .ascii "killed: it may not go there\n"
killed_end:

.balign 8
next_frame: .dword FRAMES
process1: .zero PROCESS
process2: .zero PROCESS
.zero 1024
stack_top:

# The user program: counts the primes below a0 with a sieve, three times, and prints how many. Then it touches the kernel's memory.
.balign 4096
user:
  mv s0, a0
  li s1, USER_DATA
  li s4, 3
round:
  mv t0, s1
  add t1, s1, s0
1:
  sb zero, 0(t0)
  addi t0, t0, 1
  bltu t0, t1, 1b
  li t0, 2
  li t6, 1
outer:
  add t2, s1, t0
  lbu t3, 0(t2)
  bnez t3, next
  slli t4, t0, 1
inner:
  bgeu t4, s0, next
  add t5, s1, t4
  sb t6, 0(t5)
  add t4, t4, t0
  j inner
next:
  addi t0, t0, 1
  bltu t0, s0, outer
  li a7, 2
  ecall                              # the other process's turn
  addi s4, s4, -1
  bnez s4, round

  li s2, 0                           # count what is left
  addi t0, s1, 2
  add t1, s1, s0
1:
  lbu t2, 0(t0)
  seqz t2, t2
  add s2, s2, t2
  addi t0, t0, 1
  bltu t0, t1, 1b

  mv a0, s2
  jal put_number
  lla a0, below
  lla a1, below_end
  sub a1, a1, a0
  li a7, 1
  ecall
  mv a0, s0
  jal put_number
  lla a0, newline
  li a1, 1
  li a7, 1
  ecall
  li t0, RAM
  sw zero, 0(t0)                     # a store that must fault
  li a7, 3
  ecall

# Prints the number in a0, below 1,000,000. Division is by subtraction: RV64I has none.
put_number:
  addi sp, sp, -16
  mv t0, sp
  lla t1, powers
  li t4, 0                           # 1 after the first digit
1:
  lwu t2, 0(t1)
  li t3, 0
2:
  bltu a0, t2, 3f
  sub a0, a0, t2
  addi t3, t3, 1
  j 2b
3:
  or t4, t4, t3
  beqz t4, 4f
  addi t3, t3, 48
  sb t3, 0(t0)
  addi t0, t0, 1
4:
  addi t1, t1, 4
  li t5, 1
  bne t2, t5, 1b
  mv a0, sp
  sub a1, t0, sp
  li a7, 1
  ecall
  addi sp, sp, 16
  ret

.balign 4
powers: .word 100000, 10000, 1000, 100, 10, 1
below: .ascii " primes below "
below_end:
newline: .ascii "\n"
