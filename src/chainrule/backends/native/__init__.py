"""Native code for this processor, by LLVM: graphs become loop nests, and those machine code.

The stages, each a module: `lower` (what is fused, what is a view, what has a kernel), `nest` (the
loop nests of kernels, as data), `plan` (memory), `emit` (LLVM IR; `code`, `primitives`,
`elementary`, `wide` and `division` write arithmetic), `machine` (object code). For several threads,
`sharing` chooses loops that keep `apart`, `team` writes how they wait for each other, `workers` has
the threads. What is left of the stages is `compiled`, which the disk keeps under a `key`; `program`
runs it in an `arena`. To see a stage: `inspection.inspect`, or `chainrule inspect`. An op is added
as one function beside those of its family (`reductions`, `largest`, `products`, `positions`,
`random_bits`), a primitive in `primitives`.
"""

from chainrule.backends.native.backend import NativeBackend as NativeBackend
