# A program around `run`: the arena comes from standard input and goes to standard output. It lies
# at the end of its pages, and the page after it may not be touched. The linker knows its size.
    .globl _start
_start:
    movl $9, %eax                           # mmap(0, pages + 4096, none, private | anonymous, ...)
    xorl %edi, %edi
    movq $arena_pages + 4096, %rsi
    xorl %edx, %edx
    movl $0x22, %r10d
    movq $-1, %r8
    xorl %r9d, %r9d
    syscall
    movq %rax, %rbx
    movl $10, %eax                          # mprotect(begin, pages, read | write)
    movq %rbx, %rdi
    movq $arena_pages, %rsi
    movl $3, %edx
    syscall
    addq $arena_pages, %rbx
    subq $arena_size, %rbx
    movq $arena_size, %r12
    movq %rbx, %r13
1:  xorl %eax, %eax                         # read(0, at, left), until all is there
    xorl %edi, %edi
    movq %r13, %rsi
    movq %r12, %rdx
    syscall
    testq %rax, %rax
    jle 2f
    addq %rax, %r13
    subq %rax, %r12
    jnz 1b
2:  movq %rbx, %rdi
    call run
    movq $arena_size, %r12
    movq %rbx, %r13
3:  movl $1, %eax                           # write(1, at, left)
    movl $1, %edi
    movq %r13, %rsi
    movq %r12, %rdx
    syscall
    testq %rax, %rax
    jle 4f
    addq %rax, %r13
    subq %rax, %r12
    jnz 3b
4:  movl $60, %eax                          # exit(how many bytes are left > 0)
    xorl %edi, %edi
    testq %r12, %r12
    setnz %dil
    syscall
    .section .note.GNU-stack, "", @progbits
