/* The head of the layout table, and the note that leads to it. See layout.h. */
#include "layout.h"

/* The linker defines these at the ends of the section. The section may not have the name of a
 * variable: an assembler would take one for the other. */
extern const struct bine_layout_row __start_bine_rows[] __attribute__((visibility("hidden")));
extern const struct bine_layout_row __stop_bine_rows[] __attribute__((visibility("hidden")));

/* Not const: it holds addresses, and a core file holds what is writable, whatever the kernel was
 * told to leave out. */
__attribute__((visibility("hidden"), used)) struct bine_layout bine_layout = {
    .magic = {'B', 'i', 'n', 'e', 'L', 'o', 'o', 'k'},
    .version = BINE_LAYOUT_VERSION,
    .size = sizeof bine_layout,
    .row_size = sizeof(struct bine_layout_row),
    .word_size = sizeof(void *),
    .rows = __start_bine_rows,
    .end = __stop_bine_rows,
};

/* The note's content is the distance from it to the table. */
_Static_assert(BINE_LAYOUT_NOTE == 1, "the type below");
__asm__(".pushsection .note.bine, \"a\", %note\n"
        ".balign 4\n"
        ".long 5, 4, 1\n"
        ".asciz \"Bine\"\n"
        ".balign 4\n"
        ".long bine_layout - .\n"
        ".popsection\n");
