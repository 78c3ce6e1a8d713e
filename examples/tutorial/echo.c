/* An echo server. Each connection has a greenlet, which reads and writes as in any textbook. */
#include <bine.h>
#include <stdio.h>

static void serve(bine_connection *connection, void *arg)
{
    char bytes[4096];
    ssize_t got;
    while ((got = bine_recv(connection->fd, bytes, sizeof bytes, 0)) > 0)
        if (bine_send_all(connection->fd, bytes, (size_t)got) != 0)
            return;
}

int main(int count, char **arguments)
{
    const char *address = count > 1 ? arguments[1] : "127.0.0.1:7777";
    bine_server *server = bine_server_new(&(bine_server_options){.address = address}, serve, NULL);
    if (!server) {
        perror(address);
        return 1;
    }
    printf("echo: %s\n", bine_server_address(server));
    fflush(stdout);
    return bine_server_serve(server) != 0;
}
