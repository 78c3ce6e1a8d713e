/*
 * The receiver of udp_send: prints the lines in their order, each once, however often and in
 * whatever order they come.
 *
 *     udp_receive PORT [LOSS]      LOSS: percent of its answers to throw away, for trying
 *
 * It takes one transfer, and ends by SIGTERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "udp.h"

static char *arrived[MOST_LINES]; /* those that wait for one before them */
static uint32_t next;             /* to print */
static int loss;

static void print_lines(void)
{
    for (; next < MOST_LINES && arrived[next]; next++) {
        puts(arrived[next]);
        free(arrived[next]);
        arrived[next] = NULL;
    }
    fflush(stdout);
}

/* Anybody may send anything: only what is a packet is answered. */
static void take(bine_datagram *datagram, void *arg)
{
    const struct packet *packet = datagram->data;
    (void)arg;
    if (datagram->size < sizeof packet->number || datagram->size > sizeof *packet)
        return;
    uint32_t number = ntohl(packet->number);
    if (number >= MOST_LINES)
        return;
    if (number >= next && !arrived[number])
        arrived[number] = strndup(packet->text, datagram->size - sizeof packet->number);
    /* Not if there is no memory for it: it will come again. But if it came before, since that
     * answer may have been lost. */
    if (number < next || arrived[number])
        send_packet(datagram->server, (struct sockaddr *)&datagram->peer, datagram->peer_length,
                    packet, sizeof packet->number, loss);
    print_lines();
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "7780");
    loss = count > 2 ? atoi(arguments[2]) : 0;
    /* One datagram at a time, in the order of arrival: `take` waits for nothing, so more would gain
     * nothing. */
    bine_server_options options = {
        .address = address, .limit = 1, .size = sizeof(struct packet) + 1};
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_datagram_server *server = bine_datagram_server_new(&options, take, NULL);
    if (!term || !server || bine_datagram_server_start(server) != 0) {
        perror("udp_receive");
        return 1;
    }
    printf("udp_receive: %s\n", bine_datagram_server_address(server));
    fflush(stdout);
    bine_event_wait(term, BINE_FOREVER);
    bine_datagram_server_stop(server, 0);
    for (uint32_t number = next; number < MOST_LINES; number++)
        free(arrived[number]);
    return bine_datagram_server_free(server) != 0;
}
