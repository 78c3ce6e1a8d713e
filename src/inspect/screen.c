/*
 * bine top in a terminal, by ncurses. Nothing of the process's memory reaches the terminal but
 * characters that can be printed.
 */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "child.h"
#include "top.h"

enum {
    ESCAPE = 27,
    FILTER = 64, /* bytes of a filter, with its zero byte */
};

struct screen {
    struct inspect_top *top;
    size_t selected, first; /* rows of the view */
    uint64_t address;       /* of the selected greenlet, which may move; 0: the row is meant */
    char filter[FILTER];
    bool filtering, paused;
    char *text; /* what is shown in place of the list; NULL: the list is */
    size_t text_first;
    const char *end; /* why it ended, for the user; NULL: it goes on */
    char note[120];  /* shown in the last line until the next key */
};

static volatile sig_atomic_t ended_by;

static void screen_handle(int signal_number)
{
    ended_by = signal_number;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* The first `length` bytes of a text, cut to the width of the screen. */
static void put_line(int y, const char *text, size_t length, attr_t attributes)
{
    wchar_t line[1024];
    int count = 0, columns = 0;
    mbstate_t state = {0};
    if (y < 0 || y >= LINES)
        return;
    for (size_t at = 0; at < length && count < 1023;) {
        wchar_t character;
        size_t size = mbrtowc(&character, text + at, length - at, &state);
        bool valid = size && size != (size_t)-1 && size != (size_t)-2;
        int width = valid && iswprint((wint_t)character) ? wcwidth(character) : -1;
        if (!valid)
            state = (mbstate_t){0};
        if (width <= 0) {
            character = L'?';
            width = 1;
        }
        if (columns + width > COLS)
            break;
        line[count++] = character;
        columns += width;
        at += valid ? size : 1;
    }
    for (; columns < COLS && count < 1023; columns++)
        line[count++] = L' ';
    attrset(attributes);
    mvaddnwstr(y, 0, line, count);
    attrset(A_NORMAL);
}

static void put_text_line(int y, const char *text, attr_t attributes)
{
    put_line(y, text, strlen(text), attributes);
}

/* The lines of a text from one on. Returns the next free line of the screen. */
static int put_lines(int y, int end, const char *text, size_t skip)
{
    while (*text && y < end) {
        size_t length = strcspn(text, "\n");
        if (skip)
            skip--;
        else
            put_line(y++, text, length, A_NORMAL);
        text += length + (text[length] == '\n');
    }
    return y;
}

static char *heading_of(const struct inspect_view *view)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    inspect_view_put_heading(view, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static void draw_row(const struct screen *screen, int y, size_t row)
{
    const struct inspect_view *view = &screen->top->view;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    inspect_view_put_row(view, row, out);
    if (fclose(out) == 0)
        put_text_line(y, text,
                      row == screen->selected  ? A_REVERSE
                      : view->rows[row].runner ? A_BOLD
                                               : A_NORMAL);
    free(text);
}

static void draw_status(const struct screen *screen)
{
    char text[300];
    if (screen->filtering)
        snprintf(text, sizeof text, "filter: %s_   (Enter keeps it, Escape clears it)",
                 screen->filter);
    else if (*screen->note)
        snprintf(text, sizeof text, "%s", screen->note);
    else if (screen->text)
        snprintf(text, sizeof text, "arrows scroll, q or Escape goes back");
    else
        snprintf(text, sizeof text,
                 "sorted by %s%s%s%s   c w a n i sort, / filters, Enter shows "
                 "the stack, space %s, h explains, q ends",
                 screen->top->choice.sort, *screen->filter ? ", only with \"" : "", screen->filter,
                 *screen->filter ? "\"" : "", screen->paused ? "goes on" : "pauses");
    put_text_line(LINES - 1, text, A_REVERSE);
}

static void draw_list(struct screen *screen)
{
    const struct inspect_view *view = &screen->top->view;
    if (!view->rows) {
        put_text_line(0, "looking ...", A_NORMAL);
        return;
    }
    char *heading = heading_of(view);
    int y = put_lines(0, LINES / 2, heading ? heading : "", 0);
    free(heading);
    put_text_line(y + 1, inspect_view_columns, A_UNDERLINE);
    y += 2;
    size_t lines = LINES - 1 > y ? (size_t)(LINES - 1 - y) : 0;
    if (screen->selected >= view->row_count)
        screen->selected = view->row_count ? view->row_count - 1 : 0;
    if (screen->first > screen->selected)
        screen->first = screen->selected;
    if (lines && screen->selected >= screen->first + lines)
        screen->first = screen->selected - lines + 1;
    for (size_t i = 0; i < lines && screen->first + i < view->row_count; i++)
        draw_row(screen, y + (int)i, screen->first + i);
}

static void draw(struct screen *screen)
{
    erase();
    if (screen->text)
        put_lines(0, LINES - 1, screen->text, screen->text_first);
    else
        draw_list(screen);
    draw_status(screen);
    refresh();
}

/* ---- texts in place of the list -------------------------------------------------------------- */

static const char explanation[] =
    "bine top looks at the process many times a second, and shows what it saw in the last "
    "interval.\n"
    "\n"
    "HUB      CPU          of its thread, by the kernel\n"
    "         BUSY         share of looks at which it did not wait for events\n"
    "         READY        greenlets that could run at the end of the interval\n"
    "         MEDIAN 99TH  how long greenlets were ready before they ran\n"
    "         SWITCH/S     switches between greenlets, a second\n"
    "         TURN/S       looks for events, timers and messages, a second\n"
    "         LONGEST RUN  of one greenlet that was seen running without a switch\n"
    "\n"
    "ID       RUNS         share of looks at which the greenlet was the one that runs\n"
    "         CPU          the same, where its thread had a processor or waited for one:\n"
    "                      RUNS without CPU is a call that blocks the hub\n"
    "         SINCE        how long it has waited, if the process has BINE_PARK_TIMES=1\n"
    "\n"
    "c        sorts by CPU: what was seen running most\n"
    "w        sorts by waits: what most greenlets wait for comes first\n"
    "a        sorts by age: the longest wait, then the oldest greenlet\n"
    "n i      sort by name, and by hub and number\n"
    "/        shows only lines with a text\n"
    "arrows   choose a greenlet, Enter shows its stack (as bine stack does)\n"
    "space    pauses\n"
    "q        ends\n";

static void show_text(struct screen *screen, char *text)
{
    free(screen->text);
    screen->text = text;
    screen->text_first = 0;
}

static void note(struct screen *screen, const char *text)
{
    snprintf(screen->note, sizeof screen->note, "%s", text);
}

static bool stop_waiting(void)
{
    return ended_by != 0;
}

/* By another process of this command: backtraces stop the process for a moment, and take what the
 * command may have been built without. */
static void show_stack(struct screen *screen)
{
    char pid[16], id[32];
    if (screen->selected >= screen->top->view.row_count)
        return;
    inspect_view_id(&screen->top->view, screen->selected, id, sizeof id);
    if (!*id) {
        note(screen, "this greenlet has ended");
        return;
    }
    snprintf(pid, sizeof pid, "%d", screen->top->target->pid);
    const char *const arguments[] = {"bine", "stack", pid, id, NULL};
    put_text_line(LINES - 1, "reading the stack ...", A_REVERSE);
    refresh();
    char *text = inspect_child_output(arguments, stop_waiting);
    if (text)
        show_text(screen, text);
    else
        note(screen, "the stack could not be read");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void remember(struct screen *screen)
{
    const struct inspect_view *view = &screen->top->view;
    const struct inspect_greenlet *g =
        screen->selected < view->row_count ? view->rows[screen->selected].greenlet : NULL;
    screen->address = g ? g->address : 0;
}

/* The selected greenlet may be in another row now. */
static void find_again(struct screen *screen)
{
    const struct inspect_view *view = &screen->top->view;
    for (size_t i = 0; screen->address && i < view->row_count; i++)
        if (view->rows[i].greenlet && view->rows[i].greenlet->address == screen->address) {
            screen->selected = i;
            return;
        }
}

static void view_again(struct screen *screen)
{
    if (screen->top->view.rows && !inspect_top_view(screen->top))
        screen->end = "bine: there is not enough memory\n";
}

static void sort_by(struct screen *screen, const char *sort)
{
    screen->top->choice.sort = sort;
    screen->selected = screen->first = 0;
    screen->address = 0;
    view_again(screen);
}

static void edit_filter(struct screen *screen, int key)
{
    size_t length = strlen(screen->filter);
    if (key == '\n' || key == '\r' || key == KEY_ENTER || key == ESCAPE)
        screen->filtering = false;
    if (key == ESCAPE)
        screen->filter[0] = '\0';
    else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && length)
        screen->filter[length - 1] = '\0';
    else if (key >= ' ' && key < 256 && key != 127 && length + 1 < sizeof screen->filter) {
        screen->filter[length] = (char)key;
        screen->filter[length + 1] = '\0';
    } else if (screen->filtering)
        return;
    screen->address = 0;
    view_again(screen);
}

/* Moves in the list or in the text. Returns false if the key does something else. */
static bool move_by(struct screen *screen, int key)
{
    size_t page = LINES > 4 ? (size_t)LINES / 2 : 1, most = SIZE_MAX;
    size_t *at = screen->text ? &screen->text_first : &screen->selected;
    if (screen->text) {
        most = 0;
        for (const char *line = screen->text; (line = strchr(line, '\n')); line++)
            most++;
    } else
        most = screen->top->view.row_count;
    size_t step = key == KEY_NPAGE || key == KEY_PPAGE ? page : 1;
    if (key == KEY_DOWN || key == KEY_NPAGE)
        *at = *at + step < most ? *at + step : most ? most - 1 : 0;
    else if (key == KEY_UP || key == KEY_PPAGE)
        *at = *at > step ? *at - step : 0;
    else if (key == KEY_HOME)
        *at = 0;
    else if (key == KEY_END)
        *at = most ? most - 1 : 0;
    else
        return false;
    if (!screen->text)
        remember(screen);
    return true;
}

static void press_in_list(struct screen *screen, int key)
{
    static const char *const sorts[] = {"cpu", "waits", "age", "name", "id"};
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++)
        if (key == *sorts[i])
            sort_by(screen, sorts[i]);
    if (key == 'q')
        screen->end = "";
    else if (key == '/')
        screen->filtering = true;
    else if (key == ESCAPE && *screen->filter)
        edit_filter(screen, ESCAPE);
    else if (key == ' ')
        screen->paused = !screen->paused;
    else if (key == 'h' || key == '?')
        show_text(screen, strdup(explanation));
    else if (key == '\n' || key == '\r' || key == KEY_ENTER)
        show_stack(screen);
}

static void press(struct screen *screen, int key)
{
    screen->note[0] = '\0';
    if (key == KEY_RESIZE)
        clearok(stdscr, TRUE);
    else if (screen->filtering)
        edit_filter(screen, key);
    else if (move_by(screen, key))
        return;
    else if (!screen->text)
        press_in_list(screen, key);
    else if (key == 'q' || key == ESCAPE || key == '\n' || key == '\r' || key == KEY_ENTER)
        show_text(screen, NULL);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Waits until a look is due or a key is pressed. Returns whether the screen changes. */
static bool await_key(struct screen *screen)
{
    int64_t left = screen->top->look_due - inspect_now();
    struct pollfd keys[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = screen->top->process, .events = POLLIN}};
    if (screen->paused)
        left = 200000000;
    if (left < 0)
        left = 0;
    int got = ppoll(keys, 2, &(struct timespec){left / 1000000000, left % 1000000000}, NULL);
    if (got > 0 && keys[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        ended_by = SIGHUP; /* the terminal is gone: the signal that says so may come later */
        return false;
    }
    if (got == 0)
        return false;
    bool any = false;
    for (int key; !screen->end && (key = getch()) != ERR; any = true)
        press(screen, key);
    return any;
}

static enum inspect_top_step next_step(const struct screen *screen)
{
    if (!screen->paused)
        return inspect_top_step(screen->top);
    return inspect_top_ended(screen->top) ? INSPECT_TOP_ENDED : INSPECT_TOP_WAITS;
}

static int run_screen(struct screen *screen)
{
    int status = 0;
    bool changed = true;
    static char last_words[64];
    while (!screen->end && !ended_by) {
        if (changed)
            draw(screen);
        changed = await_key(screen);
        enum inspect_top_step step = next_step(screen);
        if (step == INSPECT_TOP_SHOWS) {
            find_again(screen);
            changed = true;
        } else if (step == INSPECT_TOP_ENDED) {
            snprintf(last_words, sizeof last_words, "bine: process %d has ended\n",
                     screen->top->target->pid);
            screen->end = last_words;
        } else if (step == INSPECT_TOP_FAILED) {
            screen->end = "";
            status = 1;
        }
    }
    return status;
}

/* While the screen is on, what is said on standard error goes to a file, and afterwards where it
 * belongs. Returns the descriptor of standard error, or -1. */
static int put_errors_away(int *file)
{
    int errors = dup(STDERR_FILENO);
    *file = memfd_create("errors", MFD_CLOEXEC);
    if (errors >= 0 && *file >= 0 && dup2(*file, STDERR_FILENO) >= 0)
        return errors;
    return -1;
}

static void bring_errors_back(int errors, int file)
{
    char text[1024];
    if (errors < 0)
        return;
    fflush(stderr);
    dup2(errors, STDERR_FILENO);
    close(errors);
    lseek(file, 0, SEEK_SET);
    for (ssize_t got; (got = read(file, text, sizeof text)) > 0;)
        fwrite(text, 1, (size_t)got, stderr);
    close(file);
}

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void begin_screen(void)
{
    struct sigaction action = {.sa_handler = screen_handle};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        sigaction(ending_signals[i], &action, NULL);
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
}

/* Ends as the signal would have ended it. */
static void end_by_signal(int signal_number)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(signal_number, &usual, NULL);
    raise(signal_number);
}

int inspect_screen(struct inspect_top *top)
{
    struct screen screen = {.top = top};
    int file;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fprintf(stderr, "bine: top takes a terminal; bine top --once prints what it shows\n");
        return 2;
    }
    setlocale(LC_CTYPE, "");
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal) {
        const char *name = getenv("TERM");
        fprintf(stderr, "bine: the terminal %s (TERM) is not known; bine top --once prints\n",
                name && *name ? name : "without a name");
        return 2;
    }
    top->choice.filter = screen.filter;
    begin_screen();
    int errors = put_errors_away(&file);
    int status = run_screen(&screen);
    endwin();
    delscreen(terminal);
    bring_errors_back(errors, file);
    if (screen.end)
        fputs(screen.end, stderr);
    free(screen.text);
    top->choice.filter = "";
    if (ended_by)
        end_by_signal(ended_by);
    return status;
}
