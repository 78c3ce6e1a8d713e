/*
 * libbine-http as programs use it: `http hello|file [CERTIFICATE]`: a greeting, or the files below
 * the directory BENCH_FILES; with a certificate by HTTPS. BINE_POLLER chooses the poller.
 */
#include <bine.h>
#include <bine/http.h>

#include "../server.h"

static void hello(bine_http *http, void *arg)
{
    bine_http_respond(http, 200, "text/plain", "Hello, world!", 13);
}

int main(int argc, char **argv)
{
    bool is_file = argc > 1 && strcmp(argv[1], "file") == 0;
    bench_must(bine_patch_all(), "bine_patch_all");
    bench_descriptors();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bine_http_server_options options = {.listen = {.address = "127.0.0.1:0", .backlog = 4096}};
    if (argc > 2)
        options.tls = bine_tls_server_new(
            &(bine_tls_options){.certificate = argv[2], .protocols = "http/1.1"});
    bine_http_files *files = is_file ? bine_http_files_new(getenv("BENCH_FILES"), 0) : NULL;
    bine_http_server *server =
        bine_http_server_new(&options, is_file ? bine_http_files_serve : hello, files);
    if (!server || (is_file && !files) || (argc > 2 && !options.tls) ||
        bine_http_server_start(server) != 0) {
        perror("server");
        return 1;
    }
    printf("port %d\n", bine_http_server_port(server));
    fflush(stdout);
    return bine_http_server_serve(server) != 0;
}
