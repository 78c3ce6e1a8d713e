/* What tests of TLS share: certificates, made by the openssl command, and connections within the
 * process. */
#ifndef BINE_TESTS_TLS_H
#define BINE_TESTS_TLS_H

#include <bine.h>
#include <bine/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/* A file of this process in /tmp, removed at its end. The text is good for the next seven calls. */
static inline const char *tls_file(const char *name)
{
    static char paths[8][64];
    static unsigned used;
    char *path = paths[used++ % 8];
    CHECK_LT(snprintf(path, sizeof paths[0], "/tmp/bine-tls-%d.%s", (int)getpid(), name),
             (int)sizeof paths[0]);
    return path;
}

static inline void tls_remove_files(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -f /tmp/bine-tls-%d.*", (int)getpid());
    if (system(command) != 0)
        fprintf(stderr, "%s failed\n", command);
}

/* A self-signed certificate for localhost and its key, in one file. */
static inline const char *tls_certificate(const char *name)
{
    const char *path = tls_file(name);
    char command[512];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key "
             "-out %s -days 2 "
             "-subj /CN=%s -addext subjectAltName=DNS:localhost >/dev/null 2>&1 && cat %s.key >>%s",
             path, path, name, path, path);
    atexit(tls_remove_files);
    if (system(command) != 0)
        SKIP("the openssl command is missing");
    return path;
}

#endif
