/*
 * What the commands that look inside read of a core: whatever it says, they end, and read no memory
 * of their own that is not theirs.
 *
 * The core is made here. This process parks a few greenlets and looks into itself. The pages that
 * were read for it, its threads and its mappings become a small core file. An input changes that
 * file. Each eight bytes name a place, mostly a word that is not 0, and what is written there. The
 * sum of all bytes begins a row of random edits, so that short inputs change much, too. So nearly
 * every input is still a core, and most of them differ in what matters.
 *
 * SOURCES: src/core/hub/interpreter.c src/inspect/leaks.c src/inspect/options.c src/inspect/ps.c
 * SOURCES: src/inspect/snapshot/delays.c src/inspect/snapshot/describe.c
 * SOURCES: src/inspect/snapshot/graph.c src/inspect/snapshot/pool.c src/inspect/snapshot/python.c
 * SOURCES: src/inspect/snapshot/python_frames.c src/inspect/snapshot/reach.c
 * SOURCES: src/inspect/snapshot/registers.c src/inspect/snapshot/rules.c
 * SOURCES: src/inspect/snapshot/snapshot.c src/inspect/snapshot/stack_use.c
 * SOURCES: src/inspect/snapshot/unwind.c src/inspect/stack.c src/inspect/target/core.c
 * SOURCES: src/inspect/target/live.c src/inspect/target/sockets.c src/inspect/target/stop.c
 * SOURCES: src/inspect/target/table.c src/inspect/target/text.c src/inspect/tree.c
 * SOURCES: src/inspect/view.c src/inspect/waits.c src/inspect/window.c
 * LIBRARIES: -Isrc -DBINE_WITH_LIBDW -lbine -ldw -lelf
 * SANITIZE: address,undefined
 */
#include <bine.h>
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <unistd.h>

/* The pages that are read become the core. */
#include "../../src/inspect/target/target.c"

#include "../../src/inspect/commands.h"
#include "../../src/inspect/snapshot/describe.h"
#include "../../src/inspect/snapshot/unwind.h"
#include "../../src/inspect/view.h"

enum {
    MOST_PAGES = 4096
};

static uint64_t addresses[MOST_PAGES];
static unsigned char contents[MOST_PAGES][INSPECT_PAGE];
static size_t page_count;
static unsigned char *core;
static size_t core_size;
static size_t pages_at;
/* The words that are not 0. Edits prefer these. */
static uint32_t *used;
static size_t used_count;

static const struct inspect_source *plain;

static bool recorded(struct inspect_target *target, uint64_t address, void *page)
{
    if (!plain->page(target, address, page))
        return false;
    for (size_t i = 0; i < page_count; i++)
        if (addresses[i] == address)
            return true;
    if (page_count < MOST_PAGES) {
        addresses[page_count] = address;
        memcpy(contents[page_count++], page, INSPECT_PAGE);
    }
    return true;
}

static void *park(void *arg)
{
    bine_rlock *lock = arg;
    bine_rlock_acquire(lock, BINE_FOREVER);
    bine_sleep(1000 * BINE_SECOND);
    return NULL;
}

static void *join(void *arg)
{
    bine_join(arg, NULL, BINE_FOREVER);
    return NULL;
}

static void *wait_for(void *arg)
{
    bine_wait(arg, 2, NULL, 1, 900 * BINE_SECOND);
    return NULL;
}

static void *take(void *arg)
{
    void *item;
    bine_queue_get(arg, &item, BINE_FOREVER);
    return NULL;
}

static void park_greenlets(void)
{
    static void *objects[2];
    bine_rlock *lock = bine_rlock_new(0);
    bine_greenlet *holder = bine_spawn(park, lock);
    objects[0] = holder;
    objects[1] = bine_event_new(0);
    bine_spawn_with(&(bine_spawn_options){.name = "waiter"}, park, lock);
    bine_spawn(join, holder);
    bine_spawn(wait_for, objects);
    bine_spawn(take, bine_queue_new(0, 0));
    bine_sleep(BINE_MS);
}

