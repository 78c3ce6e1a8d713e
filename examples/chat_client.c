/*
 * A chat client: what you type goes out, what others say appears meanwhile. It reads the keyboard
 * with plain fgets; after bine_patch_all() that waits without stopping the greenlet that prints the
 * messages.
 *
 *     chat_client ADDRESS      as in chat_client localhost:7778 (see chat.c for the server)
 */
#include <bine.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *print_messages(void *arg)
{
    char bytes[1024];
    ssize_t got;
    while ((got = recv((int)(intptr_t)arg, bytes, sizeof bytes, 0)) > 0) {
        fwrite(bytes, 1, (size_t)got, stdout);
        fflush(stdout);
    }
    puts("* the server has gone");
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s ADDRESS\n", arguments[0]);
        return 2;
    }
    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    int fd = bine_dial(arguments[1], 10 * BINE_SECOND);
    if (fd < 0) {
        const char *malformed = bine_address_error(arguments[1]);
        fprintf(stderr, "%s: %s\n", arguments[1], malformed ? malformed : strerror(errno));
        return 1;
    }
    bine_greenlet *printer = bine_spawn(print_messages, (void *)(intptr_t)fd);

    char line[1024];
    while (fgets(line, sizeof line, stdin))
        if (bine_send_all(fd, line, strlen(line)) != 0)
            break;

    /* The end of what we say; the server closes, and that ends the printer. */
    shutdown(fd, SHUT_WR);
    bine_join(printer, NULL, 5 * BINE_SECOND);
    close(fd);
    return 0;
}
