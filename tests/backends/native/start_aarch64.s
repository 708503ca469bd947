// A program around `run`: see start_x86_64.s.
    .globl _start
_start:
    mov x8, 222                             // mmap(0, pages + 4096, none, private | anonymous, ...)
    mov x0, 0
    ldr x19, =arena_pages
    add x1, x19, 4096
    mov x2, 0
    mov x3, 0x22
    mov x4, -1
    mov x5, 0
    svc 0
    mov x20, x0
    mov x8, 226                             // mprotect(begin, pages, read | write)
    mov x1, x19
    mov x2, 3
    svc 0
    ldr x22, =arena_size
    add x20, x20, x19
    sub x20, x20, x22
    mov x21, x20
1:  mov x8, 63                              // read(0, at, left), until all is there
    mov x0, 0
    mov x1, x21
    mov x2, x22
    svc 0
    cmp x0, 0
    b.le 2f
    add x21, x21, x0
    subs x22, x22, x0
    b.ne 1b
2:  mov x0, x20
    bl run
    ldr x22, =arena_size
    mov x21, x20
3:  mov x8, 64                              // write(1, at, left)
    mov x0, 1
    mov x1, x21
    mov x2, x22
    svc 0
    cmp x0, 0
    b.le 4f
    add x21, x21, x0
    subs x22, x22, x0
    b.ne 3b
4:  mov x8, 93                              // exit(how many bytes are left > 0)
    cmp x22, 0
    cset x0, ne
    svc 0
    .section .note.GNU-stack, "", %progbits
