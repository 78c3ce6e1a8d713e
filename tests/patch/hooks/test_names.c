/* The rarer look-ups, patched: what they say is what libc says, and others run meanwhile. */
#include <bine.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static volatile unsigned turns;
static volatile bool done;

static void *take_turns(void *unused)
{
    while (!done) {
        turns++;
        CHECK_OK(bine_sleep(0));
    }
    return NULL;
}

/* Everything that the databases say, as text. On a thread without a hub all of this is libc's
 * own. */
static void *say_all(void *unused)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    setpwent();
    for (struct passwd *user; (user = getpwent());)
        fprintf(out, "user %s %u %s\n", user->pw_name, user->pw_uid, user->pw_dir);
    endpwent();
    setgrent();
    for (struct group *group; (group = getgrent());)
        fprintf(out, "group %s %u\n", group->gr_name, group->gr_gid);
    endgrent();
    setspent();
    for (struct spwd *shadow; (shadow = getspent());)
        fprintf(out, "shadow %s\n", shadow->sp_namp);
    endspent();
    setservent(0);
    for (struct servent *service; (service = getservent());)
        fprintf(out, "service %s %d/%s\n", service->s_name, ntohs((uint16_t)service->s_port),
                service->s_proto);
    endservent();
    setprotoent(0);
    for (struct protoent *protocol; (protocol = getprotoent());)
        fprintf(out, "protocol %s %d %s\n", protocol->p_name, protocol->p_proto,
                protocol->p_aliases[0] ? protocol->p_aliases[0] : "");
    endprotoent();
    setnetent(0);
    for (struct netent *network; (network = getnetent());)
        fprintf(out, "network %s %u\n", network->n_name, network->n_net);
    endnetent();
    sethostent(0);
    for (struct hostent *host; (host = gethostent());)
        fprintf(out, "host %s\n", host->h_name);
    endhostent();

    static const char *const names[] = {"tcp", "UDP", "no such protocol"};
    for (int i = 0; i < 3; i++) {
        errno = 0;
        struct protoent *protocol = getprotobyname(names[i]);
        fprintf(out, "%s: %d, errno %d\n", names[i], protocol ? protocol->p_proto : -1, errno);
    }
    struct protoent *protocol = getprotobynumber(1), entry, *found;
    fprintf(out, "1: %s\n", protocol ? protocol->p_name : "-");
    char small[4], large[4096];
    int status = getprotobyname_r("tcp", &entry, small, sizeof small, &found);
    fprintf(out, "small %d %d\n", status, found != NULL);
    status = getprotobynumber_r(17, &entry, large, sizeof large, &found);
    fprintf(out, "large %d %s\n", status, found == &entry ? entry.p_name : "-");
    struct netent *network = getnetbyname("loopback");
    fprintf(out, "loopback %u\n", network ? network->n_net : 0);
    network = getnetbyaddr(0x7f000000, AF_INET);
    fprintf(out, "network 127: %s\n", network ? network->n_name : "-");
    h_errno = 0;
    network = getnetbyname("no.such.network.invalid");
    fprintf(out, "no network %d\n", network != NULL);
    errno = 0;
    struct spwd *shadow = getspnam("root");
    fprintf(out, "root: %s, errno %d\n", shadow ? shadow->sp_namp : "-", shadow ? 0 : errno);
    fclose(out);
    return text;
}

TEST(the_rarer_look_ups_say_what_libc_says, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    pthread_t thread;
    void *expected;
    CHECK_EQ(pthread_create(&thread, NULL, say_all, NULL), 0);
    CHECK_EQ(pthread_join(thread, &expected), 0);
    CHECK_NE(strstr(expected, "user root 0"), NULL);
    char *said = say_all(NULL);
    CHECK_STRING(said, (char *)expected);
    free(said);
    free(expected);
}

TEST(hazard_06_a_look_up_lets_others_run)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *other = bine_spawn(take_turns, NULL);
    unsigned before = turns;
    setpwent();
    CHECK_NE(getpwent(), NULL);
    CHECK_GT(turns, before);
    before = turns;
    getprotobyname("tcp");
    CHECK_GT(turns, before);
    done = true;
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    endpwent();
}

static void *next_user(void *unused)
{
    return strdup(getpwent()->pw_name);
}

TEST(a_result_belongs_to_the_greenlet)
{
    CHECK_OK(bine_patch_all());
    setpwent();
    struct passwd *mine = getpwent();
    char *name = strdup(mine->pw_name);
    bine_greenlet *other = bine_spawn(next_user, NULL);
    void *next;
    CHECK_OK(bine_join(other, &next, BINE_FOREVER));
    CHECK_STRING(mine->pw_name, name);
    CHECK_NE(strcmp(next, name), 0); /* the place in the database is one for all */
    free(next);
    free(name);
    endpwent();
}