/* What the commands read of this very process. */
static void record_pages(void)
{
    static const struct inspect_source recording = {recorded, NULL};
    struct inspect_target *target = inspect_open_process(getpid());
    plain = target->source;
    target->source = &recording;
    struct inspect_snapshot *snapshot = inspect_snapshot(target);
    struct inspect_unwinder *unwinder = inspect_unwinder_new(target);
    for (size_t i = 0; i < snapshot->greenlet_count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[i];
        struct inspect_registers registers;
        struct inspect_trace trace;
        struct inspect_wait wait;
        char name[100], place[100];
        inspect_wait(snapshot, g, &wait);
        inspect_name(snapshot, g, name, sizeof name);
        inspect_place(snapshot, g, place, sizeof place);
        if (inspect_saved_registers(target, inspect_table_of(snapshot, g), g, &registers))
            inspect_unwind(unwinder, registers, &trace);
    }
    inspect_unwinder_free(unwinder);
    inspect_snapshot_free(snapshot);
    target->source = plain;
    inspect_close(target);
}

static size_t add_note(unsigned char *to, unsigned type, const void *content, size_t size)
{
    Elf64_Nhdr header = {5, (Elf64_Word)size, type};
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, "CORE\0\0\0", 8);
    memcpy(to + sizeof header + 8, content, size);
    return sizeof header + 8 + (size + 3) / 4 * 4;
}

/* NT_FILE of this process's mappings. */
static size_t file_note(unsigned char *to)
{
    struct inspect_target *target = inspect_open_process(getpid());
    uint64_t head[2] = {0, 1};
    static unsigned char note[1 << 20];
    static char names[1 << 19];
    size_t at = sizeof head, used = 0;
    for (size_t i = 0; i < target->mapping_count; i++) {
        const struct inspect_mapping *mapping = &target->mappings[i];
        uint64_t entry[3] = {mapping->start, mapping->end, mapping->offset};
        if (!*mapping->path || head[0] > 2000)
            continue;
        memcpy(note + at, entry, sizeof entry);
        at += sizeof entry;
        used += (size_t)sprintf(names + used, "%s", mapping->path) + 1;
        head[0]++;
    }
    memcpy(note, head, sizeof head);
    memcpy(note + at, names, used);
    inspect_close(target);
    return add_note(to, NT_FILE, note, at + used);
}

static void make_core(void)
{
    static unsigned char notes[2 << 20];
    struct elf_prstatus status = {.pr_pid = getpid()};
    struct elf_prpsinfo info = {.pr_pid = getpid()};
    size_t note_size = add_note(notes, NT_PRSTATUS, &status, sizeof status);
    note_size += add_note(notes + note_size, NT_PRPSINFO, &info, sizeof info);
    note_size += file_note(notes + note_size);
    size_t headers = (page_count + 1) * sizeof(Elf64_Phdr), notes_at = sizeof(Elf64_Ehdr) + headers;
    pages_at = notes_at + note_size;
    core_size = pages_at + page_count * INSPECT_PAGE;
    core = calloc(1, core_size);
    Elf64_Ehdr header = {.e_type = ET_CORE,
                         .e_machine = EM_X86_64,
                         .e_version = 1,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = (Elf64_Half)(page_count + 1)};
    memcpy(header.e_ident, ELFMAG "\2\1\1", 7);
    memcpy(core, &header, sizeof header);
    Elf64_Phdr program = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = note_size};
    memcpy(core + sizeof header, &program, sizeof program);
    memcpy(core + notes_at, notes, note_size);
    for (size_t i = 0; i < page_count; i++) {
        program = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_offset = pages_at + i * INSPECT_PAGE,
                               .p_vaddr = addresses[i],
                               .p_filesz = INSPECT_PAGE,
                               .p_memsz = INSPECT_PAGE};
        memcpy(core + sizeof header + (i + 1) * sizeof program, &program, sizeof program);
        memcpy(core + program.p_offset, contents[i], INSPECT_PAGE);
    }
    used = malloc(core_size / 8 * sizeof *used);
    for (uint32_t i = 0; i < core_size / 8; i++) {
        uint64_t word;
        memcpy(&word, core + (size_t)i * 8, 8);
        if (word)
            used[used_count++] = i;
    }
}

