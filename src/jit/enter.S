// SPDX-License-Identifier: Apache-2.0
// uint64_t portolan_jit_enter(Run *run, const void *code, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
//
// Calls machine code of a program: R1 to R5 are a to e, and r12 is the run (registers.h). The code gives back what
// else it uses.
        .text
        .globl portolan_jit_enter
        .hidden portolan_jit_enter
        .p2align 4
        .type portolan_jit_enter, @function
portolan_jit_enter:
        .cfi_startproc
        push    %r12
        .cfi_def_cfa_offset 16
        .cfi_offset %r12, -16
        mov     %rdi, %r12
        mov     %rsi, %rax
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %rcx
        mov     %r9, %r8
        mov     16(%rsp), %r9
        call    *%rax
        pop     %r12
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size portolan_jit_enter, . - portolan_jit_enter

// uint64_t portolan_jit_run(Run *run, const void *code, void *context)
//
// The same with R1 only.
        .globl portolan_jit_run
        .hidden portolan_jit_run
        .p2align 4
        .type portolan_jit_run, @function
portolan_jit_run:
        .cfi_startproc
        push    %r12
        .cfi_def_cfa_offset 16
        .cfi_offset %r12, -16
        mov     %rdi, %r12
        mov     %rsi, %rax
        mov     %rdx, %rsi
        call    *%rax
        pop     %r12
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size portolan_jit_run, . - portolan_jit_run

// A program that is no more than its result: what its context is.
        .globl portolan_jit_return_context
        .hidden portolan_jit_return_context
        .p2align 4
        .type portolan_jit_return_context, @function
portolan_jit_return_context:
        mov     %rsi, %rax
        ret
        .size portolan_jit_return_context, . - portolan_jit_return_context

        .section .note.GNU-stack,"",@progbits
