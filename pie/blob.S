/* The linked blob as data of the tool. */
	.section .rodata
	.globl blob_start, blob_end
	.balign 64
blob_start:
	.incbin BLOB_BIN
blob_end:
	.section .note.GNU-stack, "", %progbits