/* One edit: where, and what. */
static void edit(unsigned char *file, uint32_t where, uint32_t what)
{
    size_t words = core_size / 8,
           place = where & 8 ? used[(where >> 4) % used_count] : (where >> 4) % words;
    place *= 8;
    uint64_t word;
    memcpy(&word, file + place, 8);
    /* Words that are there already lead elsewhere in the core: circles, and lists in places where
     * there are none. */
    static const uint64_t extremes[4] = {0, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63};
    switch (where & 7) {
    case 0:
        word = what;
        break;
    case 1:
        word += (int32_t)what;
        break;
    case 2:
        word ^= UINT64_C(1) << (what & 63);
        break;
    case 3:
        word = extremes[what & 3];
        break;
    case 4:
        word = page_count ? addresses[what % page_count] + (what >> 16 & 0xff8) : 0;
        break;
    case 5:
        memcpy(&word, file + what % words * 8, 8);
        break;
    case 6:
        word = word << 32 | word >> 32;
        break;
    default:
        memset(&word, (int)what, 8);
    }
    memcpy(file + place, &word, 8);
}

static void look(int (*command)(int count, char **arguments), char *path, char *option)
{
    char *arguments[2] = {option ? option : path, path};
    command(option ? 2 : 1, arguments);
}

/* What bine top does with a process: some looks, a snapshot, and what it shows of both. */
static void look_again_and_again(const char *path)
{
    static const struct inspect_options any;
    static const char *const sorts[] = {"cpu", "waits", "age", "name", "id"};
    struct inspect_target *target = inspect_open(path);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot_running(target) : NULL;
    struct inspect_window window = {0};
    struct inspect_view view = {0};
    bool right = snapshot && inspect_window_begin(&window, snapshot, NULL);
    for (int i = 0; right && i < 3; i++)
        right = inspect_window_look(&window, snapshot);
    for (int i = 0; right && i < 5; i++) {
        struct inspect_choice choice = {&any, sorts[i], i ? "1" : ""};
        inspect_view_free(&view);
        right = inspect_view_make(&view, snapshot, &window, &choice);
    }
    if (right) {
        inspect_view_put_heading(&view, stdout);
        for (size_t i = 0; i < view.row_count && i < 1000; i++)
            inspect_view_put_row(&view, i, stdout);
    }
    inspect_view_free(&view);
    inspect_window_free(&window);
    inspect_snapshot_free(snapshot);
    inspect_close(target);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    park_greenlets();
    record_pages();
    make_core();
    fprintf(stderr, "a core of %zu pages, %zu bytes\n", page_count, core_size);
    /* Their output is not looked at. */
    if (!freopen("/dev/null", "w", stdout))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *file = malloc(core_size);
    char path[64];
    int saved = dup(2), null = open("/dev/null", O_WRONLY), fd = memfd_create("core", MFD_CLOEXEC);
    size_t kept = core_size;
    memcpy(file, core, core_size);
    uint64_t random = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < size; i++)
        random = (random ^ data[i]) * 0x100000001B3;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint32_t words[2];
        memcpy(words, data + i, 8);
        edit(file, words[0], words[1]);
    }
    size_t edits = random >> 60;
    for (size_t i = 0; i < edits; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        edit(file, (uint32_t)random, (uint32_t)(random >> 32));
    }
    if (size % 8 == 7) /* cut off */
        kept = core_size * data[size - 1] / 256;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, file, kept) != (ssize_t)kept)
        abort();
    if (!getenv("INSPECT_FUZZ_LOUD"))
        dup2(null, 2);
    switch (random % 7) {
    case 0:
        look(inspect_ps, path, NULL);
        break;
    case 1:
        look(inspect_ps, path, "--json");
        break;
    case 2:
        look(inspect_waits, path, random & 1 ? "--json" : NULL);
        break;
    case 3:
        look(inspect_tree, path, NULL);
        break;
    case 4:
        look(inspect_leaks, path, NULL);
        break;
    case 5:
        look_again_and_again(path);
        break;
    default:
        look(inspect_stack, path, random & 1 ? "--json" : NULL);
    }
    dup2(saved, 2);
    close(saved);
    close(null);
    close(fd);
    free(file);
    return 0;
}
