/*
 * Lines over UDP that arrive although datagrams are lost: each is sent again until it is answered,
 * at most 32 are under way at a time, and each has a deadline.
 *
 *     udp_send PORT [LOSS [SECONDS]] < LINES
 *
 * They go to udp_receive at 127.0.0.1:PORT. LOSS percent are thrown away, for trying. A line that
 * is not answered within SECONDS (10) counts as lost. SIGTERM ends it. Exit status: 0 if no line
 * was lost. It shows datagrams and time limits; for real use there is QUIC.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "udp.h"

#define WINDOW 32
#define FIRST_PAUSE (20 * BINE_MS)
#define LAST_PAUSE (200 * BINE_MS)

static bine_datagram_server *socket_of_ours;
static struct sockaddr_in receiver;
static bine_event *answered[MOST_LINES]; /* of the lines that are under way */
static int loss, lost, sent;
static int64_t patience = 10 * BINE_SECOND;

static void take_answer(bine_datagram *datagram, void *arg)
{
    uint32_t number;
    (void)arg;
    if (datagram->size != sizeof number)
        return;
    memcpy(&number, datagram->data, sizeof number);
    number = ntohl(number);
    if (number < MOST_LINES && answered[number])
        bine_event_set(answered[number]);
}

/* Until it is answered. When this greenlet is killed, or its time is up, every wait fails, and
 * bine_check says so. */
static void *send_line(void *arg)
{
    struct packet *packet = arg;
    uint32_t number = ntohl(packet->number);
    size_t size = sizeof packet->number + strlen(packet->text);
    int64_t pause = FIRST_PAUSE;
    bool arrived = false;
    bine_event *event = answered[number] = bine_event_new(0);
    BINE_WITHIN(patience)
    while (event && !arrived && bine_check() == 0) {
        send_packet(socket_of_ours, (struct sockaddr *)&receiver, sizeof receiver, packet, size,
                    loss);
        arrived = bine_event_wait(event, pause) == 0;
        pause = 2 * pause < LAST_PAUSE ? 2 * pause : LAST_PAUSE;
    }
    sent += arrived;
    lost += !arrived;
    answered[number] = NULL;
    bine_event_free(event);
    free(packet);
    return NULL;
}

static void *send_lines(void *arg)
{
    bine_pool *window = arg;
    bine_reader *input = bine_reader_new(0, LINE_SIZE);
    bine_spawn_options options = {.discard = free};
    char *line;
    size_t size;
    for (uint32_t number = 0; number < MOST_LINES && bine_reader_line(input, &line, &size) == 1;
         number++) {
        struct packet *packet = calloc(1, sizeof *packet);
        if (!packet)
            bine_fail(ENOMEM);
        packet->number = htonl(number);
        memcpy(packet->text, line, size); /* fits: the reader's limit counts the line's end, too */
        if (!bine_pool_spawn_with(window, &options, send_line, packet,
                                  BINE_FOREVER)) { /* waits for a place in the window */
            free(packet);
            lost++;
        }
    }
    bine_reader_free(input);
    if (bine_pool_join(window, BINE_FOREVER) != 0)
        bine_fail(errno); /* killed: not all was sent */
    return NULL;
}

int main(int count, char **arguments)
{
    if (count < 2)
        return fprintf(stderr, "usage: udp_send PORT [LOSS [SECONDS]]\n"), 2;
    loss = count > 2 ? atoi(arguments[2]) : 0;
    patience = count > 3 ? (int64_t)(atof(arguments[3]) * (double)BINE_SECOND) : patience;
    receiver = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)atoi(arguments[1]))};
    receiver.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bine_event *term = bine_signal_event_new(SIGTERM);
    socket_of_ours = bine_datagram_server_new(&(bine_server_options){.address = "127.0.0.1:0"},
                                              take_answer, NULL);
    bine_pool *window = bine_pool_new(WINDOW, 0);
    bine_greenlet *all = bine_spawn(send_lines, window);
    if (!term || !socket_of_ours || !window || !all ||
        bine_datagram_server_start(socket_of_ours) != 0)
        return perror("udp_send"), 1;
    bine_wait((void *[]){all, term}, 2, NULL, 1, BINE_FOREVER);
    bine_killall(&all, 1, BINE_FOREVER);
    bine_pool_kill(window, BINE_FOREVER);
    int failed = lost || bine_error(all);
    bine_detach(all);
    bine_pool_free(window);
    bine_datagram_server_stop(socket_of_ours, 0);
    bine_datagram_server_free(socket_of_ours);
    printf("%d sent, %d lost\n", sent, lost);
    return failed;
}
