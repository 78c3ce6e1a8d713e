/*
 * The groups of a user: getgrouplist and initgroups on the offload pool. See names_entries.c for
 * the other look-ups.
 */
#include <bine/names.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/offload/offload.h"
#include "libc/free.h"
#include "libc/libc.h"

struct membership {
    struct bine_offload_job job; /* first */
    char *user;
    gid_t group;
    int count, status;
    gid_t groups[];
};

static void run_membership(struct bine_offload_job *job)
{
    struct membership *membership = (struct membership *)job;
    membership->status = bine_libc.getgrouplist(membership->user, membership->group,
                                                membership->groups, &membership->count);
}

static void discard_membership(struct bine_offload_job *job)
{
    free(((struct membership *)job)->user);
    free(job);
}

int bine_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub)
        return bine_libc.getgrouplist(user, group, groups, count);
    int room = *count > 0 ? *count : 0;
    struct membership *membership = calloc(1, sizeof *membership + (size_t)room * sizeof *groups);
    if (!membership || !(membership->user = strdup(user))) {
        free(membership);
        errno = ENOMEM;
        return -1;
    }
    membership->job.run = run_membership;
    membership->job.name = true;
    membership->job.error = errno;
    membership->job.locks = true;
    membership->group = group;
    membership->count = room;
    int error = bine_offload_detached(hub, &membership->job, discard_membership, "getgrouplist",
                                      (uintptr_t)membership->user, INT64_MAX);
    if (error) {
        errno = error;
        return -1;
    }
    int status = membership->status;
    int filled = membership->count < room ? membership->count : room;
    memcpy(groups, membership->groups, (size_t)filled * sizeof *groups);
    *count = membership->count;
    errno = membership->job.error;
    discard_membership(&membership->job);
    return status;
}

/* Ask on the pool, set here: a look-up that the caller no longer waits for must not change the
 * process's groups. */
int bine_initgroups(const char *user, gid_t group)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub)
        return bine_libc.initgroups(user, group);
    int count = 64;
    gid_t *groups = malloc((size_t)count * sizeof *groups);
    if (!groups)
        return -1;
    for (int room = count; bine_getgrouplist(user, group, groups, &count) < 0; room = count) {
        /* -1 with a larger count says how many there are; anything else is an error. */
        gid_t *larger = count > room ? realloc(groups, (size_t)count * sizeof *groups) : NULL;
        if (!larger) {
            bine_free(groups);
            return -1;
        }
        groups = larger;
    }
    long most = sysconf(_SC_NGROUPS_MAX);
    int result = setgroups(most > 0 && count > most ? (size_t)most : (size_t)count, groups);
    int error = errno;
    free(groups);
    errno = error;
    return result;
}
