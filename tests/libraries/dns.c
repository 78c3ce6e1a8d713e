/* A slow name server. See dns.h. */
#include "dns.h"

#include <bine.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static int server = -1, questions;
static long delay;
static bine_greenlet *listener;

struct question {
    unsigned char text[600];
    ssize_t size;
    struct sockaddr_in from;
};

/* RFC 1035: the header, the question again, and of an A question one record that points back at the
 * name. */
static void *answer(void *arg)
{
    static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};
    struct question *question = arg;
    unsigned char *text = question->text;
    size_t end = 12;
    while (text[end])
        end += text[end] + 1u;
    bool address = text[end + 2] == 1;
    end += 5;
    text[2] |= 0x80;        /* a response */
    text[3] = 0x80;         /* recursion is available, no error */
    memset(text + 6, 0, 6); /* answers, authorities, additional records */
    text[7] = address;
    if (address) {
        memcpy(text + end, record, sizeof record);
        end += sizeof record;
    }
    if (bine_sleep(delay) == 0)
        bine_sendto(server, text, end, 0, (struct sockaddr *)&question->from,
                    sizeof question->from);
    free(question);
    return NULL;
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        struct question *question = calloc(1, sizeof *question);
        socklen_t length = sizeof question->from;
        question->size = bine_recvfrom(server, question->text, 500, 0,
                                       (struct sockaddr *)&question->from, &length);
        if (question->size < 17) {
            free(question);
            return NULL;
        }
        questions++;
        if (bine_go(answer, question) != 0) {
            free(question);
            return NULL;
        }
    }
}

int dns_start(long wait)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    delay = wait;
    questions = 0;
    CHECK_OK(server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CHECK_OK(bind(server, (struct sockaddr *)&address, length));
    CHECK_OK(getsockname(server, (struct sockaddr *)&address, &length));
    CHECK((listener = bine_spawn(serve, NULL)) != NULL);
    return ntohs(address.sin_port);
}

int dns_stop(void)
{
    bine_kill(listener);
    CHECK_OK(bine_join(listener, NULL, BINE_FOREVER));
    close(server);
    return questions;
}
