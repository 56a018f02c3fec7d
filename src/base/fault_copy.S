// SPDX-License-Identifier: Apache-2.0
// System V calling convention: rdi = to, rsi = from, rdx = size. Leaf code without a frame: the fix-up only has to
// move rip, since nothing is pushed between portolan_fault_begin and portolan_fault_end.
        .text
        .globl portolan_fault_copy
        .globl portolan_fault_copy_string
        .globl portolan_fault_begin
        .globl portolan_fault_end
        .globl portolan_fault_landing
        .globl portolan_fault_string_begin
        .globl portolan_fault_string_end
        .globl portolan_fault_string_landing
        .hidden portolan_fault_copy, portolan_fault_copy_string
        .hidden portolan_fault_begin, portolan_fault_end, portolan_fault_landing
        .hidden portolan_fault_string_begin, portolan_fault_string_end, portolan_fault_string_landing

        .p2align 5
        .type portolan_fault_copy, @function
portolan_fault_copy:
portolan_fault_begin:
        cmp     $16, %rdx
        ja      .Lover16
        cmp     $8, %edx
        jae     .L8to16
        cmp     $4, %edx
        jae     .L4to7
        test    %edx, %edx
        jz      .Ldone
        movzbl  (%rsi), %eax
        movzbl  -1(%rsi,%rdx), %ecx
        mov     %edx, %r9d
        shr     $1, %r9d
        movzbl  (%rsi,%r9), %r8d
        mov     %al, (%rdi)
        mov     %r8b, (%rdi,%r9)
        mov     %cl, -1(%rdi,%rdx)
        jmp     .Ldone
.L4to7:
        mov     (%rsi), %eax
        mov     -4(%rsi,%rdx), %ecx
        mov     %eax, (%rdi)
        mov     %ecx, -4(%rdi,%rdx)
        jmp     .Ldone
.L8to16:
        mov     (%rsi), %rax
        mov     -8(%rsi,%rdx), %rcx
        mov     %rax, (%rdi)
        mov     %rcx, -8(%rdi,%rdx)
        jmp     .Ldone
.Lover16:
        cmp     $32, %rdx
        ja      .Lover32
        je      .L32
        movups  (%rsi), %xmm0
        movups  -16(%rsi,%rdx), %xmm1
        movups  %xmm0, (%rdi)
        movups  %xmm1, -16(%rdi,%rdx)
        jmp     .Ldone
.L32:
        // bpf(2)'s attr of the element commands, which the caller has just written field by field: wider loads
        // would wait until those stores have reached the cache.
        mov     (%rsi), %eax
        mov     4(%rsi), %ecx
        mov     8(%rsi), %r8
        mov     16(%rsi), %r9
        mov     24(%rsi), %r10
        mov     %eax, (%rdi)
        mov     %ecx, 4(%rdi)
        mov     %r8, 8(%rdi)
        mov     %r9, 16(%rdi)
        mov     %r10, 24(%rdi)
        jmp     .Ldone
.Lover32:
        cmp     $512, %rdx
        ja      .Lstring
.Lloop:
        movups  (%rsi), %xmm0
        movups  16(%rsi), %xmm1
        movups  %xmm0, (%rdi)
        movups  %xmm1, 16(%rdi)
        add     $32, %rsi
        add     $32, %rdi
        sub     $32, %rdx
        cmp     $32, %rdx
        jae     .Lloop
        // At least 32 bytes came before, so the tail may overlap what is already copied.
        movups  -32(%rsi,%rdx), %xmm0
        movups  -16(%rsi,%rdx), %xmm1
        movups  %xmm0, -32(%rdi,%rdx)
        movups  %xmm1, -16(%rdi,%rdx)
        jmp     .Ldone
.Lstring:
        mov     %rdx, %rcx
        rep movsb
.Ldone:
        mov     $1, %eax
        ret
portolan_fault_end:
portolan_fault_landing:
        xor     %eax, %eax
        ret
        .size portolan_fault_copy, . - portolan_fault_copy

        .p2align 5
        .type portolan_fault_copy_string, @function
portolan_fault_copy_string:
portolan_fault_string_begin:
        xor     %eax, %eax
.Lnext:
        cmp     %rdx, %rax
        jae     .Lfull
        movzbl  (%rsi,%rax), %ecx
        mov     %cl, (%rdi,%rax)
        test    %cl, %cl
        jz      .Lfull
        inc     %rax
        jmp     .Lnext
.Lfull:
        ret
portolan_fault_string_end:
portolan_fault_string_landing:
        mov     $-1, %rax
        ret
        .size portolan_fault_copy_string, . - portolan_fault_copy_string

        .section .note.GNU-stack,"",@progbits
